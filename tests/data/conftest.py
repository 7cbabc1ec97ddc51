"""Tiny corpora: words drawn from a small made-up language."""

import random
from pathlib import Path

import pytest

from hf_ctxscale.config import CorpusSettings, TokenizerSettings
from hf_ctxscale.data.build import build_tokens
from hf_ctxscale.data.tokens import Tokens, load_tokens

WORDS = [start + end for start in ("ka", "lo", "mi", "té", "su", "näh") for end in ("ra", "no", "ß", "vi", "→", "’s", "x1", "\t")]


@pytest.fixture(scope="session")
def make_text():
    def make(seed: int, *, num_words: int = 200) -> str:
        draw = random.Random(seed)
        words = (draw.choice(WORDS) + draw.choice([" ", " ", " ", "\n", ", ", "  \n\n"]) for _ in range(num_words))
        return f"Nr {seed}\n" + "".join(words)

    return make


@pytest.fixture(scope="session")
def texts_folder(tmp_path_factory, make_text) -> Path:
    """Forty text files of 100 to 500 words."""
    folder = tmp_path_factory.mktemp("texts")
    for number in range(40):
        (folder / f"{number:02d}.txt").write_text(make_text(number, num_words=100 + 10 * number), encoding="utf-8", newline="")
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory, texts_folder) -> Tokens:
    """The tokens of texts_folder with 300 ids; not to be changed."""
    folder = tmp_path_factory.mktemp("study") / "tokens"
    build_tokens(CorpusSettings(path=texts_folder), TokenizerSettings(vocab_size=300), folder=folder, show=lambda _: None)
    return load_tokens(folder)
