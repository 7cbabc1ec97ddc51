"""The study's tokenizer: a byte-level BPE trained on the corpus, or a copy of a tokenizer folder, and the bytes of each of its ids."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from hf_ctxscale.config import TokenizerSettings
from hf_ctxscale.data.pieces import cut_into_pieces
from hf_ctxscale.study import UserError

END_OF_TEXT = "<|endoftext|>"
SAMPLE_BYTES = 64_000_000  # text that a tokenizer is trained on at most
TOKENIZER_FILE = re.compile(r"(tokenizer|vocab|merges|special_tokens_map|added_tokens|spiece|sentencepiece|chat_template)")
BYTE_FALLBACK = re.compile(r"<0x[0-9A-Fa-f]{2}>")


@dataclass(frozen=True)
class TextTokenizer:
    """Text to ids, with nothing added. A special token's name in a text is text like any other, never that token.

    Attributes:
        num_bytes_by_id: (vocab,) UTF-8 bytes of the text that each id stands for; 0 for special ids.
        bytes_rule: ``exact``: the bytes of a document's ids add up to those of the document.
        cuttable: whether a text may be encoded in the pieces of ``cut_into_pieces`` with the same result.
    """

    backend: tokenizers.Tokenizer
    vocab_size: int
    end_of_text: str
    end_of_text_id: int
    num_bytes_by_id: np.ndarray
    bytes_rule: Literal["exact", "approximate"]
    cuttable: bool

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        """The ids of each text; all cores work on the texts of one batch."""
        return [encoding.ids for encoding in self.backend.encode_batch_fast(texts, add_special_tokens=False)]


def train_tokenizer(texts: Iterable[str], *, vocab_size: int, num_bytes: int, folder: Path) -> int:
    """Trains a byte-level BPE and saves it as an ordinary Hugging Face folder.

    Its only special token ends a document; as in GPT-2 it is also the token for the beginning of text, the unknown (no text is unknown to
    bytes) and padding.

    Args:
        texts: the training documents.
        vocab_size: number of ids, the end-of-text token and the 256 bytes among them.
        num_bytes: of all these; beyond SAMPLE_BYTES, pieces spread evenly over them are used.
        folder: where the tokenizer goes.

    Returns:
        The number of bytes it was trained on.

    Raises:
        UserError: the text is too small for so many ids.
    """
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    sample = _EvenSample(texts, share=min(1.0, SAMPLE_BYTES / max(num_bytes, 1)))
    backend.train_from_iterator(iter(sample), trainer=trainer)
    reached = backend.get_vocab_size()
    if reached != vocab_size:
        raise UserError(
            f"vocab_size={vocab_size} is more than this text can fill: {sample.num_bytes} bytes of training text gave {reached} ids; "
            f"use vocab_size={reached} or less, or more text."
        )
    import transformers  # see copy_tokenizer

    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=END_OF_TEXT,
        bos_token=END_OF_TEXT,
        unk_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)
    return sample.num_bytes


class _EvenSample:
    """Pieces of texts, each kept or not so that the kept share stays at `share` all along."""

    def __init__(self, texts: Iterable[str], *, share: float) -> None:
        self._texts = texts
        self._share = share
        self.num_bytes = 0

    def __iter__(self) -> Iterator[str]:
        passed = 0
        for text in self._texts:
            for piece in cut_into_pieces(text):
                size = len(piece.encode())
                passed += size
                if self._share == 1 or self.num_bytes + size <= self._share * passed:
                    self.num_bytes += size
                    yield piece


def tokenizer_hash(path: Path) -> str:
    """Of the files of a tokenizer folder; where the folder lies does not matter.

    Raises:
        UserError: it is not a folder.
    """
    path = path.expanduser()
    if not path.is_dir():
        raise UserError(
            f"tokenizer path {str(path)!r} is not a folder; give a folder that AutoTokenizer.from_pretrained opens, or 'vocab_size'."
        )
    whole = hashlib.sha256()
    for file in sorted(file for file in path.iterdir() if file.is_file() and TOKENIZER_FILE.match(file.name)):
        whole.update(json.dumps([file.name, hashlib.sha256(file.read_bytes()).hexdigest()]).encode())
    return whole.hexdigest()


def text_fingerprint(backend: tokenizers.Tokenizer, *, end_of_text: str | None) -> str:
    """Of all that decides how a text becomes tokens and documents are joined; what is put around a text or cut off it does not count.

    Two models whose tokenizers share it spread their probability over the same tokens.
    """
    description = json.loads(backend.to_str())
    parts = {key: description[key] for key in ("normalizer", "pre_tokenizer", "model", "added_tokens")}
    return hashlib.sha256(json.dumps([parts, end_of_text], sort_keys=True).encode()).hexdigest()


def copy_tokenizer(path: Path, *, folder: Path) -> str:
    """Saves a tokenizer folder as it is into `folder` and returns its end-of-text token.

    Raises:
        UserError: it is no tokenizer folder, or has no end-of-text token.
    """
    import transformers  # takes seconds, and is needed only where a tokenizer is made

    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(path.expanduser(), local_files_only=True)
    except Exception as error:  # transformers raises many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"folder {str(path)!r} holds no tokenizer that AutoTokenizer opens ({reason}); "
            "give a folder with tokenizer.json, or 'vocab_size'."
        ) from None
    if not tokenizer.is_fast:
        raise UserError(f"tokenizer {str(path)!r} has no tokenizer.json; convert it with the tokenizers library, or give another.")
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"tokenizer {str(path)!r} has no end-of-text token, which has to stand between documents; "
            "set 'eos_token' in its tokenizer_config.json to one of its tokens."
        )
    tokenizer.save_pretrained(folder)
    return str(tokenizer.eos_token)


def open_tokenizer(folder: Path, *, end_of_text: str) -> TextTokenizer:
    """The tokenizer of a folder, to encode documents with."""
    backend = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    # A folder may carry its last user's truncation and padding.
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = True
    description = json.loads(backend.to_str())
    vocab_size = max(backend.get_vocab(with_added_tokens=True).values()) + 1
    byte_level = _is_byte_level(description)
    num_bytes_by_id = _num_bytes_by_id(backend, description=description, vocab_size=vocab_size, byte_level=byte_level)
    end_of_text_id = backend.token_to_id(end_of_text)
    assert end_of_text_id is not None, end_of_text
    num_bytes_by_id[end_of_text_id] = 0
    return TextTokenizer(
        backend=backend,
        vocab_size=vocab_size,
        end_of_text=end_of_text,
        end_of_text_id=end_of_text_id,
        num_bytes_by_id=num_bytes_by_id,
        bytes_rule="exact" if byte_level and description["normalizer"] is None else "approximate",
        cuttable=_words_end_at_blanks(description) and all(token["special"] for token in description["added_tokens"]),
    )


def _parts(part: dict[str, Any] | None, *, key: str) -> list[dict[str, Any]]:
    """A step of the tokenizer as a list of steps, whether it is a sequence or a single one."""
    if part is None:
        return []
    return part[key] if part["type"] == "Sequence" else [part]


def _is_byte_level(description: dict[str, Any]) -> bool:
    """Whether every token is a string of bytes in GPT-2's alphabet, with no blank put before the text."""
    before = [step for step in _parts(description["pre_tokenizer"], key="pretokenizers") if step["type"] == "ByteLevel"]
    after = _parts(description["decoder"], key="decoders")
    return len(before) == 1 and not before[0]["add_prefix_space"] and [step["type"] for step in after] == ["ByteLevel"]


def _words_end_at_blanks(description: dict[str, Any]) -> bool:
    """Whether words are split by GPT-2's rule and nothing else is done to the text."""
    step = description["pre_tokenizer"]
    return bool(
        description["normalizer"] is None
        and description["model"]["type"] == "BPE"
        and step is not None
        and step["type"] == "ByteLevel"
        and step["use_regex"]
        and not step["add_prefix_space"]
    )


def _num_bytes_by_id(backend: tokenizers.Tokenizer, *, description: dict[str, Any], vocab_size: int, byte_level: bool) -> np.ndarray:
    added = {token["id"]: token for token in description["added_tokens"]}
    num_bytes = np.zeros(vocab_size, dtype=np.int64)
    for token, token_id in backend.get_vocab(with_added_tokens=True).items():
        if token_id in added:
            num_bytes[token_id] = 0 if added[token_id]["special"] else len(added[token_id]["content"].encode())
        elif byte_level:
            # In this alphabet every byte is one character.
            num_bytes[token_id] = len(token)
        elif BYTE_FALLBACK.fullmatch(token):
            num_bytes[token_id] = 1
        else:
            # Decoded twice over, since decoders take the blank away before a text's first word.
            once, twice = (backend.decode([token_id] * times, skip_special_tokens=False) for times in (1, 2))
            num_bytes[token_id] = len(twice.encode()) - len(once.encode())
    num_bytes.clip(min=0, out=num_bytes)
    return num_bytes


def expected_vocab_size(settings: TokenizerSettings) -> int:
    """The number of ids that the settings lead to, before any tokenizer is made.

    Raises:
        UserError: the folder holds no tokenizer.json.
    """
    if settings.vocab_size is not None:
        return settings.vocab_size
    assert settings.path is not None
    file = settings.path / "tokenizer.json"
    if not file.is_file():
        raise UserError(f"tokenizer path {str(settings.path)!r} holds no tokenizer.json; give a folder that has one, or 'vocab_size'.")
    return max(tokenizers.Tokenizer.from_file(str(file)).get_vocab(with_added_tokens=True).values()) + 1
