"""Reading a text token by token, against a loop that makes every prediction by a forward pass of its own."""

import math

import numpy as np
import pytest
import torch

from hf_ctxscale.analysis.text_losses import TokenByToken, why_not_subtracted
from hf_ctxscale.scoring.open_model import OpenedModel
from hf_ctxscale.scoring.token_by_token import score_text
from hf_ctxscale.study import UserError
from tests.scoring.read_along_models import TEXT, byte_fallback_tokenizer, byte_level_tokenizer, open_tiny


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory):
    return byte_level_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def _loss(opened: OpenedModel, bos_ids: tuple[int, ...], ids: list[int]) -> float:
    """Of the last id, from those before it."""
    before = [*bos_ids, *ids[:-1]]
    with torch.no_grad():
        logits = opened.model(torch.tensor([before])).logits[0, -1]
    return -torch.log_softmax(logits, dim=-1)[ids[-1]].item()


def _check(opened: OpenedModel, reading: TokenByToken) -> None:
    ids, bos, k = reading.token_ids.tolist(), reading.bos_ids, reading.short_context_tokens
    for index in range(len(ids)):
        full = int(reading.full_context_tokens[index])
        if index == 0 and not bos:
            assert math.isnan(reading.loss_full_nats[0])
            assert math.isnan(reading.loss_short_nats[0])
            continue
        assert reading.loss_full_nats[index] == pytest.approx(_loss(opened, bos, ids[index - full : index + 1]), abs=1e-9)
        assert reading.loss_short_nats[index] == pytest.approx(_loss(opened, bos, ids[max(0, index - k) : index + 1]), abs=1e-9)
    assert reading.loss_full_nats.dtype == reading.loss_short_nats.dtype == np.float64
    assert reading.text == TEXT


@pytest.mark.parametrize(
    ("model_type", "bos", "num_bos"),
    [("gpt2", "auto", 0), ("ctxscale_lstm", "none", 0), ("gpt2", "always", 1), ("ctxscale_lstm", "always", 1)],
)
def test_both_losses_equal_a_loop_over_single_predictions(byte_level, model_type, bos, num_bos):
    opened = open_tiny(model_type, byte_level)
    reading = score_text(opened, TEXT, short_context_tokens=5, bos=bos, batch_tokens=60)
    assert len(reading.bos_ids) == num_bos
    _check(opened, reading)
    np.testing.assert_array_equal(reading.full_context_tokens, np.arange(len(reading.pieces)))
    assert np.nanmax(np.abs(reading.gain_nats)) > 1e-3


@pytest.mark.parametrize(("bos", "bos_ids"), [("auto", (1, 2)), ("none", ())])
def test_what_a_tokenizer_puts_before_a_text_stands_before_every_context(bos, bos_ids):
    opened = open_tiny("llama", byte_fallback_tokenizer(("<s>", "</s>")))
    reading = score_text(opened, TEXT, short_context_tokens=3, bos=bos)
    assert reading.bos_ids == bos_ids
    _check(opened, reading)


@pytest.mark.parametrize("bos", ["none", "always"])
@pytest.mark.parametrize("num_positions", [8, 9, 12])
def test_a_text_beyond_the_models_limit_slides_and_every_token_sees_half_of_it(byte_level, num_positions, bos):
    opened = open_tiny("gpt2", byte_level, n_positions=num_positions)
    reading = score_text(opened, TEXT, short_context_tokens=3, bos=bos)
    _check(opened, reading)
    limit = num_positions - len(reading.bos_ids)
    num_before = np.arange(len(reading.pieces))
    assert reading.full_context_tokens.max() == limit
    assert (reading.full_context_tokens >= np.minimum(num_before, limit / 2)).all()
    assert (reading.full_context_tokens <= num_before).all()


def test_a_model_without_limit_reads_as_far_back_as_it_is_told(byte_level):
    opened = open_tiny("ctxscale_lstm", byte_level)
    assert opened.max_positions is None
    whole, cut = (score_text(opened, TEXT, short_context_tokens=4, context_tokens=context) for context in (None, 10))
    assert whole.full_context_tokens[-1] == len(whole.pieces) - 1
    assert cut.full_context_tokens.max() == 10
    _check(opened, cut)
    np.testing.assert_allclose(whole.loss_short_nats, cut.loss_short_nats, atol=1e-12)


def test_batches_change_nothing(byte_level):
    opened = open_tiny("gpt2", byte_level, n_positions=16)
    one, many = (score_text(opened, TEXT, short_context_tokens=4, batch_tokens=batch) for batch in (1, 10**6))
    np.testing.assert_allclose(one.loss_full_nats, many.loss_full_nats, atol=1e-12)
    np.testing.assert_allclose(one.loss_short_nats, many.loss_short_nats, atol=1e-12)


def test_tokens_whose_two_contexts_are_the_same_gain_exactly_nothing(byte_level):
    reading = score_text(open_tiny("gpt2", byte_level), TEXT, short_context_tokens=7)
    assert (reading.gain_nats[1:8] == 0).all()
    assert (reading.gain_nats[8:] != 0).all()


def test_readings_of_one_tokenizer_can_be_subtracted_and_of_two_cannot(byte_level):
    first, second, other = (
        score_text(open_tiny(model_type, tokenizer), TEXT)
        for model_type, tokenizer in (("gpt2", byte_level), ("ctxscale_lstm", byte_level), ("llama", byte_fallback_tokenizer()))
    )
    assert why_not_subtracted(first, second) is None
    assert "different tokenizers" in why_not_subtracted(first, other)


def test_progress_ends_at_its_total(byte_level):
    seen = []
    score_text(
        open_tiny("gpt2", byte_level, n_positions=16),
        TEXT,
        short_context_tokens=4,
        batch_tokens=50,
        show=lambda *counts: seen.append(counts),
    )
    assert seen[-1][0] == seen[-1][1]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize("bos", ["none", "always"])
@pytest.mark.parametrize(("text", "tokens"), [("", "0 tokens"), ("x", "1 token")])
def test_a_text_too_short_to_read_is_refused_in_words(byte_level, text, tokens, bos):
    with pytest.raises(
        UserError, match=rf"the text is {tokens} long for 'tiny-gpt2'; reading along takes 2 to 20,000: give a longer text\."
    ):
        score_text(open_tiny("gpt2", byte_level), text, bos=bos)


def test_two_tokens_are_enough(byte_level):
    reading = score_text(open_tiny("gpt2", byte_level), "xy")
    assert reading.pieces == ("x", "y")
    assert np.isfinite(reading.loss_full_nats).tolist() == [False, True]
    assert reading.gain_nats[1] == 0


def test_a_text_that_nobody_reads_to_its_end_is_refused_in_words(byte_level):
    with pytest.raises(UserError, match=r"the text is 20,001 tokens long .* give a shorter text"):
        score_text(open_tiny("gpt2", byte_level), "x" * 20_001)


def test_contexts_that_do_not_suit_the_model_are_refused_in_words(byte_level):
    opened = open_tiny("gpt2", byte_level, n_positions=16)
    with pytest.raises(
        UserError, match=r"a short context of 9 tokens does not suit 'tiny-gpt2'; allowed: 1 to 8, half of the full context\."
    ):
        score_text(opened, TEXT, short_context_tokens=9)
    with pytest.raises(UserError, match=r"a short context of 8 tokens .* allowed: 1 to 7"):
        score_text(opened, TEXT, short_context_tokens=8, bos="always")
    with pytest.raises(UserError, match=r"a full context of 17 tokens does not suit 'tiny-gpt2'; allowed: 2 to 16\."):
        score_text(opened, TEXT, context_tokens=17)
    with pytest.raises(UserError, match=r"a short context of 0 tokens does not suit 'tiny-ctxscale_lstm'; allowed: 1 or more\."):
        score_text(open_tiny("ctxscale_lstm", byte_level), TEXT, short_context_tokens=0)


def test_a_loss_that_is_not_finite_names_model_and_token(byte_level):
    opened = open_tiny("ctxscale_lstm", byte_level)
    with torch.no_grad():
        opened.model.get_input_embeddings().weight[byte_level("ran")["input_ids"][0]] = math.nan
    with pytest.raises(UserError, match=r"the loss of token 2 of the text is not finite under 'tiny-ctxscale_lstm'"):
        score_text(opened, "ran the cat")
