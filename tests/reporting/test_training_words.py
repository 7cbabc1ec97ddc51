"""What is said of training: whose gap grew late, and from when on its interval excludes zero."""

from dataclasses import replace

from hf_ctxscale.analysis.estimates import Estimate, no_estimate
from hf_ctxscale.reporting.training_words import GapHistory, gap_sentences


def known(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 0.01, 0.95, 30)


GREW = GapHistory(
    name="a Transformer",
    tokens=(10_000, 100_000, 1_000_000),
    gaps=(known(-0.1, 0.1), known(0.01, 0.03), known(0.2, 0.4)),
    since=100_000,
    growth=known(0.1, 0.3),
    fallen=0.75,
)
FLAT = replace(GREW, name="an LSTM", gaps=(known(-0.1, 0.1),) * 3, growth=known(-0.05, 0.05))


def test_a_gap_that_grew_late_is_named_and_the_others_are_undecided() -> None:
    head, *_ = gap_sentences([GREW, FLAT], context_tokens=256)
    assert head.startswith("Long-range use was learned late by a Transformer: ")
    assert head.endswith("For the others shown here that is not decided.")
    (head, *_) = gap_sentences([GREW], context_tokens=256)
    assert "others" not in head


def test_where_no_growth_is_known_nothing_is_claimed() -> None:
    head, *_ = gap_sentences([FLAT], context_tokens=256)
    assert "for no model shown here is it decided" in head
    without = no_estimate("one document: no interval is possible", value=0.2, confidence=0.95, num_documents=1)
    assert len(gap_sentences([replace(GREW, growth=without)], context_tokens=256)) == 1


def test_a_run_says_its_gap_from_when_on_it_is_clear_and_how_it_grew() -> None:
    _, sentence = gap_sentences([GREW], context_tokens=256)
    assert sentence == (
        "a Transformer: at the end of training, loss at positions 17–32 minus loss at 129–256 is +0.300 [+0.200, +0.400] nats; its interval lies above 0 "
        "from 100K training tokens on (10 % of its training). From 100K tokens on, when the mean loss had made 75 % of its fall since the first validation, "
        "the gap changed by +0.200 [+0.100, +0.300] nats on the same targets."
    )


def test_an_interval_that_holds_zero_or_lies_below_it_is_said() -> None:
    _, sentence = gap_sentences([FLAT], context_tokens=256)
    assert "its interval holds 0" in sentence
    _, sentence = gap_sentences([replace(FLAT, gaps=(known(-0.3, -0.1),) * 3)], context_tokens=256)
    assert "its interval lies below 0" in sentence
    _, sentence = gap_sentences([replace(FLAT, gaps=(known(0.1, 0.3),) * 3)], context_tokens=256)
    assert "above 0 from the first validation on" in sentence


def test_one_document_or_one_validation_leaves_out_what_cannot_be_said() -> None:
    alone = no_estimate("one document: no interval is possible", value=0.2, confidence=0.95, num_documents=1)
    (sentence,) = gap_sentences([replace(GREW, gaps=(alone,), since=None, growth=None, fallen=None)], context_tokens=256)
    assert sentence.endswith("is +0.200 nats (one document: no interval is possible).")
