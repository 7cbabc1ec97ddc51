"""The coverage study itself, with few simulations: an interval that covers ten points too little would be found."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hf_ctxscale.analysis import bands

SIMULATIONS = 100
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def study() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import interval_coverage

        # A tenth of the draws: half a point of simulation error will do here.
        patch.setattr(bands, "NUM_DRAWS", 2_000)
        patch.setattr(interval_coverage, "NUM_RESAMPLES", 200)
        yield interval_coverage
        for name in ("interval_coverage", "coverage_page", "simulated_scores"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def results(study: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict:
    kept = tmp_path_factory.mktemp("kept")
    made = study.run(SIMULATIONS, num_documents=(20, 50), kept=kept)
    # What is finished is read, not simulated again.
    assert study.run(SIMULATIONS, num_documents=(20, 50), kept=kept) == made
    return made


def covered(results: dict, arm: str, row: str) -> float:
    """Share over both numbers of documents: 200 simulations, a standard error of 1.5 points at 95 %."""
    cells = next(by_number for name, by_number in results.items() if name.startswith(arm))
    return float(np.mean([np.mean(rows[row]) for rows in cells.values()]))


@pytest.mark.parametrize("arm", ["positions, at most 32", "positions, no limit"])
@pytest.mark.parametrize(
    "row",
    [
        "mean loss",
        "loss of a bin (mean over all bins)",
        "paired difference of two models",
        "context gain",
        "paired difference of context gains",
        "in-context score",
        "bits per byte",
        "band over all bins at once",
    ],
)
def test_intervals_by_position_cover_as_often_as_they_claim(results: dict, arm: str, row: str) -> None:
    assert covered(results, arm, row) == pytest.approx(0.95, abs=0.05)


def test_intervals_of_trained_models_and_of_recipes_cover_what_they_are_for(results: dict) -> None:
    for what in ("mean loss", "difference of two families"):
        assert covered(results, "seeds", f"{what}: over documents, of these trained models") == pytest.approx(0.95, abs=0.05)
        assert covered(results, "seeds", f"{what}: across seeds, of the recipe") == pytest.approx(0.95, abs=0.05)


@pytest.mark.parametrize("name", ["short", "middle", "long", "beyond", "ratio"])
def test_intervals_of_effective_context_cover_at_least_as_often_as_they_claim(results: dict, name: str) -> None:
    assert covered(results, "effective context", name) > 0.91


def test_the_page_holds_every_cell(study: ModuleType, results: dict) -> None:
    page = study.coverage_page(results, num_simulations=SIMULATIONS, truths=study.true_effective_contexts())
    for arm, cells in results.items():
        for row in next(iter(cells.values())):
            if "|" not in row and arm != "effective context":
                assert f"| {row} |" in page, row
    assert "| 143 | 50 |" in page
    assert "nan" not in page
