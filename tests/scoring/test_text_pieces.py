"""Texts cut into tokens: nothing lost, nothing added, every byte once."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

from hf_ctxscale.scoring.text_pieces import cut_text
from tests.scoring.read_along_models import TEXT, byte_fallback_tokenizer, byte_level_tokenizer

BYTE_LEVEL = bytes_to_unicode()
TEXTS = [TEXT, "", "x", " ", "\n", "🙂", "日本語", "  two  spaces ", "e\u0301 \u200d\u202e", "é" * 5 + "\tthe", "\x00a\x1b"]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory) -> dict:
    return {"byte level": byte_level_tokenizer(tmp_path_factory.mktemp("tokenizer")), "byte fallback": byte_fallback_tokenizer()}


@pytest.mark.parametrize("kind", ["byte level", "byte fallback"])
@pytest.mark.parametrize("text", TEXTS)
def test_pieces_join_to_the_text_and_bytes_add_up_to_its_bytes(tokenizers, kind, text):
    cut = cut_text(tokenizers[kind], text)
    assert "".join(cut.pieces) == text
    assert cut.num_bytes.sum() == len(text.encode())
    assert len(cut.pieces) == len(cut.num_bytes) == len(cut.token_ids)
    assert (cut.num_bytes >= 0).all()


def test_a_character_split_over_tokens_stands_at_the_first_and_its_bytes_at_each(tokenizers):
    for tokenizer in tokenizers.values():
        cut = cut_text(tokenizer, "t🙂t")
        at = cut.pieces.index("🙂")
        assert cut.pieces[at : at + 5] == ("🙂", "", "", "", "t")
        assert cut.num_bytes[at : at + 5].tolist() == [1, 1, 1, 1, 1]


def test_bytes_are_those_of_the_token_where_a_token_ends_inside_a_character():
    """As in GPT-2, a blank and the first byte of 日 are one token; its other two bytes are tokens of their own."""
    first, second, third = (BYTE_LEVEL[byte] for byte in "日".encode())
    vocab = {token: index for index, token in enumerate(["Ġ", first, second, third, f"Ġ{first}"])}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[("Ġ", first)]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    cut = cut_text(PreTrainedTokenizerFast(tokenizer_object=backend), " 日 日")
    assert cut.pieces == (" 日", "", "", " 日", "", "")
    assert cut.num_bytes.tolist() == [2, 1, 1, 2, 1, 1]


def test_the_name_of_a_special_token_in_a_text_is_text(tokenizers):
    for tokenizer, name in ((tokenizers["byte level"], "<|endoftext|>"), (tokenizers["byte fallback"], "</s>")):
        cut = cut_text(tokenizer, f"a{name}b")
        assert tokenizer.convert_tokens_to_ids(name) not in cut.token_ids
        assert cut.num_bytes.sum() == len(name) + 2


def test_nothing_is_put_before_the_text(tokenizers):
    assert tokenizers["byte fallback"]("the")["input_ids"][0] == 1
    assert 1 not in cut_text(tokenizers["byte fallback"], "the").token_ids


def test_a_long_text_raises_no_warning_of_the_tokenizer(tokenizers, caplog):
    tokenizer = tokenizers["byte level"]
    tokenizer.model_max_length = 8
    cut_text(tokenizer, "the cat " * 20)
    assert caplog.text == ""
    np.testing.assert_array_equal(cut_text(tokenizer, "the cat").token_ids, tokenizer("the cat")["input_ids"])
