"""Every kind of causal LM through `score_windows`, against a loop that predicts one token at a time, by position and by bytes of context."""

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from hf_ctxscale.analysis.byte_bins import BYTE_BINS
from hf_ctxscale.data.blocks import NOT_SCORED, PackedWindows, StartWindows, Windows, WithinWindows
from hf_ctxscale.data.tokens import TokenSplit
from hf_ctxscale.scoring.score_model import WindowLosses, score_windows
from hf_ctxscale.scoring.token_losses import TokenLosses
from tests.scoring.test_token_losses import MODELS, VOCAB_SIZE, make_model

CONTEXT = 11  # no multiple of any chunk size below
BOS_IDS = (1, 2)
NAMED_IN_THE_ISSUE = {
    "gpt2", "gpt_neox", "opt", "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi", "olmo", "falcon", "bloom", "mamba", "mamba2",
    "rwkv", "recurrent_gemma", "xlstm", "jamba", "ctxscale_lstm",
}  # fmt: skip
# Parts of these compute in float32 whatever their weights are in.
FLOAT32_INSIDE = {"mamba", "mamba2", "xlstm"}
NUM_BYTES = np.random.default_rng(3).integers(0, 9, VOCAB_SIZE)


@pytest.fixture(scope="module")
def split() -> TokenSplit:
    """Three documents of 10, 40 and 29 tokens, each with an end-of-text token behind it."""
    num_tokens = np.array([10, 40, 29])
    first_token = np.concatenate([[0], np.cumsum(num_tokens + 1)[:-1]])
    tokens = np.random.default_rng(2).integers(3, VOCAB_SIZE, int((num_tokens + 1).sum())).astype(np.uint16)
    tokens[first_token + num_tokens] = 0
    num_bytes = np.array([NUM_BYTES[tokens[at : at + size]].sum() for at, size in zip(first_token, num_tokens, strict=True)])
    return TokenSplit("test", tokens, ("short", "long", "middle"), first_token, num_tokens, num_bytes)


def one_by_one(model: PreTrainedModel, windows: Windows, *, documents: tuple[str, ...], bos_ids: tuple[int, ...]) -> dict[str, dict]:
    """Sums by document and position and by document and bin of bytes: (document, column) -> [tokens, bytes, nats]; a forward pass for each target."""
    sums: dict[str, dict] = {"positions": {}, "bytes": {}}
    for index in range(len(windows)):
        block, owners = windows[index].block.tolist(), windows[index].document_T.tolist()
        for t in range(1, len(block)):
            if owners[t - 1] == NOT_SCORED:
                continue
            with torch.no_grad():
                logits = model(torch.tensor([[*bos_ids, *block[:t]]])).logits[0, -1].double()
            loss = -torch.log_softmax(logits, dim=-1)[block[t]].item()
            context_bytes = sum(int(NUM_BYTES[token]) for token in block[:t])
            bin_of_bytes = next(number for number, (_, last) in enumerate(BYTE_BINS) if context_bytes <= last)
            for kind, column in (("positions", t - 1), ("bytes", bin_of_bytes)):
                cell = sums[kind].setdefault((documents[owners[t - 1]], column), [0, 0, 0.0])
                cell[0] += 1
                cell[1] += int(NUM_BYTES[block[t]])
                cell[2] += loss
    return sums


def assert_equal_sums(given: WindowLosses, expected: dict[str, dict], *, within: float) -> None:
    for kind, losses in (("positions", given.by_position), ("bytes", given.by_bytes)):
        cells = {(name, column): (d, column) for d, name in enumerate(losses.documents) for column in np.flatnonzero(losses.num_tokens[d])}
        assert set(cells) == set(expected[kind])
        for cell, (num_tokens, num_bytes, loss) in expected[kind].items():
            at = cells[cell]
            assert (losses.num_tokens[at], losses.num_bytes[at]) == (num_tokens, num_bytes)
            assert losses.loss_sum_nats[at] == pytest.approx(loss, abs=within), (kind, cell)


def scored(model: PreTrainedModel, windows: Windows, *, documents: tuple[str, ...], bos_ids: tuple[int, ...]) -> WindowLosses:
    return score_windows(TokenLosses(model), windows, documents=documents, num_bytes_by_id=NUM_BYTES, batch_blocks=2, bos_ids=bos_ids)


def test_every_model_type_of_the_issue_is_held_against_the_loop():
    assert set(MODELS) >= NAMED_IN_THE_ISSUE


def float64_model(model_type: str) -> PreTrainedModel:
    model = make_model(model_type, dtype=torch.float64)
    if model_type == "jamba":
        model.set_experts_implementation("eager")  # torch's grouped matrix product has no float64
    return model


@pytest.mark.parametrize("bos_ids", [(), BOS_IDS], ids=["without BOS", "with BOS"])
@pytest.mark.parametrize("model_type", sorted(MODELS))
def test_scores_equal_a_loop_that_predicts_one_token_at_a_time(model_type, bos_ids, split):
    model = float64_model(model_type)
    windows = WithinWindows(split, CONTEXT, max_windows_per_document=2, seed=0)
    assert (windows.num_documents, windows.num_documents_too_short) == (2, 1)
    given = scored(model, windows, documents=split.documents, bos_ids=bos_ids)
    expected = one_by_one(model, windows, documents=split.documents, bos_ids=bos_ids)
    assert_equal_sums(given, expected, within=1e-6 if model_type in FLOAT32_INSIDE else 1e-9)


@pytest.mark.parametrize("bos_ids", [(), BOS_IDS], ids=["without BOS", "with BOS"])
@pytest.mark.parametrize("policy", [StartWindows, PackedWindows])
@pytest.mark.parametrize("model_type", ["gpt2", "ctxscale_lstm", "bloom"])
def test_windows_from_the_start_and_over_document_ends_equal_the_loop_too(model_type, policy, bos_ids, split):
    """A packed block counts for two documents here, for none at end-of-text tokens, and the last one is not full."""
    model, windows = float64_model(model_type), policy(split, CONTEXT)
    given = scored(model, windows, documents=split.documents, bos_ids=bos_ids)
    assert_equal_sums(given, one_by_one(model, windows, documents=split.documents, bos_ids=bos_ids), within=1e-9)
    if policy is PackedWindows:
        # Every token but the stream's first, end-of-text tokens left out.
        assert given.by_position.num_tokens.sum(axis=1).tolist() == [9, 40, 29]
        assert given.by_position.num_blocks.sum() > len(windows)


def test_a_bos_token_changes_the_losses_and_no_count(split):
    """So that the two halves of the tests above are not the same test."""
    model, windows = float64_model("gpt2"), StartWindows(split, CONTEXT)
    without, with_bos = (scored(model, windows, documents=split.documents, bos_ids=bos_ids) for bos_ids in ((), BOS_IDS))
    for kind in ("by_position", "by_bytes"):
        first, second = getattr(without, kind), getattr(with_bos, kind)
        np.testing.assert_array_equal(first.num_tokens, second.num_tokens)
        np.testing.assert_array_equal(first.num_bytes, second.num_bytes)
    assert np.abs(without.by_position.loss_sum_nats - with_bos.by_position.loss_sum_nats).min() > 1e-3
