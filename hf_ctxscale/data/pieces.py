"""Long texts in pieces, so that memory stays flat: cut where no token of a byte-level BPE can cross."""

import re
from collections.abc import Iterator

PIECE_CHARACTERS = 50_000  # small enough for every core to have some of a batch
# GPT-2's rule for words never joins a blank or line end to the word before it. These are blanks both for Python and for tokenizers.
BLANK_AFTER_WORD = re.compile(r"(?<=\S)[ \n\r\t]")


def cut_into_pieces(text: str, *, characters: int = PIECE_CHARACTERS) -> Iterator[str]:
    """Pieces of about so many characters that join to the text; a word longer than that stays whole."""
    start = 0
    while len(text) - start > characters:
        blank = BLANK_AFTER_WORD.search(text, start + characters)
        if blank is None:
            break
        yield text[start : blank.start()]
        start = blank.start()
    yield text[start:]
