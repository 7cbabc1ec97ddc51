"""Means of a text that was read token by token, and which two readings may be subtracted."""

import math
from dataclasses import replace

import numpy as np
import pytest

from hf_ctxscale.analysis.text_losses import TokenByToken, difference_nats, text_means, why_not_subtracted
from hf_ctxscale.study import UserError

READING = TokenByToken(
    model="one",
    tokenizer_fingerprint="a",
    pieces=("The", " ca", "t ", "é", "", "s"),
    token_ids=np.array([5, 6, 7, 8, 9, 10]),
    num_bytes=np.array([3, 3, 2, 1, 1, 1]),
    full_context_tokens=np.arange(6),
    loss_full_nats=np.array([math.nan, 1.0, 2.0, 3.0, 4.0, 1.0]),
    loss_short_nats=np.array([math.nan, 1.0, 2.0, 3.5, 5.0, 0.0]),
    short_context_tokens=2,
    bos_ids=(),
)


def test_means_are_over_predicted_tokens_and_the_gain_over_those_whose_contexts_differ():
    means = text_means(READING)
    assert (means.num_predicted, means.num_longer) == (5, 3)
    assert means.loss_full_nats == pytest.approx(11 / 5)
    assert means.loss_short_nats == pytest.approx(11.5 / 5)
    assert means.bits_per_byte_full == pytest.approx(11 / math.log(2) / 8), "the bytes of the token that was not predicted do not count"
    assert means.bits_per_byte_short == pytest.approx(11.5 / math.log(2) / 8)
    assert means.gain_nats == pytest.approx((0.5 + 1.0 - 1.0) / 3)


def test_there_is_no_gain_where_no_token_has_a_longer_context():
    means = text_means(replace(READING, short_context_tokens=5))
    assert means.num_longer == 0
    assert math.isnan(means.gain_nats)


def test_models_of_one_tokenizer_are_subtracted_token_by_token():
    other = replace(READING, model="other", loss_full_nats=READING.loss_full_nats - 0.25)
    assert why_not_subtracted(READING, other) is None
    np.testing.assert_allclose(difference_nats(READING, other), [math.nan, 0.25, 0.25, 0.25, 0.25, 0.25])


@pytest.mark.parametrize(
    "change",
    [
        {"tokenizer_fingerprint": "b"},
        {"token_ids": READING.token_ids + 1},
        {"pieces": ("The", " cat ", "és"), "token_ids": np.array([5, 6, 7])},
    ],
)
def test_models_of_different_tokenizers_are_not_subtracted_and_the_reason_is_said(change):
    other = replace(READING, model="other", **change)
    sentence = rf"different tokenizers \(6 and {len(other.pieces)} tokens here\): .* no token's loss can be subtracted .* Bits per byte compare them"
    with pytest.raises(UserError, match=sentence):
        difference_nats(READING, other)


def test_different_texts_are_refused():
    with pytest.raises(UserError, match="'one' and 'other' were given different texts; two models are compared on one text"):
        why_not_subtracted(READING, replace(READING, model="other", pieces=("x", *READING.pieces[1:])))
