"""The ablation against its oracle, one forward pass for each target and cut; its cost, and what it may read."""

import math

import numpy as np
import pytest
import torch
from ablation_oracle import ablate, assert_equal, by_loop
from small_windows import END_OF_TEXT, VOCAB_SIZE, choose, num_bytes_by_id, random_split, split_of, tiny_model

from hf_ctxscale.data.blocks import StartWindows
from hf_ctxscale.scoring.ablation import ablation_cuts, targets_per_segment
from hf_ctxscale.scoring.exact_predictors import ExactPredictor, ExactPredictorConfig
from hf_ctxscale.scoring.score_model import score_windows
from hf_ctxscale.scoring.token_losses import TokenLosses
from hf_ctxscale.study import UserError

CONTEXTS = (1, 2, 8, 64, 72, 100)
BOS = (VOCAB_SIZE - 1, 3)


@pytest.mark.parametrize(
    ("context_tokens", "expected"),
    [
        (1, [(1, 1, 1)]),
        (2, [(1, 1, 1), (2, 2, 2)]),
        (8, [(1, 1, 1), (2, 2, 2), (4, 4, 4), (8, 8, 8)]),
        (64, [(1, 1, 1), (2, 2, 2), (4, 4, 4), (8, 8, 8), (16, 16, 17), (32, 32, 35), (64, 57, 64)]),
        (72, [(1, 1, 1), (2, 2, 2), (4, 4, 4), (8, 8, 8), (16, 16, 17), (32, 32, 35), (72, 64, 72)]),
        (100, [(1, 1, 1), (2, 2, 2), (4, 4, 4), (8, 8, 8), (16, 16, 17), (32, 32, 35), (64, 64, 71), (100, 89, 100)]),
    ],
)
def test_cuts_are_the_powers_of_two_and_the_whole_context(context_tokens, expected):
    assert [(cut.context_tokens, cut.context_from, cut.context_to) for cut in ablation_cuts(context_tokens)] == expected


@pytest.mark.parametrize("context_tokens", [*range(1, 66), 1024, 1500])
def test_a_run_holds_at_most_an_eighth_more_than_its_cut(context_tokens):
    *cuts, whole = ablation_cuts(context_tokens)
    num_targets = targets_per_segment(context_tokens)
    assert (whole.context_from, whole.context_to) == (context_tokens - num_targets + 1, context_tokens)
    for cut in cuts:
        assert cut.context_from == cut.context_tokens
        assert cut.context_to < cut.context_tokens * 9 / 8 or cut.context_to == cut.context_tokens
        assert cut.context_to <= context_tokens


@pytest.mark.parametrize("model_type", ["gpt2", "ctxscale_lstm"])
@pytest.mark.parametrize("bos_ids", [(), BOS])
@pytest.mark.parametrize("context_tokens", CONTEXTS)
def test_every_target_and_cut_equals_a_forward_pass_of_its_own(model_type, bos_ids, context_tokens):
    """gpt2 has no position more than the context and BOS take."""
    fields = {"n_positions": context_tokens + len(bos_ids)} if model_type == "gpt2" else {}
    model = tiny_model(model_type, **fields)
    split = random_split([2 * context_tokens + 2, 3, 3 * context_tokens + 7])
    windows = choose("within", split, context_tokens)
    ablation = ablate(model, windows, split, bos_ids=bos_ids)
    assert len(windows) >= 3
    assert ablation.losses.documents == ("d0", "d2")
    assert_equal(ablation.losses, by_loop(model, windows, ablation.record.cuts, bos_ids=bos_ids), split.documents)


@pytest.mark.parametrize("policy", ["start", "packed", "within"])
@pytest.mark.parametrize("context_tokens", [8, 40])
def test_every_window_policy_credits_the_targets_own_document(policy, context_tokens):
    """Packed, a block holds several documents, the ends of texts count for none, and the last block is not full."""
    model = tiny_model("ctxscale_lstm")
    split = random_split([95, 3, 2, 13, 1, 1, 110, 2, 84, 4])
    windows = choose(policy, split, context_tokens)
    ablation = ablate(model, windows, split)
    sums = by_loop(model, windows, ablation.record.cuts)
    assert_equal(ablation.losses, sums, split.documents)
    assert ablation.record.num_targets == sum(num_tokens for (_, column), (num_tokens, _, _) in sums.items() if column == 0)
    if policy == "packed" and context_tokens == 40:
        owners = [set(windows[index].document_T[-targets_per_segment(40) :].tolist()) for index in range(len(windows))]
        assert any(len(found) > 1 for found in owners), "the test needs a segment of several owners"


def test_all_columns_have_the_same_targets():
    split = random_split([150, 190, 160])
    losses = ablate(tiny_model("gpt2"), choose("within", split, 64), split).losses
    assert losses.context_tokens == 7
    for array in (losses.num_tokens, losses.num_bytes):
        np.testing.assert_array_equal(array, np.broadcast_to(array[:, :1], array.shape))
        assert (array > 0).all()


def test_the_whole_context_is_the_position_curve_of_the_same_targets():
    split, model = random_split([150, 190, 160]), tiny_model("gpt2")
    windows = choose("within", split, 64)
    ablation = ablate(model, windows, split, bos_ids=(1,))
    by_position = score_windows(
        TokenLosses(model), windows, documents=split.documents, num_bytes_by_id=num_bytes_by_id(), batch_blocks=2, bos_ids=(1,)
    ).by_position
    np.testing.assert_allclose(ablation.losses.loss_sum_nats[:, -1], by_position.loss_sum_nats[:, 56:].sum(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(ablation.losses.num_bytes[:, -1], by_position.num_bytes[:, 56:].sum(axis=1))


@torch.no_grad()
def test_targets_that_share_a_run_lose_nearly_what_they_do_alone():
    """The best predictor of a Dirichlet unigram knows a little more with every token: below 16 nothing is shared, from there on within 0.02 nats."""
    draw = np.random.default_rng(0)
    documents = [1 + draw.choice(8, size=129, p=draw.dirichlet(np.full(8, 0.5))) for _ in range(40)]
    model = ExactPredictor(ExactPredictorConfig(vocab_size=VOCAB_SIZE, symbol_ids=tuple(range(1, 9)), kind="unigram", alpha=0.5)).eval()
    split = split_of(documents)
    ablation = ablate(model, StartWindows(split, 128), split)
    shared = ablation.losses.loss_sum_nats.sum(axis=0) / ablation.losses.num_tokens.sum(axis=0)

    text_BS, targets = torch.from_numpy(np.stack(documents)), range(113, 129)
    alone = []
    for cut in ablation.record.cuts[:-1]:
        logits = torch.stack([model(text_BS[:, at - cut.context_tokens : at]).logits[:, -1] for at in targets], dim=1)
        alone.append(float(-logits.gather(2, text_BS[:, targets, None]).mean()))

    assert [cut.context_tokens for cut in ablation.record.cuts] == [1, 2, 4, 8, 16, 32, 64, 128]
    np.testing.assert_allclose(shared[:4], alone[:4], atol=1e-12, rtol=0)
    differences = np.abs(shared[4:-1] - alone[4:])
    assert (differences > 1e-6).all(), "targets shared no run"
    assert (differences < 0.02).all()
    assert alone[4] - alone[-1] > 0.05, "the context has to matter"


@pytest.mark.parametrize("batch_blocks", [1, 2, 5, 64])
def test_the_batch_size_changes_nothing(batch_blocks):
    split, model = random_split([90, 75, 130, 70]), tiny_model("ctxscale_lstm")
    windows = choose("within", split, 24)
    seven, other = (ablate(model, windows, split, batch_blocks=size).losses for size in (7, batch_blocks))
    assert seven.documents == other.documents
    np.testing.assert_array_equal(seven.num_tokens, other.num_tokens)
    np.testing.assert_allclose(other.loss_sum_nats, seven.loss_sum_nats, rtol=1e-12)


@pytest.mark.parametrize("policy", ["within", "packed"])
@pytest.mark.parametrize("context_tokens", CONTEXTS)
def test_the_cost_is_that_of_the_tokens_fed(policy, context_tokens):
    split, model = random_split([2 * context_tokens + 2, 9, 3 * context_tokens + 7]), tiny_model("ctxscale_lstm")
    windows = choose(policy, split, context_tokens)
    token_losses = TokenLosses(model)
    token_losses(torch.ones(1, 4, dtype=torch.int64), torch.ones(1, 4, dtype=torch.int64))  # its first call also checks itself
    fed = []
    model.register_forward_pre_hook(lambda module, args, kwargs: fed.append(kwargs["input_ids"].numel()), with_kwargs=True)
    record = ablate(model, windows, split, token_losses=token_losses, batch_blocks=2).record
    assert record.num_rounds == record.max_rounds
    assert record.cost * len(windows) * context_tokens == pytest.approx(sum(fed), rel=1e-12)


@pytest.mark.parametrize("bos_ids", [(), (END_OF_TEXT,)])
def test_a_context_never_leaves_its_window(bos_ids):
    """Every token of the stream is another one, so that what a row holds says where it comes from."""
    split = split_of([np.arange(1, 160), np.arange(160, 400)])
    model = tiny_model("ctxscale_lstm", vocab_size=400)
    windows = choose("within", split, 64)
    rows = []
    model.register_forward_pre_hook(lambda module, args, kwargs: rows.extend(kwargs["input_ids"].tolist()), with_kwargs=True)
    ablate(model, windows, split, vocab_size=400, bos_ids=bos_ids)
    blocks = [windows[index].block for index in range(len(windows))]
    lengths = set()
    for row in rows[1:] if bos_ids else rows:
        assert tuple(row[: len(bos_ids)]) == bos_ids
        text = row[len(bos_ids) :]
        assert text == list(range(text[0], text[0] + len(text)))
        assert any(block[0] <= text[0] and text[-1] <= block[-2] for block in blocks)
        lengths.add(len(text))
    assert lengths == {1, 2, 4, 8, 17, 35, 64}


def test_a_loss_that_is_not_a_number_names_model_position_and_document():
    split = split_of([np.arange(1, 30), np.arange(30, 60)])
    model = tiny_model("ctxscale_lstm", vocab_size=60, tie_word_embeddings=False)
    windows = choose("start", split, 16)
    spoilt = int(windows[1].block[15])  # read before the last of the two targets alone
    with torch.no_grad():
        model.get_input_embeddings().weight[spoilt] = math.nan
    with pytest.raises(UserError, match="model 'tiny' gives a loss of nan at context position 16 of document 'd1'"):
        ablate(model, windows, split, vocab_size=60)


def test_a_text_without_targets_at_the_end_of_any_window_is_refused_in_words():
    split = random_split([20])
    windows = choose("packed", split, 64)
    with pytest.raises(UserError, match=r"no window has a target among its last 8 tokens.* score a shorter --context"):
        ablate(tiny_model("ctxscale_lstm"), windows, split)
