"""The best possible prediction of a synthetic corpus as a causal LM, which goes through scoring like any model: the known answer beside trained ones.

Importing this module registers it with transformers' Auto classes.

Shapes: B blocks, S input tokens, V symbols of the source, I ids of the tokenizer.
"""

import math
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import CausalLMOutput

from hf_ctxscale.corpora import find_corpus
from hf_ctxscale.data.synthetic import symbols_of
from hf_ctxscale.models.registration import register
from hf_ctxscale.records import EXACT_PREDICTOR
from hf_ctxscale.study import UserError

NO_SYMBOL = -1


@strict
class ExactPredictorConfig(PreTrainedConfig):
    """What the source is, and which token is which of its symbols.

    Args:
        vocab_size: number of token ids.
        symbol_ids: V token ids, in the order of the symbols' numbers.
        kind: of the source, as in corpora.Synthetic.
        alpha: concentration of the Dirichlet distribution; None for ``copy``.
        copy_tokens: length of the repeated string; None for the others.
    """

    model_type = EXACT_PREDICTOR

    vocab_size: int = 257
    symbol_ids: list[int] | tuple[int, ...] = ()
    kind: Literal["unigram", "markov", "copy"] = "unigram"
    alpha: float | int | None = None
    copy_tokens: int | None = None
    tie_word_embeddings: bool = False
    bos_token_id: int | None = None
    eos_token_id: int | None = None


class ExactPredictor(PreTrainedModel):
    """Predicts the next symbol as well as it can be done by one who knows the source, but not what the document drew.

    That is exact where the first input, or the first after a token that is no symbol, is the document's first; for ``unigram`` and ``copy`` also
    anywhere else in a document, since a document is there as it is at its beginning. (In the middle of a chain the first symbol says a little about its
    transitions, which the prediction leaves out.)
    """

    config_class = ExactPredictorConfig

    def __init__(self, config: ExactPredictorConfig) -> None:
        super().__init__(config)
        # Of width 0: there is nothing to train, but a vocabulary and a device are read off it.
        self.embed_tokens = nn.Embedding(config.vocab_size, 0)
        self.post_init()

    @torch.no_grad()
    def forward(self, input_ids: torch.Tensor, **ignored: Any) -> CausalLMOutput:
        """Logits (B, S, I) in float64: the logarithm of every token's probability, minus infinity for what the source never gives."""
        config: Any = self.config
        symbol_ids = torch.tensor(config.symbol_ids, device=input_ids.device)
        number_I = torch.full((config.vocab_size,), NO_SYMBOL, device=input_ids.device)
        number_I[symbol_ids] = torch.arange(len(symbol_ids), device=input_ids.device)
        symbols_BS = number_I[input_ids]
        if config.kind == "copy":
            probabilities_BSV = copy_probabilities(symbols_BS, num_symbols=len(symbol_ids), copy_tokens=config.copy_tokens)
        else:
            probabilities_BSV = dirichlet_probabilities(
                symbols_BS, num_symbols=len(symbol_ids), alpha=config.alpha, ordered=config.kind == "markov"
            )
        logits = torch.full((*input_ids.shape, config.vocab_size), -math.inf, dtype=torch.float64, device=input_ids.device)
        logits[..., symbol_ids] = probabilities_BSV.log()
        return CausalLMOutput(logits=logits)


register(ExactPredictorConfig, base=ExactPredictor, causal_lm=ExactPredictor)


def dirichlet_probabilities(symbols_BS: torch.Tensor, *, num_symbols: int, alpha: float, ordered: bool) -> torch.Tensor:
    """Of the next symbol after each, where a document's symbols or transitions come from a symmetric Dirichlet distribution: (n_i + alpha) / (n + V alpha).

    Args:
        symbols_BS: numbers of the symbols, or NO_SYMBOL, after which a document begins.
        num_symbols: V.
        alpha: concentration.
        ordered: whether n_i counts how often symbol i came after the present symbol (a Markov chain), or how often it came at all.

    Returns:
        (B, S, V) in float64.
    """
    num_blocks, device = len(symbols_BS), symbols_BS.device
    # One row of counts for every symbol that may come before, and a last one for none; or this last one for all.
    no_symbol_row = num_symbols if ordered else 0
    counts_BRV = torch.zeros(num_blocks, no_symbol_row + 1, num_symbols, dtype=torch.float64, device=device)
    block_B = torch.arange(num_blocks, device=device)
    row_B = torch.full_like(block_B, no_symbol_row)
    probabilities = []
    for symbol_B in symbols_BS.T:
        begins_B = symbol_B == NO_SYMBOL
        counts_BRV[block_B, row_B, symbol_B.clamp(min=0)] += 1.0
        counts_BRV[begins_B] = 0.0
        if ordered:
            row_B = torch.where(begins_B, no_symbol_row, symbol_B)
        weights_BV = counts_BRV[block_B, row_B] + alpha
        probabilities.append(weights_BV / weights_BV.sum(dim=1, keepdim=True))
    return torch.stack(probabilities, dim=1)


def copy_probabilities(symbols_BS: torch.Tensor, *, num_symbols: int, copy_tokens: int) -> torch.Tensor:
    """Of the next symbol after each, where a random string of n symbols is repeated: any, equally likely, for n symbols; then the one n before.

    Args:
        symbols_BS: numbers of the symbols, or NO_SYMBOL, after which a document begins.
        num_symbols: V.
        copy_tokens: n.

    Returns:
        (B, S, V) in float64.
    """
    index_S = torch.arange(symbols_BS.shape[1], device=symbols_BS.device)
    begin_BS = torch.where(symbols_BS == NO_SYMBOL, index_S + 1, 0).cummax(dim=1).values
    # The next symbol stands at s + 1, and its copy n before.
    source_BS = (index_S + 1 - copy_tokens).expand_as(symbols_BS)
    known_BS1 = (source_BS >= begin_BS)[..., None]
    copied_BS = symbols_BS.gather(1, source_BS.clamp(min=0)).clamp(min=0)
    one_hot = nn.functional.one_hot(copied_BS, num_symbols).double()
    return torch.where(known_BS1, one_hot, torch.full_like(one_hot, 1 / num_symbols))


def save_exact_predictor(corpus_name: str, *, tokenizer_folder: Path, folder: Path) -> None:
    """Saves a synthetic corpus's exact predictor with a tokenizer, as a folder that from_pretrained opens.

    Raises:
        UserError: the corpus is not synthetic, or the tokenizer does not give one token for each of its symbols.
    """
    source = find_corpus(corpus_name).synthetic
    if source is None:
        raise UserError(
            f"corpus {corpus_name!r} is text, whose best possible loss is not known; name a synthetic corpus of hf_ctxscale/corpora.py."
        )
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    config = ExactPredictorConfig(
        vocab_size=len(tokenizer),
        symbol_ids=_symbol_ids(symbols_of(source), tokenizer=tokenizer, folder=tokenizer_folder),
        kind=source.kind,
        alpha=source.alpha,
        copy_tokens=source.copy_tokens,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    ExactPredictor(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _symbol_ids(symbols: str, *, tokenizer: PreTrainedTokenizerBase, folder: Path) -> list[int]:
    vocabulary = tokenizer.get_vocab()
    missing = [symbol for symbol in symbols if symbol not in vocabulary]
    longer = [token for token in vocabulary if len(token) > 1 and set(token) <= set(symbols)]
    if missing or longer:
        reason = f"has no token {missing[0]!r}" if missing else f"joins symbols into tokens such as {longer[0]!r}"
        raise UserError(
            f"the tokenizer in {str(folder)!r} {reason}; the exact prediction is of single symbols: train one with vocab_size=257."
        )
    return [vocabulary[symbol] for symbol in symbols]
