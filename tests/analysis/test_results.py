"""The result tables of a made-up study folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hf_ctxscale.analysis.positions import PositionLosses, bits_per_byte, context_gain, load_losses, log_bins, loss_curve, mean_loss
from hf_ctxscale.analysis.results import build_results
from hf_ctxscale.columns import ABLATION_SCHEMA, BYTES_SCHEMA, CURVES_SCHEMA, POSITIONS_SCHEMA, RUNS_SCHEMA
from hf_ctxscale.files import read_table
from hf_ctxscale.study import Study, UserError

Maker = Callable[..., PositionLosses]


def rows_of(study: Study, table: Any) -> list[dict[str, Any]]:
    return read_table(study.results_file(table)).to_pylist()


def test_tables_have_the_schemas_of_the_study(figure: Any) -> None:
    build_results(figure.study)
    expected: dict[Any, pa.Schema] = {
        "runs": RUNS_SCHEMA,
        "curves": CURVES_SCHEMA,
        "positions": POSITIONS_SCHEMA,
        "bytes": BYTES_SCHEMA,
        "ablation": ABLATION_SCHEMA,
    }
    for name, schema in expected.items():
        assert read_table(figure.study.results_file(name)).schema.equals(schema)
    assert len(rows_of(figure.study, "runs")) == 9
    assert len(rows_of(figure.study, "curves")) == 9 * 256
    assert len(rows_of(figure.study, "positions")) == 9 * len(log_bins(256))
    assert rows_of(figure.study, "bytes") == rows_of(figure.study, "ablation") == []  # no score measured them


def test_numbers_are_those_of_analysis_positions(figure: Any) -> None:
    build_results(figure.study)
    losses = load_losses(figure.study.losses_file("score-gpt2-2-75000-s0"))
    (run,) = [row for row in rows_of(figure.study, "runs") if row["run_id"] == "gpt2-2-75000-s0"]
    for name, estimate in (
        ("loss_nats", mean_loss(losses)),
        ("bits_per_byte", bits_per_byte(losses)),
        ("context_gain_nats", context_gain(losses)),
    ):
        assert (run[name], run[f"{name}_low"], run[f"{name}_high"]) == (estimate.value, estimate.low, estimate.high)
    assert (run["num_documents"], run["num_tokens"]) == (30, int(losses.num_tokens.sum()))
    assert (run["body_params"], run["total_params"], run["train_flops"]) == (75_002, 76_002, 6e6 * 75_000)
    curve = [row for row in rows_of(figure.study, "curves") if row["run_id"] == "gpt2-2-75000-s0"]
    assert [row["context_position"] for row in curve] == list(range(1, 257))
    assert [row["loss_nats"] for row in curve] == loss_curve(losses).tolist()
    bins = [row for row in rows_of(figure.study, "positions") if row["run_id"] == "gpt2-2-75000-s0"]
    assert [(row["position_from"], row["position_to"]) for row in bins] == list(log_bins(256))
    for row in bins:
        estimate = mean_loss(losses, positions=(row["position_from"], row["position_to"]))
        assert (row["loss_nats"], row["loss_low"], row["loss_high"]) == (estimate.value, estimate.low, estimate.high)
    assert sum(row["num_tokens"] for row in bins) == run["num_tokens"]


def test_what_was_not_measured_is_null(figure: Any) -> None:
    build_results(figure.study)
    for row in rows_of(figure.study, "runs"):
        for name in ("effective_context", "icl_score"):  # no ablation; a context of 256
            assert [row[f"{name}{end}"] for end in ("", "_low", "_high")] == [None, None, None]
        assert row["effective_context_censored"] is None


@pytest.mark.parametrize("state", ["failed", "training", "waiting"])
def test_a_run_that_did_not_finish_is_a_row_with_its_state_and_no_numbers(figure: Any, state: str) -> None:
    reason = "the loss is not finite" if state == "failed" else None
    figure.add_run("lstm-4-25000-s0", "lstm", 4, 25_000, state=state, reason=reason)
    build_results(figure.study)
    (row,) = [row for row in rows_of(figure.study, "runs") if row["run_id"] == "lstm-4-25000-s0"]
    assert (row["state"], row["reason"], row["body_params"], row["learning_rate"]) == (state, reason, 25_004, 1e-3)
    known = {
        "run_id",
        "model",
        "state",
        "reason",
        "architecture",
        "num_layers",
        "hidden_size",
        "seed",
        "body_params",
        "total_params",
        "learning_rate",
    }
    assert {name for name, value in row.items() if value is not None} == known - ({"reason"} if reason is None else set())


def test_an_old_score_of_a_run_that_failed_later_gives_no_numbers(maker: Any, make_losses: Maker) -> None:
    maker.add("lstm", 1, 25_000, np.full(256, 3.0), state="failed", reason="the loss is not finite")
    build_results(maker.study)
    (row,) = rows_of(maker.study, "runs")
    assert (row["state"], row["score_id"], row["loss_nats"]) == ("failed", None, None)
    assert rows_of(maker.study, "curves") == []


def test_a_finished_run_without_a_score_is_a_row_without_losses(maker: Any) -> None:
    maker.add_run("lstm-1", "lstm", 1, 25_000)
    build_results(maker.study)
    (row,) = rows_of(maker.study, "runs")
    assert (row["state"], row["train_tokens"], row["score_id"], row["loss_nats"]) == ("finished", 1_000_000, None, None)


def test_a_model_from_elsewhere_is_a_row_with_empty_training_columns(figure: Any, make_losses: Maker) -> None:
    figure.add_score("hub", make_losses(np.full(512, 3.0)), run_id=None)
    build_results(figure.study)
    row = rows_of(figure.study, "runs")[-1]
    assert (row["run_id"], row["score_id"], row["model"], row["state"], row["body_params"]) == (None, "hub", "someone/model", None, None)
    assert row["icl_score"] == pytest.approx(0.0, abs=0.01)
    assert len([r for r in rows_of(figure.study, "curves") if r["score_id"] == "hub"]) == 512


def test_scores_of_checkpoints_on_the_way_are_not_mixed_in(maker: Any, make_losses: Maker) -> None:
    maker.add("lstm", 1, 25_000, np.full(8, 3.0))
    maker.add_score("early", make_losses(np.full(8, 5.0)), run_id="lstm-1-25000-s0", training_step=100)
    maker.add_score("last", make_losses(np.full(8, 3.0)), run_id="lstm-1-25000-s0", training_step=500)
    build_results(maker.study)
    assert [row["score_id"] for row in rows_of(maker.study, "runs")] == ["last", "score-lstm-1-25000-s0"]


def test_one_document_gives_losses_without_intervals(maker: Any) -> None:
    maker.add("lstm", 1, 25_000, np.full(8, 3.0), losses={"num_documents": 1})
    build_results(maker.study)
    (row,) = rows_of(maker.study, "runs")
    assert row["loss_nats"] is not None
    assert (row["loss_nats_low"], row["loss_nats_high"], row["num_documents"]) == (None, None, 1)


def test_an_empty_study_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no runs and no scores"):
        build_results(Study(tmp_path / "nothing"))
    assert not (tmp_path / "nothing").exists()
