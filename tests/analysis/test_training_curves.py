"""Validation curves over training: known gaps and growth, moments, and files that are not such tables."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_ctxscale.analysis.estimates import Estimate, no_estimate
from hf_ctxscale.analysis.positions import log_bins
from hf_ctxscale.analysis.training_curves import (
    TrainingCurves,
    clear_from,
    context_gap,
    gap_growth,
    gap_obstacle,
    load_training_curves,
    losses_by_position,
)
from hf_ctxscale.study import UserError
from tests.made_up_training import STEPS, TOKENS_PER_STEP, write_training_curves

GAPS = (0.0, 0.02, 0.3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "validation_curves.parquet"
    write_training_curves(path, gaps=GAPS)
    return path


@pytest.fixture
def curves(path: Path) -> TrainingCurves:
    found = load_training_curves(path)
    assert found is not None
    return found


def test_moments_come_in_order_with_the_tokens_trained_on_by_then(curves: TrainingCurves) -> None:
    assert [(moment.step, moment.tokens) for moment in curves.moments] == [(step, step * TOKENS_PER_STEP) for step in STEPS]
    assert curves.context_tokens == 256
    assert curves.after(TOKENS_PER_STEP * STEPS[0] - 1) is None
    assert curves.after(TOKENS_PER_STEP * STEPS[1]) is curves.moments[1]
    assert curves.after(TOKENS_PER_STEP * STEPS[2] - 1) is curves.moments[1]


def test_the_gap_of_each_moment_is_the_one_that_was_put_in(curves: TrainingCurves) -> None:
    for moment, gap in zip(curves.moments, GAPS, strict=True):
        found = context_gap(curves, moment)
        assert found.value == pytest.approx(gap, abs=0.005)
        assert found.low < found.value < found.high
        assert found.num_documents == 30


def test_the_gap_is_the_mean_over_all_tokens_early_minus_late(path: Path, curves: TrainingCurves) -> None:
    table = pq.read_table(path)
    bins = json.loads(table.schema.metadata[b"bins"])
    early, late = ([w for w, (first, last) in enumerate(bins) if first >= low and last <= high] for low, high in ((17, 32), (129, 256)))
    rows = [row for row in table.to_pylist() if row["step"] == STEPS[2]]
    sums, counts = (np.array([row[name] for row in rows]) for name in ("loss_sum_nats", "num_tokens"))
    plain = sums[:, early].sum() / counts[:, early].sum() - sums[:, late].sum() / counts[:, late].sum()
    assert context_gap(curves, curves.moments[2]).value == pytest.approx(plain, rel=1e-12)


def test_growth_is_paired_by_document_and_subtracts_the_earlier_moment(curves: TrainingCurves) -> None:
    growth = gap_growth(curves, since=curves.moments[1], until=curves.moments[2])
    early, late = (context_gap(curves, moment).value for moment in curves.moments[1:])
    assert growth.value == pytest.approx(late - early, rel=1e-12)
    assert growth.low > 0


def test_losses_by_position_are_in_the_log_bins_of_all_other_charts(curves: TrainingCurves) -> None:
    found = losses_by_position(curves, curves.moments[0])
    assert tuple(window for window, _ in found) == log_bins(256)
    assert all(loss.low < loss.value < loss.high for _, loss in found)


def test_a_context_too_short_for_the_gap_says_so_and_still_has_positions(tmp_path: Path) -> None:
    path = tmp_path / "short.parquet"
    write_training_curves(path, gaps=GAPS, context_tokens=32)
    curves = load_training_curves(path)
    assert curves is not None
    assert gap_obstacle(curves.context_tokens) == "early and late positions are told apart from a context of 64 tokens on; this one has 32"
    assert gap_obstacle(64) is None
    assert losses_by_position(curves, curves.moments[0])[-1][0][1] == 32


def known(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 0.01, 0.95, 30)


def test_a_gap_is_clear_from_the_first_moment_after_which_no_interval_holds_zero() -> None:
    over, holds = known(0.1, 0.2), known(-0.1, 0.2)
    assert clear_from([over, holds, over, over]) == 2
    assert clear_from([over, over]) == 0
    assert clear_from([over, holds]) is None
    assert clear_from([over, no_estimate("one document", value=0.3, confidence=0.95, num_documents=1)]) is None


def test_a_run_without_the_file_has_no_curves(tmp_path: Path) -> None:
    assert load_training_curves(tmp_path / "none.parquet") is None


@pytest.mark.parametrize(
    ("bins", "what"),
    [
        (None, "bins"),
        ([], "cover the positions once"),
        ([[1, 4], [6, 256]], "cover the positions once"),
        ([[1, 256]], "has not the 1 values"),
        (17, "not iterable"),
    ],
)
def test_a_file_whose_bins_are_not_told_or_do_not_fit_is_refused(path: Path, bins: object, what: str) -> None:
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata(None if bins is None else {b"bins": json.dumps(bins)}), path)
    with pytest.raises(UserError, match=f"not a table of validation curves .*{what}.*train the run again"):
        load_training_curves(path)


@pytest.mark.parametrize("broken", ["text", "other columns", "no rows", "other documents", "twice", "not finite"])
def test_a_broken_file_is_a_sentence_that_names_it(path: Path, broken: str) -> None:
    table = pq.read_table(path)
    if broken == "text":
        path.write_text("no parquet")
    else:
        losses = pa.array([[float("nan")] * len(row) for row in table["loss_sum_nats"].to_pylist()], table.schema.field(4).type)
        pq.write_table(
            {
                "other columns": table.drop_columns(["tokens"]),
                "no rows": table.slice(0, 0),
                "other documents": table.slice(1),
                "twice": pa.concat_tables([table, table.slice(0, 1)]),
                "not finite": table.set_column(4, table.schema.field(4), losses),
            }[broken],
            path,
        )
    with pytest.raises(UserError, match=r"validation_curves\.parquet.*train the run again"):
        load_training_curves(path)
