"""Documented bugs of peers (FACTS.md of the project names each): with models whose losses are known, none of them is here."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import CausalLMOutput

import hf_ctxscale
from hf_ctxscale.analysis.positions import loss_curve, mean_loss
from hf_ctxscale.data.tokenizer import train_tokenizer
from hf_ctxscale.models import LSTMConfig, LSTMForCausalLM
from hf_ctxscale.training.trainer import ValidationLoss
from tests.scoring.read_along_models import byte_fallback_tokenizer, open_tiny

VOCAB_SIZE = 257  # bytes, and the end of a text
CYCLE = "abcdefgh"
POLICIES = ["within", "start", "packed"]


class TableConfig(PreTrainedConfig):
    model_type = "table_of_logits"
    vocab_size: int = VOCAB_SIZE


class Table(PreTrainedModel):
    """Logits are a row of a table for the last token, and grow with the position where `sharpened`."""

    config_class = TableConfig

    def __init__(self, logits_VV: torch.Tensor, *, sharpened: bool = False) -> None:
        super().__init__(TableConfig(vocab_size=len(logits_VV)))
        self.logits = torch.nn.Parameter(logits_VV)
        self.sharpened = sharpened
        self.seen: list[torch.Tensor] = []

    def get_input_embeddings(self) -> None:
        return None

    def get_output_embeddings(self) -> None:
        return None

    def forward(self, input_ids: torch.Tensor) -> CausalLMOutput:
        self.seen.append(input_ids)
        logits = self.logits[input_ids]
        if self.sharpened:
            logits = logits * torch.arange(1, input_ids.shape[1] + 1)[:, None]
        # A scalar loss beside the logits is what others have taken for a loss at every position.
        return CausalLMOutput(loss=torch.tensor(1.0), logits=logits)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> PreTrainedTokenizerBase:
    """A token for every byte."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer([CYCLE], vocab_size=VOCAB_SIZE, num_bytes=len(CYCLE), folder=folder)
    return AutoTokenizer.from_pretrained(folder)


def cyclic_texts(*sizes: int) -> list[str]:
    """Texts of so many letters, each the next one of the cycle, beginning with its first."""
    return ["".join(itertools.islice(itertools.cycle(CYCLE), size)) for size in sizes]


def successor(tokenizer: PreTrainedTokenizerBase, *, steps: int = 1, logit: float = 40.0) -> torch.Tensor:
    """Nearly all probability on the letter so many steps on; the end of a text stands for the letter before a text."""
    ids = tokenizer.convert_tokens_to_ids(list(CYCLE))
    logits = torch.zeros(VOCAB_SIZE, VOCAB_SIZE, dtype=torch.float64)
    for number, token in enumerate(ids):
        logits[token, ids[(number + steps) % len(ids)]] = logit
    logits[tokenizer.eos_token_id, ids[steps - 1]] = logit
    return logits


def uneven(tokenizer: PreTrainedTokenizerBase) -> torch.Tensor:
    """Another loss after every letter."""
    return torch.randn(VOCAB_SIZE, VOCAB_SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3


@pytest.mark.parametrize("windows", POLICIES)
def test_no_target_is_one_step_off(windows, tokenizer):
    """flash-linear-attention's evals, before PR 1222: a target one step off. Who knows the next letter loses nothing, who knows the one after it all."""
    texts = cyclic_texts(101, 57, 230)
    for steps, expected in ((1, 0.0), (2, 40.0)):
        model = Table(successor(tokenizer, steps=steps))
        curve = loss_curve(hf_ctxscale.score(model, texts, context_tokens=10, tokenizer=tokenizer, windows=windows))
        np.testing.assert_allclose(curve, expected, atol=1e-9)


def test_the_end_of_text_between_documents_is_no_target(tokenizer):
    """flash-linear-attention's evals, before PR 1222: a synthetic end-of-text token counted. Here it would cost 40 nats each time."""
    sizes = (101, 57, 230)
    losses = hf_ctxscale.score(Table(successor(tokenizer)), cyclic_texts(*sizes), context_tokens=10, tokenizer=tokenizer, windows="packed")
    assert losses.num_tokens.sum(axis=1).tolist() == [100, 57, 230], "all but the very first letter"
    assert losses.loss_sum_nats.max() < 1e-9


def test_losses_of_a_bfloat16_model_are_not_rounded_to_bfloat16(tokenizer):
    """flash-linear-attention's evals: log-likelihoods in bf16, in which ln 257 = 5.549 is 5.5625."""
    model = Table(torch.zeros(VOCAB_SIZE, VOCAB_SIZE, dtype=torch.bfloat16))
    rounded = float(-functional.log_softmax(torch.zeros(VOCAB_SIZE, dtype=torch.bfloat16), dim=-1)[0])
    assert abs(rounded - math.log(VOCAB_SIZE)) > 0.01
    losses = hf_ctxscale.score(model, cyclic_texts(101), context_tokens=10, tokenizer=tokenizer)
    np.testing.assert_allclose(loss_curve(losses), math.log(VOCAB_SIZE), atol=1e-6)


def test_the_tail_of_the_stream_is_scored_and_weighs_what_it_is(tokenizer):
    """flash-linear-attention's evals and transformers' recipe (issue 34138): the tail dropped, or a partial window averaged as if full."""
    logits, texts = uneven(tokenizer), cyclic_texts(101, 57)
    losses = hf_ctxscale.score(Table(logits), texts, context_tokens=50, tokenizer=tokenizer, windows="packed", batch_blocks=3)
    eos = tokenizer.eos_token_id
    stream = [*tokenizer(texts[0])["input_ids"], eos, *tokenizer(texts[1])["input_ids"], eos]
    log_probabilities = functional.log_softmax(logits, dim=-1)
    each = [-log_probabilities[before, after].item() for before, after in itertools.pairwise(stream) if after != eos]
    assert len(stream) % 50 > 1, "a tail is left"
    assert losses.num_tokens.sum() == len(each) == 100 + 57
    assert mean_loss(losses).value == pytest.approx(sum(each) / len(each), abs=1e-9)


def test_a_scalar_loss_does_not_become_a_flat_curve(tokenizer):
    """forgetting-transformer's scorer on a stock model: its scalar loss stood at every position. Here the curve is known in closed form."""
    model = Table(successor(tokenizer, logit=0.25), sharpened=True)
    curve = loss_curve(hf_ctxscale.score(model, cyclic_texts(101, 57), context_tokens=20, tokenizer=tokenizer, windows="start"))
    expected = [math.log1p((VOCAB_SIZE - 1) * math.exp(-0.25 * t)) for t in range(1, 21)]
    np.testing.assert_allclose(curve, expected, atol=1e-9)


def test_a_mean_does_not_depend_on_how_blocks_are_batched(tokenizer):
    """Mean of per-batch means where batches differ in size: the last one here has one block and would weigh like seven."""
    texts = cyclic_texts(101, 57, 230)
    scored = [
        hf_ctxscale.score(Table(uneven(tokenizer)), texts, context_tokens=7, tokenizer=tokenizer, batch_blocks=size)
        for size in (1, 4, 7, 1000)
    ]
    for other in scored[1:]:
        np.testing.assert_array_equal(other.num_tokens, scored[0].num_tokens)
        np.testing.assert_allclose(other.loss_sum_nats, scored[0].loss_sum_nats, rtol=1e-12)
    whole = scored[0].loss_sum_nats.sum() / scored[0].num_tokens.sum()
    assert [mean_loss(losses).value for losses in scored] == pytest.approx([whole] * 4, rel=1e-12)


def test_gradients_accumulated_over_uneven_batches_are_those_of_the_whole():
    """transformers issue 37766: a forward pass that ignores num_items_in_batch. The first part has 1 target that counts, the second 12."""
    torch.manual_seed(0)
    model = LSTMForCausalLM(LSTMConfig(vocab_size=20, hidden_size=6)).double()
    ids = torch.randint(20, (2, 7))
    labels = ids.clone()
    labels[0, 2:] = -100
    num_items = int((labels[:, 1:] != -100).sum())
    gradients = []
    for parts in ([slice(0, 2)], [slice(0, 1), slice(1, 2)]):
        model.zero_grad()
        for part in parts:
            model(input_ids=ids[part], labels=labels[part], num_items_in_batch=num_items).loss.backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in model.parameters()]))
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("windows", POLICIES)
def test_a_bos_token_shifts_no_target_and_no_position(windows, tokenizer):
    """lm-evaluation-harness issue 1586. A model that reads the last token alone loses the same with a BOS token before every window and without."""
    model, texts = Table(uneven(tokenizer)), cyclic_texts(101, 57)
    without, with_bos = (
        hf_ctxscale.score(model, texts, context_tokens=10, tokenizer=tokenizer, windows=windows, bos=bos) for bos in ("none", "always")
    )
    np.testing.assert_array_equal(with_bos.num_tokens, without.num_tokens)
    np.testing.assert_allclose(with_bos.loss_sum_nats, without.loss_sum_nats, rtol=1e-12)
    assert {seen.shape[1] for seen in model.seen} == {10, 11}
    assert all((seen[:, 0] == tokenizer.bos_token_id).all() for seen in model.seen if seen.shape[1] == 11)


def test_a_tokenizer_that_adds_bos_puts_exactly_one_before_every_window():
    """lm-evaluation-harness issue 1586: none, or two of them. Nor does the document's own text begin with one."""
    tokenizer = byte_fallback_tokenizer()
    size = len(tokenizer)
    for bos, expected in (("auto", 1), ("always", 1), ("none", 0)):
        model = Table(torch.zeros(size, size))
        hf_ctxscale.score(model, cyclic_texts(101, 57), context_tokens=10, tokenizer=tokenizer, windows="start", bos=bos)
        rows = torch.cat(model.seen)
        assert ((rows == tokenizer.bos_token_id).sum(dim=1) == expected).all()


def test_the_loss_at_a_position_does_not_move_with_the_length_of_the_windows(tokenizer):
    """lm-evaluation-harness issue 2467: perplexity that moves with max_length."""
    model, texts = open_tiny("gpt2", tokenizer).model, cyclic_texts(101, 57, 230)
    short, long = (hf_ctxscale.score(model, texts, context_tokens=context, tokenizer=tokenizer, windows="start") for context in (16, 48))
    np.testing.assert_allclose(long.loss_sum_nats[:, :16], short.loss_sum_nats, rtol=1e-9)


def test_no_result_is_called_loss():
    """A metric key `loss` overwrites the Trainer's own `eval_loss`."""
    from hf_ctxscale.metrics.per_position_loss.per_position_loss import PerPositionLoss

    metric = PerPositionLoss()
    metric.add_batch(predictions=[[1.0, 2.0], [3.0, 4.0]])
    validation = ValidationLoss(2)(type("Prediction", (), {"predictions": np.ones((2, 2))}), True)
    keys = [*metric.compute(), *validation]
    assert len(keys) > 10
    assert not {"loss", "eval_loss"} & set(keys)
