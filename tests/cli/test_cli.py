"""The command line: a whole tiny study, its rerun, and every mistake as a sentence with exit code 2."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from hf_ctxscale.columns import CURVES_SCHEMA, POSITIONS_SCHEMA, RUNS_SCHEMA
from hf_ctxscale.study import Study
from tests.conftest import run_command, tiny_config, write_config


def _files(folder: Path) -> dict[str, float]:
    """Every file and when it was written."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_run_leaves_the_whole_study_folder(finished):
    _, study, _ = finished
    records = study.run_records()
    assert [record.state for record in records] == ["finished"] * 2
    for record in records:
        assert (study.model_folder(record.run_id) / "model.safetensors").is_file()
        assert (study.model_folder(record.run_id) / "tokenizer.json").is_file()
        assert study.history_file(record.run_id).is_file()
    for score in study.score_records():
        assert study.losses_file(score.score_id).is_file()
    for table, schema in (("runs", RUNS_SCHEMA), ("curves", CURVES_SCHEMA), ("positions", POSITIONS_SCHEMA)):
        assert pq.read_schema(study.results_file(table)).names == schema.names
    assert pq.read_table(study.results_file("runs")).num_rows == 2
    assert pq.read_table(study.results_file("curves")).num_rows == 2 * 8
    fits = json.loads(study.fits_file.read_text())
    assert {claim["verdict"] for claim in fits["claims"]} <= {"supported", "not supported", "undecided"}
    for chart in ("loss_vs_parameters", "loss_vs_position"):
        assert (study.charts / f"{chart}.svg").stat().st_size > 1000
        assert (study.charts / f"{chart}.png").stat().st_size > 1000
    for report in ("report.html", "report.md"):
        text = (study.folder / report).read_text()
        assert all(record.run_id in text for record in records)
    leftovers = [path for path in study.folder.rglob("*") if path.suffix in (".tmp", ".bin", ".pt", ".pkl") or path.name == "checkpoints"]
    assert leftovers == []


def test_run_says_at_the_start_how_long_it_takes_and_times_every_stage(finished):
    _, _, printed = finished
    assert "2 runs, 0.0 million training tokens, 2 at a time: about" in printed
    for stage in ("probe", "tokens", "train", "score", "analyse", "draw"):
        assert f"{stage}: " in printed
    assert "all stages: " in printed


def test_running_again_skips_what_is_finished_and_says_so(finished):
    config, study, _ = finished
    before = _files(study.folder)
    again = run_command("run", config, "--out", study.folder)
    assert again.returncode == 0, again.stderr
    assert "skipped: 2 of 2 runs are there already" in again.stdout
    assert "skipped: 2 of 2 runs are scored already" in again.stdout
    assert "probe" not in again.stdout
    after = _files(study.folder)
    untouched = [name for name in before if name.startswith(("runs/", "scores/", "tokens/")) and not name.endswith((".lock", ".log"))]
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}


def test_analyse_and_draw_load_no_torch(finished):
    _, study, _ = finished
    script = (
        "import sys, runpy\n"
        "from hf_ctxscale.cli.main import app\n"
        "for command in ('analyse', 'draw'):\n"
        f"    app([command, {str(study.folder)!r}], standalone_mode=False)\n"
        "loaded = {'torch', 'transformers', 'datasets', 'evaluate'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_loads_no_torch():
    script = "import sys\nfrom hf_ctxscale.cli.main import app\napp(['--help'], standalone_mode=False)\nassert 'torch' not in sys.modules\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "run" in done.stdout


def test_a_run_that_cannot_be_trained_is_marked_failed_and_the_others_go_on(finished, tmp_path):
    config, whole, _ = finished
    study = Study(tmp_path / "study")
    shutil.copytree(whole.folder, study.folder)
    grown = YAML(typ="safe").load(config)
    # A learning rate this large overflows at once.
    grown["families"].append({"architecture": "lstm", "num_layers": 2, "learning_rate": 1e30})
    grown_config = write_config(tmp_path / "grown.yaml", grown)
    done = run_command("run", grown_config, "--out", study.folder)
    assert done.returncode == 0, done.stderr
    assert "skipped: 2 of 3 runs are there already" in done.stdout
    failed = [record for record in study.run_records() if record.state == "failed"]
    assert len(failed) == 1
    assert "the training loss became" in failed[0].reason
    rows = {row["run_id"]: row for row in pq.read_table(study.results_file("runs")).to_pylist()}
    assert rows[failed[0].run_id]["loss_nats"] is None
    assert rows[failed[0].run_id]["reason"] == failed[0].reason
    assert failed[0].reason.split(";")[0] in (study.folder / "report.md").read_text()


def _mistakes(text_folder: Path, folder: Path) -> dict[str, tuple[list, str]]:
    """Command lines that cannot work, and what each has to say."""
    short = folder / "short"
    short.mkdir()
    for number in range(20):
        (short / f"{number}.txt").write_text(f"a short text of number {number} and little else " * 12)
    empty = folder / "empty"
    empty.mkdir()

    def config(name: str, **changes) -> Path:
        return write_config(folder / f"{name}.yaml", tiny_config(text_folder, **changes))

    (folder / "binary.yaml").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (folder / "nothing.yaml").write_text("")
    out = folder / "out"
    good = config("good")
    (folder / "file").write_text("not a folder")
    sizes = [{"body_params": 2000, "train_tokens": 1600}]
    return {
        "misspelt key": ([config("a", contxt_tokens=9), out], "unknown key 'contxt_tokens' in a.yaml; did you mean 'context_tokens'?"),
        "wrong type": ([config("b", context_tokens="many"), out], "context_tokens='many' in b.yaml must be a whole number"),
        "architecture": (
            [config("c", families=[{"architecture": "lstn", "learning_rate": 1e-2}]), out],
            "unknown architecture 'lstn'; allowed: gpt2, lstm, lstm_residual",
        ),
        "corpus": ([config("d", corpus={"name": "python-stdlb"}), out], "python-stdlib"),
        "corpus path": ([config("e", corpus={"path": str(folder / "nowhere")}), out], "nowhere"),
        "empty corpus": ([config("f", corpus={"path": str(empty)}), out], "empty"),
        "context": (
            [
                config(
                    "g",
                    corpus={"path": str(short), "test_fraction": 0.4, "validation_fraction": 0.2},
                    tokenizer={"vocab_size": 270},
                    context_tokens=1500,
                    training={"batch_blocks": 1},
                ),
                out,
            ],
            "context_tokens=1500 is longer than any document",
        ),
        "size": (
            [config("h", sizes=[{"body_params": 90, "train_tokens": 1600}], size_tolerance=0.01), out],
            "body_params=90 cannot be met",
        ),
        "tokenizer": ([config("i", tokenizer={"path": str(empty)}), out], "holds no tokenizer.json"),
        "step": ([config("j", sizes=[{**sizes[0], "train_tokens": 3}]), out], "train_tokens=3 is less than one step"),
        "missing": ([folder / "missing.yaml", out], "there is no config"),
        "empty file": ([folder / "nothing.yaml", out], "nothing.yaml' is empty"),
        "binary file": ([folder / "binary.yaml", out], "is not a text file in YAML"),
        "folder": ([folder, out], "is a folder; give the YAML file inside it"),
        "out is a file": ([good, folder / "file"], "is a file; give a folder for the study"),
        "out is taken": ([good, short], "holds other files and no study.yaml"),
    }


MISTAKES = [
    "misspelt key", "wrong type", "architecture", "corpus", "corpus path", "empty corpus", "context", "size", "tokenizer", "step", "missing",
    "empty file", "binary file", "folder", "out is a file", "out is taken",
]  # fmt: skip


def test_every_mistake_is_a_sentence_with_exit_code_2(text_folder, tmp_path, capsys, monkeypatch):
    """All in one process, which imports torch once; the process of its own is the test below."""
    from hf_ctxscale.cli.main import main

    mistakes = _mistakes(text_folder, tmp_path)
    assert list(mistakes) == MISTAKES
    for name, ((config, out), words) in mistakes.items():
        taken = _files(out) if out.is_dir() else None
        monkeypatch.setattr(sys, "argv", ["hf-ctxscale", "run", str(config), "--out", str(out)])
        with pytest.raises(SystemExit) as stopped:
            main()
        message = capsys.readouterr().err.lstrip()
        assert stopped.value.code == 2, (name, message)
        assert message.startswith("error: "), (name, message)
        assert words in message, (name, message)
        assert "Traceback" not in message
        if taken is not None and out.name == "short":
            assert _files(out) == taken, "something was overwritten"


def test_a_mistake_in_a_process_of_its_own_shows_no_traceback(finished, text_folder, tmp_path):
    _, study, _ = finished
    other = write_config(tmp_path / "other.yaml", tiny_config(text_folder, context_tokens=16))
    before = _files(study.folder)
    done = run_command("run", other, "--out", study.folder)
    assert done.returncode == 2
    assert "holds another study: context_tokens is 8 there and 16 in the config" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert _files(study.folder) == before


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_folder_that_cannot_be_written_is_named(text_folder, tmp_path, monkeypatch):
    from hf_ctxscale.config import parse_settings
    from hf_ctxscale.study import UserError
    from hf_ctxscale.sweep.open_study import open_study

    settings = parse_settings(tiny_config(text_folder), source="tiny.yaml")
    # The tests may run as root, whom no permission stops.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match=r"cannot be written \(no permission on .*\); choose another folder"):
        open_study(settings, folder=tmp_path / "study")


def test_analysing_what_is_no_study_says_how_to_make_one(tmp_path):
    done = run_command("analyse", tmp_path)
    assert done.returncode == 2
    assert "holds no study (no study.yaml in it); make one with `hf-ctxscale run demo --out" in done.stderr


def test_a_study_can_be_taken_further_to_an_ablation_of_the_same_targets_for_every_run(finished, text_folder, tmp_path):
    _, study, _ = finished
    folder = shutil.copytree(study.folder, tmp_path / "study")
    config = write_config(tmp_path / "tiny.yaml", tiny_config(text_folder, precision="auto", workers=2, scoring={"ablation": True}))
    done = run_command("run", config, "--out", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    ablations = [record.ablation for record in Study(folder).score_records()]
    assert len(ablations) == 2
    assert len({(ablation.num_rounds, ablation.num_targets) for ablation in ablations}) == 1
    runs = pq.read_table(Study(folder).results_file("runs")).to_pylist()
    assert all(1 <= run["effective_context_low"] <= run["effective_context"] <= 8 for run in runs)
    assert (folder / "charts" / "context_use.png").is_file()
    assert not list(folder.rglob(".*.npz"))
    again = run_command("run", config, "--out", folder)
    assert "skipped: 2 of 2 runs are scored already" in again.stdout
