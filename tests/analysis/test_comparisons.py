"""Two models compared by document: known differences, other tokenizers, other text, few documents, and the file."""

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scored_models import ablation_from_excess, ablation_record, excess_until, scored_model, write_scored

from hf_ctxscale.analysis.byte_bins import BYTE_BINS
from hf_ctxscale.analysis.comparison import Comparison
from hf_ctxscale.analysis.comparisons import compare_scores, position_difference, write_comparisons
from hf_ctxscale.analysis.positions import PositionLosses, context_gain, log_bins, mean_loss, mean_statistic, paired_difference
from hf_ctxscale.analysis.scored import Scored
from hf_ctxscale.study import UserError

Maker = Callable[..., PositionLosses]
SLOPE = 0.4 * np.arange(1, 257.0) ** -0.5


@pytest.fixture
def pair(make_losses: Maker) -> tuple[Scored, Scored]:
    """Two models of one tokenizer: the first 0.1 nats better everywhere, and it gains up to 64 tokens of context, the second up to 16."""
    a = scored_model(make_losses(2.9 + SLOPE), model="a/model", reach_tokens=64)
    b = scored_model(make_losses(3.0 + SLOPE, noise_seed=2), model="b/model", reach_tokens=16)
    return a, b


def whole(comparisons: tuple[Comparison, ...]) -> dict[str, Comparison]:
    """What holds for the whole context, by quantity."""
    return {one.quantity: one for one in comparisons if one.tokens is None and one.bytes is None}


def other_tokenizer(scored: Scored) -> Scored:
    changes = {"tokens_fingerprint": "of another tokenizer", "tokenizer_fingerprint": "another"}
    return dataclasses.replace(scored, record=scored.record.model_copy(update=changes))


def test_a_known_difference_is_found_overall_in_every_bin_and_by_bytes(pair: tuple[Scored, Scored]) -> None:
    comparisons = compare_scores(*pair)
    overall = whole(comparisons)
    assert list(overall) == ["mean_loss", "bits_per_byte", "context_gain", "in_context_score", "effective_context"]
    assert overall["mean_loss"].measured.value == pytest.approx(-0.1, abs=0.001)
    assert overall["bits_per_byte"].measured.value == pytest.approx(-0.1 / math.log(2) / 3, abs=0.001)
    bins = [one for one in comparisons if one.tokens]
    assert [one.tokens for one in bins] == list(log_bins(256))
    by_bytes = [one for one in comparisons if one.bytes]
    assert {one.unit for one in bins} == {"nats per token"}
    assert {one.unit for one in by_bytes} == {"bits per byte"}
    for one in (overall["mean_loss"], overall["bits_per_byte"], *bins, *by_bytes):
        assert (one.verdict, one.reason) == ("lower", None)
        truth = -0.1 if one.unit == "nats per token" else -0.1 / math.log(2) / 3
        # Of thirty-odd 95 % intervals one or two miss; 4.5 standard errors are missed once in 10,000 times.
        assert abs(one.measured.value - truth) < 4.5 * one.measured.std_error


def test_numbers_are_those_of_paired_differences(pair: tuple[Scored, Scored]) -> None:
    a, b = pair
    overall = whole(compare_scores(a, b))
    assert overall["mean_loss"].measured == paired_difference(a.losses, b.losses, statistic=mean_statistic(1, 256))
    expected = paired_difference(a.losses, b.losses, statistic=mean_statistic(1, 256, per="byte"))
    got = overall["bits_per_byte"].measured
    assert (got.value, got.low, got.high) == pytest.approx((expected.value, expected.low, expected.high), rel=1e-12)
    gains = context_gain(a.losses).value - context_gain(b.losses).value
    assert overall["context_gain"].measured.value == pytest.approx(gains, abs=1e-12)
    assert position_difference(a, b, positions=(65, 128)) == paired_difference(a.losses, b.losses, statistic=mean_statistic(65, 128))


def test_a_pair_the_other_way_round_changes_every_sign(pair: tuple[Scored, Scored]) -> None:
    forth, back = compare_scores(*pair), compare_scores(*pair[::-1])
    for one, other in zip(forth, back, strict=True):
        if one.quantity == "effective_context" or not one.measured.has_interval:
            continue
        expected = (-other.measured.value, -other.measured.high, -other.measured.low)
        assert (one.measured.value, one.measured.low, one.measured.high) == pytest.approx(expected, abs=1e-12)
        assert (one.verdict, other.verdict) in (("lower", "higher"), ("higher", "lower"), ("undecided", "undecided"))


def test_the_order_of_documents_does_not_matter(pair: tuple[Scored, Scored]) -> None:
    a, b = pair
    turned = dataclasses.replace(b, losses=b.losses.rows(np.arange(30)[::-1]))
    assert whole(compare_scores(a, turned))["mean_loss"] == whole(compare_scores(a, b))["mean_loss"]


def test_a_model_against_itself_is_undecided(pair: tuple[Scored, Scored]) -> None:
    again = dataclasses.replace(pair[0], record=pair[0].record.model_copy(update={"score_id": "again"}))
    for one in compare_scores(pair[0], again):
        assert one.verdict == "undecided"
        if one.measured.has_interval and one.quantity != "effective_context":
            assert (one.measured.value, one.measured.low, one.measured.high) == (0.0, 0.0, 0.0)


def test_effective_contexts_are_compared_as_a_ratio(pair: tuple[Scored, Scored]) -> None:
    # The excess falls by 0.1 nats an octave, so it is 0.02 nats a fifth of an octave before the end of the gain, for both models.
    ratio = whole(compare_scores(*pair))["effective_context"]
    assert ratio.unit == "times"
    assert ratio.measured.low < 4.0 < ratio.measured.high
    assert (ratio.verdict, ratio.reason) == ("higher", None)


def test_a_model_that_still_gains_at_the_end_has_a_ratio_with_one_end_which_may_decide(
    maker: Any, pair: tuple[Scored, Scored], make_losses: Maker
) -> None:
    gains = scored_model(make_losses(2.9 + SLOPE), model="a/model", reach_tokens=256)
    for a, b, verdict in ((gains, pair[1], "higher"), (pair[1], gains, "lower"), (gains, gains, "undecided")):
        one = whole(compare_scores(a, b))["effective_context"]
        assert one.verdict == verdict
        assert math.isnan(one.measured.value)
        assert one.reason is not None
        assert "may still gain at 256 tokens of context" in one.reason
    for scored in (gains, pair[1]):
        maker.study.score_file(scored.record.score_id).parent.mkdir(parents=True)
        write_scored(maker.study, scored)
    low = whole(compare_scores(gains, pair[1]))["effective_context"].measured.low
    assert low > 256 / 16 * 0.8
    (line,) = (line for line in write_comparisons(maker.study, ["a/model", "b/model"]) if "effective context" in line)
    assert line.startswith(f"  effective context (95 % interval {low:.3f} times or more): higher, the first model may still gain")


def test_without_both_ablations_there_is_no_ratio(pair: tuple[Scored, Scored]) -> None:
    a, b = pair
    assert "effective_context" not in whole(compare_scores(a, dataclasses.replace(b, ablation=None)))


def test_ablations_of_other_documents_leave_the_ratio_undecided_and_the_rest_as_it_is(pair: tuple[Scored, Scored]) -> None:
    a, b = pair
    fewer = dataclasses.replace(b, ablation=ablation_from_excess(excess_until(16), num_documents=29))
    overall = whole(compare_scores(a, fewer))
    ratio = overall["effective_context"]
    assert ratio.verdict == "undecided"
    assert ratio.reason is not None
    assert "document" in ratio.reason
    assert math.isnan(ratio.measured.value)
    assert overall["mean_loss"] == whole(compare_scores(a, b))["mean_loss"]


def test_ablations_at_other_cuts_leave_the_ratio_undecided(pair: tuple[Scored, Scored]) -> None:
    a, b = pair
    other_cuts = ablation_record(cuts=(1, 2, 4, 8, 16, 32, 64, 192, 256))
    moved = dataclasses.replace(b, record=b.record.model_copy(update={"ablation": other_cuts}))
    ratio = whole(compare_scores(a, moved))["effective_context"]
    assert ratio.verdict == "undecided"
    assert ratio.reason is not None
    assert ratio.reason.startswith("the ablations cut the context at other lengths")


def test_models_of_different_tokenizers_are_compared_by_bytes_alone(pair: tuple[Scored, Scored]) -> None:
    a, b = pair[0], other_tokenizer(pair[1])
    comparisons = compare_scores(a, b)
    assert {one.quantity for one in comparisons} == {"bits_per_byte"}
    assert all(one.tokens is None for one in comparisons)
    assert [one.bytes for one in comparisons].count(None) == 1
    expected = paired_difference(a.losses, b.losses, statistic=mean_statistic(1, 256, per="byte"))
    assert comparisons[0].measured.value == pytest.approx(expected.value, rel=1e-12)


def test_positions_of_different_tokenizers_are_refused_with_the_reason(pair: tuple[Scored, Scored]) -> None:
    sentence = r"a/model and b/model have different tokenizers: .*another piece of text.*cannot be subtracted\. Compare bits per byte"
    with pytest.raises(UserError, match=sentence):
        position_difference(pair[0], other_tokenizer(pair[1]), positions=(1, 256))


def test_different_tokenizers_may_have_contexts_of_different_lengths(pair: tuple[Scored, Scored], make_losses: Maker) -> None:
    short = other_tokenizer(scored_model(make_losses(np.full(64, 3.0)), model="c/model"))
    comparisons = compare_scores(pair[0], short)
    assert comparisons[0].measured.has_interval
    reach = max(one.bytes[1] for one in comparisons if one.bytes)
    assert 100 < reach <= 3 * 64  # 64 tokens of 3 bytes: where only the longer context reaches, nothing is compared


def test_bytes_of_context_that_hold_other_text_for_each_model_are_not_compared(pair: tuple[Scored, Scored]) -> None:
    a, b = pair[0], other_tokenizer(pair[1])
    assert a.by_bytes is not None
    assert b.by_bytes is not None
    in_all = [one.bytes for one in compare_scores(a, b) if one.bytes]
    assert in_all == [BYTE_BINS[column] for column in np.flatnonzero(a.by_bytes.num_bytes.any(axis=0))]
    # In two bins the second model has text of half of its windows only.
    fewer = b.by_bytes.num_bytes.copy()
    columns = [BYTE_BINS.index(in_all[0]), BYTE_BINS.index(in_all[-1])]
    fewer[::2, columns] = 0
    half = dataclasses.replace(b, by_bytes=dataclasses.replace(b.by_bytes, num_bytes=fewer))
    assert [one.bytes for one in compare_scores(a, half) if one.bytes] == in_all[1:-1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"corpus": "another"}, "corpus is 'made-up' for one and 'another' for the other"),
        ({"split": "validation"}, "split is 'test' for one"),
        ({"windows": "start"}, "windows is 'within' for one"),
        ({"windows_seed": 7}, "windows_seed is 0 for one and 7"),
        ({"context_tokens": 128}, "context_tokens is 256 for one and 128"),
    ],
)
def test_scores_of_other_text_or_windows_are_refused(pair: tuple[Scored, Scored], changes: dict[str, Any], sentence: str) -> None:
    other = dataclasses.replace(pair[1], record=pair[1].record.model_copy(update=changes))
    with pytest.raises(UserError, match=sentence):
        compare_scores(pair[0], other)


def test_other_documents_or_other_tokens_of_them_are_refused(pair: tuple[Scored, Scored], make_losses: Maker) -> None:
    a, b = pair
    with pytest.raises(UserError, match=r"different documents \(29 and 30, 29 in common\)"):
        compare_scores(a, dataclasses.replace(b, losses=make_losses(2.9 + SLOPE, num_documents=30).rows(np.arange(29))))
    moved = dataclasses.replace(b.losses, num_bytes=b.losses.num_bytes + 1)
    with pytest.raises(UserError, match="on other tokens of them"):
        compare_scores(a, dataclasses.replace(b, losses=moved))


def test_few_documents_decide_nothing_and_still_give_numbers(make_losses: Maker) -> None:
    a, b = (
        scored_model(make_losses(level + SLOPE, num_documents=19), model=name, reach_tokens=reach, num_documents=19)
        for name, level, reach in (("a/model", 2.9, 64), ("b/model", 3.0, 16))
    )
    overall = whole(compare_scores(a, b))
    for quantity in ("mean_loss", "bits_per_byte", "context_gain", "effective_context"):
        one = overall[quantity]
        assert one.verdict == "undecided"
        assert one.reason is not None
        assert one.reason.startswith("19 documents; an interval from fewer than 20")
        assert one.measured.has_interval
    assert overall["in_context_score"].reason == "needs a context of 512 tokens or more; this one has 256"


def test_one_end_from_few_documents_decides_nothing(make_losses: Maker) -> None:
    a, b = (
        scored_model(make_losses(3.0 + SLOPE, num_documents=19), model=name, reach_tokens=reach, num_documents=19)
        for name, reach in (("a/model", 256), ("b/model", 16))
    )
    ratio = whole(compare_scores(a, b))["effective_context"]
    assert ratio.measured.low > 1
    assert (ratio.verdict, ratio.reason) == ("undecided", "19 documents; an interval from fewer than 20 is not to be relied on")


def test_comparisons_are_written_and_said(maker: Any, pair: tuple[Scored, Scored], make_losses: Maker) -> None:
    other = other_tokenizer(scored_model(make_losses(3.0 + SLOPE), model="c/model", bytes_rule="approximate"))
    elsewhere = scored_model(make_losses(3.0 + SLOPE), model="d/model", corpus="another")
    for scored, name in zip((*pair, other, elsewhere), "abcd", strict=True):
        maker.study.score_file(name).parent.mkdir(parents=True)
        record = scored.record.model_copy(update={"score_id": name})
        write_scored(maker.study, dataclasses.replace(scored, record=record))
    lines = write_comparisons(maker.study, ["a", "b", "c", "d"])
    written = json.loads((maker.study.results / "comparisons.json").read_text())
    assert [(one["a"], one["b"], one["one_tokenizer"]) for one in written["pairs"]] == [
        ("a", "b", True),
        ("a", "c", False),
        ("a", "d", True),
        ("b", "c", False),
        ("b", "d", True),
        ("c", "d", False),
    ]
    assert [one["bytes_rule"] for one in written["pairs"]] == ["exact", "approximate", "exact", "approximate", "exact", "approximate"]
    first = written["pairs"][0]["comparisons"][0]
    difference = mean_loss(pair[0].losses).value - mean_loss(pair[1].losses).value
    assert first["value"] == pytest.approx(difference, rel=1e-9)
    assert (first["quantity"], first["verdict"], first["tokens"], first["num_documents"]) == ("mean_loss", "lower", None, 30)
    assert written["pairs"][2]["comparisons"] == []
    assert "corpus is 'made-up' for one and 'another' for the other" in written["pairs"][2]["refused"]
    assert lines[0] == "a/model against b/model (the first minus the second), 30 documents"
    numbers = f"{first['value']:+.3f} nats per token (95 % interval {first['low']:+.3f} to {first['high']:+.3f})"
    assert lines[1] == f"  mean loss {numbers}: lower"
    assert lines[2].startswith("  mean loss -0.0")
    assert " bits per byte (95 % interval " in lines[2]
    assert lines[4] == "  in-context score: undecided, needs a context of 512 tokens or more; this one has 256"
    assert any(line.startswith("a/model and d/model are not compared: ") for line in lines)


def test_one_score_has_nothing_to_be_compared_with(maker: Any, make_losses: Maker) -> None:
    maker.add_score("one", make_losses(np.full(8, 3.0)), run_id=None)
    assert write_comparisons(maker.study, ["one", "one"]) == ()
    assert not maker.study.results.exists()
