"""Tokens of small synthetic corpora, their exact predictors, and the same predictions by a plain loop over symbols."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hf_ctxscale.config import CorpusSettings, TokenizerSettings
from hf_ctxscale.corpora import TABLE, Synthetic
from hf_ctxscale.data.build import build_tokens
from hf_ctxscale.data.tokens import Tokens, load_tokens
from hf_ctxscale.scoring.exact_predictors import save_exact_predictor

SYNTHETIC = ("dirichlet-unigram", "dirichlet-markov", "copy")


def small_tokens(name: str, *, folder: Path, **changes) -> tuple[Tokens, Path]:
    """The tokens of a synthetic corpus with some parameters changed, and the folder of its exact predictor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TABLE, name, replace(TABLE[name], synthetic=replace(TABLE[name].synthetic, **changes)))
        build_tokens(CorpusSettings(name=name), TokenizerSettings(vocab_size=257), folder=folder / "tokens", show=lambda _: None)
        tokens = load_tokens(folder / "tokens")
        save_exact_predictor(name, tokenizer_folder=tokens.tokenizer_folder, folder=folder / "predictor")
    return tokens, folder / "predictor"


def predict(seen: list[int], source: Synthetic) -> list[float]:
    """Probabilities of the next symbol after those of a document so far, by counting all of them again."""
    num_symbols = source.num_symbols
    if source.kind == "copy":
        if len(seen) < source.copy_tokens:
            return [1 / num_symbols] * num_symbols
        return [float(symbol == seen[-source.copy_tokens]) for symbol in range(num_symbols)]
    if source.kind == "unigram":
        counted = seen
    else:
        counted = [symbol for before, symbol in pairwise(seen) if before == seen[-1]]
    return [(counted.count(symbol) + source.alpha) / (len(counted) + num_symbols * source.alpha) for symbol in range(num_symbols)]


def losses_by_loop(block: np.ndarray, source: Synthetic, *, symbol_ids: list[int]) -> list[float]:
    """Loss at every context position of a block of T+1 tokens."""
    numbers = [symbol_ids.index(token) for token in block]
    return [-math.log(predict(numbers[:t], source)[numbers[t]]) for t in range(1, len(numbers))]
