"""The result tables of scores with bytes and ablations, of models from elsewhere, and of runs scored in several ways."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scored_models import CUTS, scored_model, write_scored

from hf_ctxscale.analysis.byte_bins import BYTE_BINS
from hf_ctxscale.analysis.effective_context import effective_context
from hf_ctxscale.analysis.positions import Estimate, PositionLosses, Statistic, bits_per_byte, estimate, mean_loss
from hf_ctxscale.analysis.results import build_results
from hf_ctxscale.analysis.scored import Scored
from hf_ctxscale.files import read_table
from hf_ctxscale.records import ParameterGroups
from hf_ctxscale.study import Study

Maker = Callable[..., PositionLosses]
SLOPE = 0.4 * np.arange(1, 257.0) ** -0.5


def rows_of(study: Study, table: Any) -> list[dict[str, Any]]:
    return read_table(study.results_file(table)).to_pylist()


def built(study: Study, scored: Scored) -> Scored:
    """Writes a score and builds the tables."""
    study.score_file(scored.record.score_id).parent.mkdir(parents=True)
    write_scored(study, scored)
    build_results(study)
    return scored


def numbers(of: Estimate) -> tuple[float, float, float]:
    return (of.value, of.low, of.high)


def test_an_ablation_has_a_row_per_cut_with_loss_and_excess(maker: Any, make_losses: Maker) -> None:
    scored = built(maker.study, scored_model(make_losses(3.0 + SLOPE), model="hub", reach_tokens=64))
    assert scored.ablation is not None
    rows = rows_of(maker.study, "ablation")
    assert [row["context_tokens"] for row in rows] == list(CUTS)
    assert [(row["context_from"], row["context_to"]) for row in rows[-2:]] == [(128, 144), (256, 256)]
    assert {(row["run_id"], row["score_id"], row["num_documents"]) for row in rows} == {(None, "hub", 30)}
    for column, row in enumerate(rows, start=1):
        assert (row["loss_nats"], row["loss_low"], row["loss_high"]) == numbers(mean_loss(scored.ablation, positions=(column, column)))
        assert row["context_bytes"] == pytest.approx(3 * row["context_tokens"])
        assert row["num_tokens"] == scored.ablation.num_tokens[:, column - 1].sum()
        statistic = Statistic(((column, column), (len(CUTS), len(CUTS))), (1.0, -1.0))
        alone = estimate(scored.ablation, statistic=statistic)
        assert row["excess_nats"] == pytest.approx(alone.value, abs=1e-12)
        if column < len(CUTS):  # simultaneous limits lie outside those of one cut alone
            assert row["excess_low"] < alone.low < alone.high < row["excess_high"]
    assert (rows[-1]["excess_nats"], rows[-1]["excess_low"], rows[-1]["excess_high"]) == (0.0, 0.0, 0.0)


def test_effective_context_is_that_of_the_ablation(maker: Any, make_losses: Maker) -> None:
    scored = built(maker.study, scored_model(make_losses(3.0 + SLOPE), model="hub", reach_tokens=64))
    assert scored.ablation is not None
    expected = effective_context(scored.ablation, cuts=CUTS)
    (row,) = rows_of(maker.study, "runs")
    got = [row[f"effective_context{end}"] for end in ("", "_low", "_high")]
    assert got == [expected.tokens, expected.low, expected.high]
    assert row["effective_context_censored"] is False
    # 0.1 nats an octave until 64 tokens: 0.02 nats are left a fifth of an octave before.
    assert row["effective_context"] == pytest.approx(64 * 2**-0.2, rel=0.1)
    assert row["effective_context_low"] <= row["effective_context"] <= row["effective_context_high"]


def test_a_model_that_gains_to_the_end_is_marked_as_censored(maker: Any, make_losses: Maker) -> None:
    built(maker.study, scored_model(make_losses(3.0 + SLOPE), model="hub", reach_tokens=256))
    (row,) = rows_of(maker.study, "runs")
    assert row["effective_context_censored"] is True
    assert (row["effective_context"], row["effective_context_high"]) == (256, 256)


def test_documents_without_a_target_are_no_clusters_of_the_ablation(maker: Any, make_losses: Maker) -> None:
    scored = scored_model(make_losses(3.0 + SLOPE), model="with", reach_tokens=64)
    assert scored.ablation is not None
    arrays = {
        name: np.concatenate([np.zeros((5, len(CUTS)), getattr(scored.ablation, name).dtype), getattr(scored.ablation, name)])
        for name in ("num_tokens", "num_bytes", "loss_sum_nats")
    }
    more = dataclasses.replace(
        scored.ablation,
        documents=(*(f"short-{d}" for d in range(5)), *scored.ablation.documents),
        num_blocks=np.concatenate([np.zeros(5, np.int64), scored.ablation.num_blocks]),
        **arrays,
    )
    record = scored.record.model_copy(update={"score_id": "padded"})
    built(maker.study, scored)
    built(maker.study, dataclasses.replace(scored, record=record, ablation=more))
    rows = rows_of(maker.study, "ablation")
    half = len(rows) // 2
    assert [{**row, "score_id": ""} for row in rows[:half]] == [{**row, "score_id": ""} for row in rows[half:]]
    padded, plain = rows_of(maker.study, "runs")
    for end in ("", "_low", "_high"):
        assert padded[f"effective_context{end}"] == plain[f"effective_context{end}"]


def test_bytes_of_context_have_a_row_per_bin_that_holds_targets(maker: Any, make_losses: Maker) -> None:
    scored = built(maker.study, scored_model(make_losses(3.0 + SLOPE), model="hub"))
    assert scored.by_bytes is not None
    rows = rows_of(maker.study, "bytes")
    assert rows[0]["bytes_from"] == 3  # one token of three bytes
    assert rows[-1]["bytes_to"] >= 3 * 256
    assert sum(row["num_bytes"] for row in rows) == scored.losses.num_bytes.sum()
    for row in rows:
        column = BYTE_BINS.index((row["bytes_from"], row["bytes_to"])) + 1
        expected = bits_per_byte(scored.by_bytes, positions=(column, column))
        assert (row["bits_per_byte"], row["bits_per_byte_low"], row["bits_per_byte_high"]) == numbers(expected)
        assert row["num_documents"] == 30


def test_where_bytes_are_not_known_there_are_none(maker: Any, make_losses: Maker) -> None:
    scored = scored_model(make_losses(3.0 + SLOPE), model="hub", reach_tokens=64)
    unknown = dataclasses.replace(scored.losses, num_bytes=np.zeros_like(scored.losses.num_bytes))
    built(maker.study, dataclasses.replace(scored, losses=unknown, by_bytes=None))
    assert rows_of(maker.study, "bytes") == []
    assert {row["context_bytes"] for row in rows_of(maker.study, "ablation")} == {None}
    (row,) = rows_of(maker.study, "runs")
    assert row["bits_per_byte"] is None


def test_a_model_from_elsewhere_has_the_sizes_of_its_record(maker: Any, make_losses: Maker) -> None:
    params = ParameterGroups(token_embedding=100, position_embedding=20, output_head=0, body=3000)
    sizes = {"num_layers": 4, "hidden_size": 32, "params": params, "model_type": "llama"}
    maker.add_score("hub", make_losses(np.full(8, 3.0)), run_id=None, **sizes)
    build_results(maker.study)
    (row,) = rows_of(maker.study, "runs")
    assert (row["model"], row["architecture"], row["state"], row["train_tokens"]) == ("someone/model", None, None, None)
    assert (row["num_layers"], row["hidden_size"], row["body_params"], row["total_params"]) == (4, 32, 3000, 3120)


def test_a_run_scored_in_several_ways_has_the_main_way_first(maker: Any, make_losses: Maker) -> None:
    maker.add_run("lstm-1", "lstm", 1, 25_000)
    for score_id, changes in (("a", {"carry_state": True}), ("b", {"windows": "start"}), ("c", {})):
        maker.add_score(score_id, make_losses(np.full(8, 3.0)), run_id="lstm-1", **changes)
    build_results(maker.study)
    assert [row["score_id"] for row in rows_of(maker.study, "runs")] == ["c", "a", "b"]
