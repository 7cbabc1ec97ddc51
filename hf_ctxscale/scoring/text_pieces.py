"""cut_text: a text as a model's tokens, each with the piece of text and the bytes that it stands for."""

from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

BYTE_OF_CHARACTER = {character: byte for byte, character in bytes_to_unicode().items()}


@dataclass(frozen=True)
class TextPieces:
    """N tokens.

    Attributes:
        token_ids: (N,).
        pieces: the text behind each token; joined, they are the text. A character split over several tokens stands at the first of them.
        num_bytes: (N,) UTF-8 bytes behind each token; their sum is that of the text.
    """

    token_ids: np.ndarray
    pieces: tuple[str, ...]
    num_bytes: np.ndarray


def cut_text(tokenizer: PreTrainedTokenizerBase, text: str) -> TextPieces:
    """The text as tokens, with nothing added. A special token's name in the text is text like any other, never that token.

    Args:
        tokenizer: a fast one, which knows where its tokens stand in the text.
        text: any; an empty one has no tokens.
    """
    encoded = tokenizer(text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True, verbose=False)
    token_ids = np.array(encoded["input_ids"], dtype=np.int64)
    pieces = _pieces(text, [end for _, end in encoded["offset_mapping"]])
    tokens = tokenizer.convert_ids_to_tokens(token_ids.tolist())
    assert isinstance(tokens, list)
    num_bytes = _byte_level_sizes(tokens, text)
    return TextPieces(token_ids, pieces, _sizes_of_pieces(pieces) if num_bytes is None else num_bytes)


def _pieces(text: str, ends: list[int]) -> tuple[str, ...]:
    """The text cut where tokens end; what stands between two tokens (a blank that the tokenizer drops) goes to the second."""
    pieces = []
    start = 0
    for end in ends:
        pieces.append(text[start : max(start, end)])
        start = max(start, end)
    if pieces:
        pieces[-1] += text[start:]
    return tuple(pieces)


def _byte_level_sizes(tokens: list[str], text: str) -> np.ndarray | None:
    """Bytes of tokens that are strings of GPT-2's alphabet, one character for each byte; None where they are not, or do not join to the text."""
    try:
        joined = bytes(BYTE_OF_CHARACTER[character] for token in tokens for character in token)
    except KeyError:
        return None
    return np.array([len(token) for token in tokens], dtype=np.int64) if joined == text.encode() else None


def _sizes_of_pieces(pieces: tuple[str, ...]) -> np.ndarray:
    """Bytes of each piece; those of a character that is split over several tokens are shared out among them, as evenly as can be."""
    num_bytes = np.array([len(piece.encode()) for piece in pieces], dtype=np.int64)
    first = 0
    while first < len(pieces):
        after = first + 1
        while after < len(pieces) and not pieces[after]:
            after += 1
        if after - first > 1 and pieces[first]:
            last_character = len(pieces[first][-1].encode())
            shares = [len(share) for share in np.array_split(np.zeros(last_character), after - first)]
            num_bytes[first:after] = shares
            num_bytes[first] += len(pieces[first].encode()) - last_character
        first = after
    return num_bytes
