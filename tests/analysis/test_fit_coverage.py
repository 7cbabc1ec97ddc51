"""The coverage study of fits, crossovers and claims, with few simulations: an interval that covers ten points too little would be found."""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

# The law of size and data takes as long as all the others together.
SIMULATIONS = {"size and data": 80} | dict.fromkeys(("paper law", "offset law", "position law", "narrow range", "plateaus"), 150)
REPLICATES = 300
INTERVALS = ("paper law", "offset law", "size and data", "position law")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def study() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import fit_coverage

        patch.setattr(fit_coverage, "NUM_REPLICATES", REPLICATES)
        # The first cell has the fewest documents and seeds: there an interval is the hardest to get right.
        patch.setattr(fit_coverage, "ARMS", {arm: (simulate, cells[:1]) for arm, (simulate, cells) in fit_coverage.ARMS.items()})
        yield fit_coverage
        for name in ("fit_coverage", "fit_coverage_page", "simulated_studies"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def results(study: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict:
    kept = tmp_path_factory.mktemp("kept")

    def run() -> dict:
        return {arm: study.run(SIMULATIONS[arm], arms=[arm], kept=kept)[arm] for arm in study.ARMS}

    made = run()
    # What is finished is read, not simulated again.
    assert run() == made
    return made


def rows_of(results: dict, arm: str) -> dict[str, list[float]]:
    (rows,) = results[arm].values()
    return rows


def coverage(results: dict, arm: str) -> dict[str, float]:
    """Share of the intervals that hold the truth, by what they are of."""
    rows = rows_of(results, arm)
    return {name: float(np.mean(rows[name])) for name in (row.removesuffix(" | none") for row in rows if row.endswith(" | none"))}


def simulation_error(arm: str) -> float:
    """Of a share of 95 %: 1.8 points of 150 simulations, 2.4 of 80."""
    return math.sqrt(0.95 * 0.05 / SIMULATIONS[arm])


@pytest.mark.parametrize("arm", INTERVALS)
def test_every_interval_of_a_fit_covers_the_truth_nearly_as_often_as_it_claims(results: dict, arm: str) -> None:
    # Three errors, since there are two dozen intervals.
    assert {name: share for name, share in coverage(results, arm).items() if share < 0.95 - 3 * simulation_error(arm)} == {}


@pytest.mark.parametrize("arm", INTERVALS)
def test_the_intervals_of_a_law_together_cover_the_truth_as_often_as_they_claim(results: dict, arm: str) -> None:
    assert np.mean(list(coverage(results, arm).values())) == pytest.approx(0.95, abs=2 * simulation_error(arm))


@pytest.mark.parametrize("arm", INTERVALS)
def test_a_range_wide_enough_gives_an_interval(results: dict, arm: str) -> None:
    none = {row: float(np.mean(values)) for row, values in rows_of(results, arm).items() if row.endswith(" | none")}
    assert {row: share for row, share in none.items() if share > 0.1} == {}


@pytest.mark.parametrize("name", ["e", "a", "alpha"])
def test_a_narrow_range_of_sizes_comes_back_as_not_identifiable(results: dict, name: str) -> None:
    assert np.mean(rows_of(results, "narrow range")[f"{name} not identifiable"]) > 0.9


@pytest.mark.parametrize("curve", ["power law that stops at 64", "flat after 32", "flat after 128"])
def test_a_plateau_is_told_from_a_power_law(results: dict, curve: str) -> None:
    assert np.mean(rows_of(results, "plateaus")[f"{curve} | right"]) > 0.95


def test_a_power_law_is_hardly_ever_taken_for_a_plateau(results: dict) -> None:
    rows = rows_of(results, "plateaus")
    assert np.mean(rows["power law | wrong"]) < 0.05
    assert np.mean(rows["power law | right"]) > 0.7


def test_the_page_of_fits_holds_every_cell(study: ModuleType, results: dict) -> None:
    page = study.fit_coverage_page(results, num_simulations=150)
    for (arm, cells), section in zip(results.items(), page.split("\n## ")[1:], strict=True):
        ((cell, rows),) = cells.items()
        assert f" {cell} |" in section
        for row, values in rows.items():
            name, _, what = row.partition(" | ")
            if what not in ("none", "value", "width"):
                (line,) = (line for line in section.splitlines() if line.startswith(f"| {name} |"))
                assert f" {100 * np.mean(values):.1f} " in line, (arm, row)
    assert "nan" not in page
