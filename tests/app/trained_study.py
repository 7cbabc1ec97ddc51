"""The shipped results with made-up validation curves, and the parts of a page that a tab's events fill."""

import shutil
from pathlib import Path

from hf_ctxscale.app.shipped import shipped_study
from hf_ctxscale.study import Study
from tests.made_up_training import write_training_curves

LATE_GAPS = (0.0, 0.02, 0.3)  # of Transformers; LSTMs have none


def write_trained_study(folder: Path, *, curves: bool = True) -> Study:
    """A copy of the shipped study in which Transformers learn to use their context at the end of training, or one without validation curves."""
    shutil.copytree(shipped_study().folder, folder)
    study = Study(folder)
    for record in study.run_records():
        path = study.validation_curves_file(record.run_id)
        path.unlink(missing_ok=True)
        if curves:
            write_training_curves(path, gaps=LATE_GAPS if record.architecture == "gpt2" else (0.0,) * len(LATE_GAPS))
    return study
