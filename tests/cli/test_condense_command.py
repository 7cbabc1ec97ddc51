"""`hf-ctxscale condense`: a small copy of a study that can still be analysed and drawn."""

import json
import subprocess
import sys

from hf_ctxscale.study import Study
from tests.conftest import run_command


def test_a_condensed_study_is_analysed_and_drawn_like_the_full_one(finished, tmp_path):
    _, study, _ = finished
    out = tmp_path / "small"
    done = run_command("condense", study.folder, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "MB; `hf-ctxscale draw" in done.stdout
    assert not [*out.rglob("model"), *out.rglob("losses.parquet")]
    for command in ("analyse", "draw"):
        again = run_command(command, out)
        assert again.returncode == 0, again.stdout + again.stderr
    verdicts = [[claim["verdict"] for claim in json.loads(one.fits_file.read_text())["claims"]] for one in (study, Study(out))]
    assert verdicts[0] == verdicts[1]
    charts = [sorted(path.name for path in one.charts.iterdir()) for one in (study, Study(out))]
    assert charts[0] == charts[1]
    assert (out / "report.html").is_file()


def test_condensing_loads_no_torch_and_leaves_what_is_there(finished, tmp_path):
    _, study, _ = finished
    out = tmp_path / "small"
    script = (
        "import sys\n"
        "from hf_ctxscale.cli.main import app\n"
        f"app(['condense', {str(study.folder)!r}, '--out', {str(out)!r}], standalone_mode=False)\n"
        "loaded = {'torch', 'transformers', 'datasets', 'evaluate'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    again = run_command("condense", study.folder, "--out", out)
    assert again.returncode == 2
    assert "exists already; name a folder that does not" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_condensing_what_is_no_study_says_how_to_make_one(tmp_path):
    done = run_command("condense", tmp_path, "--out", tmp_path / "small")
    assert done.returncode == 2
    assert "holds no study (no study.yaml in it)" in done.stderr
    assert not (tmp_path / "small").exists()
