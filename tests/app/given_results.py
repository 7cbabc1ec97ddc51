"""What visitors might give: a small study made of two runs of the shipped results, as a folder and as a zip file."""

import shutil
import zipfile
from pathlib import Path

from hf_ctxscale.study import Study

REFERENCE = Study(Path(__file__).parents[2] / "space" / "reference")
CSV = "N,loss\n1e5,4.1\n2e5,3.6\n4e5,3.3\n8e5,3.05\n1.6e6,2.9\n"


def write_small_study(folder: Path) -> Study:
    """An LSTM and a Transformer of one size with their scores, settings and corpus; no results, as another version may have left them."""
    study = Study(folder)
    scores = {score.run_id: score for score in REFERENCE.score_records()}
    largest = {run.architecture: run for run in sorted(REFERENCE.run_records(), key=lambda run: run.params.body) if run.run_id in scores}
    for run in (largest["lstm"], largest["gpt2"]):
        shutil.copytree(REFERENCE.run_folder(run.run_id), study.run_folder(run.run_id))
        score_id = scores[run.run_id].score_id
        shutil.copytree(REFERENCE.scores / score_id, study.scores / score_id)
    study.tokens.mkdir()
    shutil.copy(REFERENCE.config_file, study.config_file)
    shutil.copy(REFERENCE.tokens / "corpus.json", study.tokens / "corpus.json")
    return study


def packed(folder: Path, *, to: Path, inside: str = "") -> Path:
    """Every file of a folder in a zip file, in a folder of the name ``inside``."""
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                opened.write(path, f"{inside}{path.relative_to(folder).as_posix()}")
    return to
