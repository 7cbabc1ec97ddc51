"""Crossovers of laws whose crossing is known, in every replicate."""

import json
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.crossover import X_WORDS, Crossover, find_crossover
from hf_ctxscale.analysis.laws.law_fit import LawFit, nothing_fitted
from hf_ctxscale.analysis.laws.size_laws import fit_paper_law

OVERLAP = (1e5, 1e7)
SIZES = np.geomspace(*OVERLAP, 4)
NUM = 400


def law(level_R: Any, alpha_R: Any) -> LawFit:
    """Loss level·(N/10^6)^-alpha in every replicate, through the package's own fit."""
    level, alpha = np.broadcast_arrays(np.atleast_1d(level_R)[:, None], np.atleast_1d(alpha_R)[:, None])
    return fit_paper_law(SIZES, level * (SIZES / 1e6) ** -alpha)


def levels(mean: float, spread: float, *, seed: int = 0) -> np.ndarray:
    """Of the data, then of every replicate."""
    return np.concatenate([[mean], np.random.default_rng(seed).normal(mean, spread, NUM)])


def compare(first: LawFit, second: LawFit, *, overlap: tuple[float, float] | None = OVERLAP, x: str = "body_params") -> Crossover:
    return find_crossover(first, second, overlap=overlap, first_label="the LSTM", second_label="the Transformer", x=x)


def test_a_known_crossing_is_found_with_its_interval() -> None:
    first_R, second_R = levels(3.0, 0.01), levels(3.0, 0.01, seed=1)
    truth_R = 1e6 * (second_R / first_R) ** (1 / 0.06)
    found = compare(law(first_R, np.full(NUM + 1, 0.04)), law(second_R, np.full(NUM + 1, 0.10)))
    assert (found.verdict, found.share_crossing_once) == ("crosses once", 1.0)
    assert found.x_cross == pytest.approx(1e6, rel=1e-6)
    assert (found.low, found.high) == pytest.approx(np.quantile(truth_R[1:], [0.025, 0.975]), rel=1e-4)
    assert found.direction == "second below first above it"
    assert found.sentence.startswith("The Transformer falls below the LSTM at 1,000,000 body parameters (95 % interval ")


def test_the_same_laws_the_other_way_round_cross_at_the_same_place() -> None:
    shallow, steep = law(levels(3.0, 0.01), np.full(NUM + 1, 0.04)), law(levels(3.05, 0.01, seed=1), np.full(NUM + 1, 0.10))
    one, other = compare(shallow, steep), compare(steep, shallow)
    assert (one.x_cross, one.low, one.high) == pytest.approx((other.x_cross, other.low, other.high))
    assert (one.direction, other.direction) == ("second below first above it", "first below second above it")


@pytest.mark.parametrize(
    ("first", "second", "verdict"), [(2.5, 3.0, "first is better throughout"), (3.0, 2.5, "second is better throughout")]
)
def test_a_law_that_is_lower_throughout_is_better(first: float, second: float, verdict: str) -> None:
    found = compare(law(levels(first, 0.01), np.full(NUM + 1, 0.06)), law(levels(second, 0.01, seed=1), np.full(NUM + 1, 0.06)))
    assert found.verdict == verdict
    assert (found.x_cross, found.low, found.high, found.direction) == (None, None, None, None)
    assert found.share_crossing_once == 0.0
    assert found.sentence.endswith("everywhere between 100,000 and 1e7 body parameters.")


def test_a_crossing_beyond_the_overlap_is_not_spoken_of() -> None:
    # They cross at 10^8 parameters.
    first, second = law(3.0 * np.ones(NUM + 1), np.full(NUM + 1, 0.04)), law(3.0 * 100**0.06 * np.ones(NUM + 1), np.full(NUM + 1, 0.10))
    assert compare(first, second).verdict == "first is better throughout"
    assert compare(first, second, overlap=(1e6, 1e9)).verdict == "crosses once"


def test_a_crossing_at_the_edge_of_the_overlap_is_undecided() -> None:
    first, second = law(levels(3.0, 0.01), np.full(NUM + 1, 0.04)), law(levels(3.0, 0.01, seed=1), np.full(NUM + 1, 0.10))
    found = compare(first, second, overlap=(1e6, 1e7))
    assert found.verdict == "undecided"
    assert found.share_crossing_once == pytest.approx(0.5, abs=0.1)
    assert (found.x_cross, found.low, found.high) == (None, None, None)
    assert found.direction == "second below first above it", "the share is of crossings in this direction"
    assert "cross exactly once, the Transformer falling below the LSTM, and 97.5 % are needed." in found.sentence


@pytest.mark.parametrize(("num_crossing", "verdict"), [(389, "undecided"), (391, "crosses once")])
def test_an_interval_needs_97_and_a_half_percent_of_the_replicates(num_crossing: int, verdict: str) -> None:
    alpha_R = np.where(np.arange(NUM + 1) <= num_crossing, 0.10, 0.04)
    level_R = np.where(np.arange(NUM + 1) <= num_crossing, 3.0, 3.5)
    assert compare(law(3.0 * np.ones(NUM + 1), np.full(NUM + 1, 0.04)), law(level_R, alpha_R)).verdict == verdict


def test_replicates_that_cross_the_other_way_do_not_count() -> None:
    alpha_R = np.where(np.arange(NUM + 1) % 10, 0.10, 0.01)
    alpha_R[0] = 0.10
    found = compare(law(3.0 * np.ones(NUM + 1), np.full(NUM + 1, 0.04)), law(3.0 * np.ones(NUM + 1), alpha_R))
    assert (found.verdict, found.share_crossing_once) == ("undecided", 0.9)


def test_replicates_that_cross_where_the_data_do_not_are_no_crossing() -> None:
    first_R, second_R = np.full(NUM + 1, 3.0), np.full(NUM + 1, 3.0)
    second_R[0] = 4.0
    found = compare(law(first_R, np.full(NUM + 1, 0.04)), law(second_R, np.full(NUM + 1, 0.10)))
    assert (found.verdict, found.share_crossing_once) == ("undecided", 1.0)
    assert found.sentence.endswith("cross exactly once, the Transformer falling below the LSTM, and the measured losses do not.")


@pytest.mark.filterwarnings("error")
def test_identical_laws_are_undecided() -> None:
    same = law(levels(3.0, 0.01), np.full(NUM + 1, 0.06))
    found = compare(same, same)
    assert (found.verdict, found.share_crossing_once) == ("undecided", 0.0)


@pytest.mark.parametrize("overlap", [None, (1e6, 1e6), (1e7, 1e6)])
def test_without_a_shared_range_nothing_is_said(overlap: tuple[float, float] | None) -> None:
    found = compare(law([3.0, 3.0], [0.04, 0.04]), law([3.0, 3.0], [0.10, 0.10]), overlap=overlap)
    assert (found.verdict, found.overlap, found.share_crossing_once) == ("no overlap", None, None)


def test_without_replicates_or_without_a_fit_it_is_undecided_and_says_why() -> None:
    one = law(3.0, 0.04)
    assert "without replicates" in compare(one, law(3.0, 0.10)).sentence
    # A law of two rows of a table has no scatter beside one of many rows; it is not known without error for that.
    many = law(levels(3.0, 0.01), np.full(NUM + 1, 0.10))
    for found in (compare(one, many), compare(many, one)):
        assert (found.verdict, found.low, found.high) == ("undecided", None, None)
        assert "without replicates" in found.sentence
    nothing = nothing_fitted("(N_c/N)^alpha", ("alpha", "n_c"), reason="one size only", num_points=1)
    found = compare(nothing, one)
    assert found.verdict == "undecided"
    assert found.sentence.endswith("the LSTM: one size only.")


@pytest.mark.parametrize("x", X_WORDS)
def test_the_entry_is_plain_json(x: str) -> None:
    first, second = law(levels(3.0, 0.01), np.full(NUM + 1, 0.04)), law(levels(3.0, 0.01, seed=1), np.full(NUM + 1, 0.10))
    entry = compare(first, second, x=x).entry()
    assert json.loads(json.dumps(entry)) == entry
    assert (entry["x"], entry["overlap"], entry["first_label"]) == (x, [1e5, 1e7], "the LSTM")
    assert X_WORDS[x] in entry["sentence"]
