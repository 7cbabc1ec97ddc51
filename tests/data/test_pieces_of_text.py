"""Long texts are cut only where a byte-level BPE cannot tell."""

import pytest

from hf_ctxscale.data.pieces import cut_into_pieces
from hf_ctxscale.data.tokenizer import open_tokenizer


def test_pieces_join_to_the_text_and_are_about_as_long_as_asked(make_text):
    text = make_text(1, num_words=3000)
    pieces = list(cut_into_pieces(text, characters=100))
    assert "".join(pieces) == text
    assert all(100 <= len(piece) < 130 for piece in pieces[:-1])


@pytest.mark.parametrize("text", ["", "a", "a" * 1000, " " * 1000, "\n" * 500 + "b"])
def test_a_text_without_a_place_to_cut_stays_whole(text):
    assert list(cut_into_pieces(text, characters=10)) == [text]


@pytest.mark.parametrize("characters", [1, 2, 3, 7, 50])
def test_pieces_have_the_same_ids_as_the_whole_text(built, make_text, characters):
    tokenizer = open_tokenizer(built.tokenizer_folder, end_of_text=built.record.end_of_text)
    assert tokenizer.cuttable
    odd = "x = 1\n\n\n  if\t\ty:\r\n a\u00a0b \u2028c !\x1c\x1c d\x1c e'll  'll\u3000f   \n "
    for text in (odd * 5, make_text(7, num_words=400), "  " + make_text(8, num_words=400)):
        pieces = list(cut_into_pieces(text, characters=characters))
        assert len(pieces) > 3
        assert [token for ids in tokenizer.encode_batch(pieces) for token in ids] == tokenizer.encode_batch([text])[0]
