"""Windows that begin in the state of the document so far, against predictions that each read the whole document anew; and what is refused."""

import numpy as np
import pytest
import torch
from small_windows import END_OF_TEXT, VOCAB_SIZE, choose, loss_of_next, num_bytes_by_id, random_split, split_of, tiny_model

from hf_ctxscale.scoring.carried_state import score_carried
from hf_ctxscale.scoring.score_model import score_windows
from hf_ctxscale.scoring.token_losses import TokenLosses
from hf_ctxscale.study import UserError

CONTEXT = 8
SPLIT = random_split([70, 5, 31, 120, 18])
WINDOWS = choose("within", SPLIT, CONTEXT)
BOS = (VOCAB_SIZE - 1,)
# Largest difference of a sum of losses: rwkv's state and all of xlstm and mamba2 are in float32 whatever the weights are in.
RECURRENT = {"ctxscale_lstm": 1e-9, "rwkv": 1e-4, "xlstm": 1e-4, "mamba2": 1e-4}


def _measure(score, model, windows=WINDOWS, *, split=SPLIT, **options):
    given = {"documents": split.documents, "num_bytes_by_id": num_bytes_by_id(), "batch_blocks": 2, "name": "tiny"}
    return score(TokenLosses(model), windows, **{**given, **options})


def _by_loop(model, windows, *, bos_ids=()):
    """Sums by document and position; every prediction is a forward pass over the document from its first token on."""
    sums = np.zeros((len(SPLIT.documents), windows.context_tokens))
    for start, document in zip(windows.starts, windows.document_indices, strict=True):
        for t in range(1, windows.context_tokens + 1):
            read = SPLIT.tokens[SPLIT.first_token[document] : start + t]
            sums[document, t - 1] += loss_of_next(model, [*bos_ids, *read.tolist()], int(SPLIT.tokens[start + t]))
    return sums[np.unique(windows.document_indices)]


@pytest.mark.parametrize("bos_ids", [(), BOS])
@pytest.mark.parametrize("model_type", RECURRENT)
def test_losses_are_those_of_reading_the_whole_document(model_type, bos_ids):
    model = tiny_model(model_type)
    carried = _measure(score_carried, model, bos_ids=bos_ids).by_position
    gaps = np.diff(WINDOWS.starts)[np.diff(WINDOWS.document_indices) == 0] - CONTEXT
    assert gaps.max() > CONTEXT, "the test needs a gap that is longer than a window"
    assert gaps.min() == 0, "and windows without one"
    assert carried.documents == ("d0", "d2", "d3", "d4")
    np.testing.assert_allclose(carried.loss_sum_nats, _by_loop(model, WINDOWS, bos_ids=bos_ids), atol=RECURRENT[model_type], rtol=0)


@pytest.mark.parametrize("context_tokens", [1, 2, 3])
def test_the_shortest_contexts_are_carried_too(context_tokens):
    model = tiny_model("ctxscale_lstm")
    windows = choose("within", SPLIT, context_tokens)
    carried = _measure(score_carried, model, windows).by_position
    np.testing.assert_allclose(carried.loss_sum_nats, _by_loop(model, windows), atol=1e-9, rtol=0)


@pytest.mark.parametrize("model_type", RECURRENT)
def test_the_state_of_the_document_matters(model_type):
    model = tiny_model(model_type)
    carried, fresh = (_measure(score, model).by_position for score in (score_carried, score_windows))
    assert np.abs(carried.loss_sum_nats - fresh.loss_sum_nats)[:, 0].min() > 0.01


@pytest.mark.parametrize("bos_ids", [(), BOS])
@pytest.mark.parametrize("model_type", RECURRENT)
def test_a_window_at_the_documents_beginning_begins_fresh(model_type, bos_ids):
    windows = choose("within", SPLIT, CONTEXT, max_windows_per_document=1)
    windows.starts = SPLIT.first_token[windows.document_indices]
    model = tiny_model(model_type)
    carried, fresh = (_measure(score, model, windows, bos_ids=bos_ids) for score in (score_carried, score_windows))
    np.testing.assert_allclose(carried.by_position.loss_sum_nats, fresh.by_position.loss_sum_nats, atol=RECURRENT[model_type], rtol=0)
    np.testing.assert_allclose(carried.by_bytes.loss_sum_nats, fresh.by_bytes.loss_sum_nats, atol=RECURRENT[model_type], rtol=0)


def test_targets_are_the_same_as_without_a_carried_state():
    carried, fresh = (_measure(score, tiny_model("ctxscale_lstm")) for score in (score_carried, score_windows))
    for one, other in zip(carried, fresh, strict=True):
        assert one.documents == other.documents
        for name in ("num_blocks", "num_tokens", "num_bytes"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("bos_ids", [(), BOS, (END_OF_TEXT, *BOS)])
def test_every_document_is_read_once_and_bos_stands_before_it_alone(bos_ids):
    model = tiny_model("ctxscale_lstm")
    rows = []
    model.register_forward_pre_hook(lambda module, args, kwargs: rows.append(kwargs["input_ids"][0].tolist()), with_kwargs=True)
    _measure(score_carried, model, bos_ids=bos_ids)
    # Up to the last input of its last window.
    expected = []
    for document in np.unique(WINDOWS.document_indices):
        end = WINDOWS.starts[WINDOWS.document_indices == document].max() + CONTEXT
        expected += [*bos_ids, *SPLIT.tokens[SPLIT.first_token[document] : end].tolist()]
    checks = 4  # at once, in two parts, and the second part alone
    assert [token for row in rows[checks:] for token in row] == expected
    assert max(map(len, rows[checks:])) == CONTEXT, "a long gap is read in parts that memory has room for"


@pytest.mark.parametrize("model_type", ["gpt2", "jamba", "recurrent_gemma"])
def test_a_model_without_a_state_of_constant_size_is_refused(model_type):
    from test_token_losses import make_model

    with pytest.raises(UserError, match=rf"model 'tiny' \({model_type}\) is not recurrent: .* leave out --carry-state"):
        _measure(score_carried, make_model(model_type))


@pytest.mark.parametrize("scale", [1, 3])
def test_mamba_which_forgets_its_state_where_it_reads_several_tokens_is_refused(scale):
    """transformers reads several tokens from a fresh state of the scan, whatever cache it is given; new weights lose little by it, and that is seen too."""
    split = random_split([120, 130])
    model = tiny_model("mamba", dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale / 3)
    with pytest.raises(
        UserError, match=r"model 'tiny' \(mamba\) cannot take up its state over several tokens: read in two parts, a text loses"
    ):
        _measure(score_carried, model, choose("within", split, 40), split=split)


def test_a_state_that_cannot_be_taken_up_is_refused_in_words():
    model = tiny_model("ctxscale_lstm")
    forward = model.forward

    def once_only(input_ids, cache_params=None, use_cache=None):
        if cache_params is not None:
            raise ValueError("the state has to be empty\nand more")
        return forward(input_ids, use_cache=use_cache)

    model.forward = once_only
    with pytest.raises(UserError, match="cannot take up its state over several tokens: the state has to be empty; leave out --carry-state"):
        _measure(score_carried, model)


def test_a_model_that_takes_a_state_and_gives_none_back_is_refused():
    model = tiny_model("ctxscale_lstm")
    forward = model.forward
    model.forward = lambda input_ids, state=None, use_cache=None: forward(input_ids, use_cache=use_cache)
    with pytest.raises(UserError, match="cannot take up its state over several tokens: read in two parts, a text loses up to"):
        _measure(score_carried, model)


@pytest.mark.parametrize("policy", ["start", "packed"])
def test_other_windows_are_refused(policy):
    with pytest.raises(UserError, match="a carried state is measured on windows inside documents; use --windows within with --carry-state"):
        _measure(score_carried, tiny_model("ctxscale_lstm"), choose(policy, SPLIT, CONTEXT))


def test_a_loss_that_is_not_a_number_names_model_position_and_document():
    """The spoilt token stands in no window that is read before, and not before it in its own document."""
    documents = [np.arange(1, 30), np.arange(30, 80)]
    split = split_of(documents)
    windows = choose("within", split, CONTEXT, max_windows_per_document=9)
    last = windows[len(windows) - 1].block
    model = tiny_model("ctxscale_lstm", vocab_size=80, tie_word_embeddings=False)
    with torch.no_grad():
        model.get_input_embeddings().weight[int(last[3])] = torch.nan
    with pytest.raises(UserError, match="model 'tiny' gives a loss of nan at context position 4 of document 'd1'"):
        _measure(score_carried, model, windows, split=split, num_bytes_by_id=num_bytes_by_id(80))
