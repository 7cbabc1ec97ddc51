"""The charts' synthetic study, drawn once, with its report."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "charts"))
from synthetic_study import write_synthetic_study

from hf_ctxscale.charts.draw import draw_study
from hf_ctxscale.reporting.report import write_report
from hf_ctxscale.study import Study


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of 12 runs, one of them failed and one still training, on a corpus whose name is an attack."""
    study = write_synthetic_study(
        tmp_path_factory.mktemp("reported"),
        corpus="<script>alert('a')</script>|](http://evil.example/)`",
        failed=("lstm-4-26k-s0",),
        unfinished=("lstm-4-76k-s0",),
    )
    draw_study(study)
    write_report(study)
    return study
