"""The trained byte-level BPE, and tokenizers that come as a folder."""

import json
import random

import pytest
import tokenizers
import transformers
from tokenizers import decoders, models, pre_tokenizers, trainers

from hf_ctxscale.data import tokenizer as text_tokenizer
from hf_ctxscale.data.tokenizer import END_OF_TEXT, copy_tokenizer, open_tokenizer, tokenizer_hash, train_tokenizer
from hf_ctxscale.study import UserError

ODD_TEXTS = [
    "",
    " ",
    "\n\n \t",
    "naïve → 日本語 🙂",
    "\x00\x1c\u2028",
    "  two  blanks ",
    "don't\r\n",
    "<|endoftext|>",
    "x<|endoftext|> <|endoftext|>",
]


def random_text(seed: int) -> str:
    draw = random.Random(seed)
    return "".join(
        chr(draw.choice([draw.randrange(0x20, 0x7F), draw.randrange(0x400), draw.randrange(0x10000, 0x1F000), 10, 32])) for _ in range(300)
    )


def open_built(built):
    return open_tokenizer(built.tokenizer_folder, end_of_text=built.record.end_of_text)


def test_the_vocabulary_is_exactly_as_large_as_asked(built):
    tokenizer = open_built(built)
    assert tokenizer.vocab_size == built.vocab_size == 300
    assert tokenizer.backend.get_vocab_size() == 300
    assert sorted(tokenizer.backend.get_vocab().values()) == list(range(300))


def test_a_text_too_small_for_the_vocabulary_says_what_was_reached(tmp_path):
    text = "ab ab ab cd cd"
    with pytest.raises(
        UserError, match=r"vocab_size=400 is more than this text can fill: 14 bytes of training text gave (\d+) ids; use vocab_size=\1"
    ) as error:
        train_tokenizer([text], vocab_size=400, num_bytes=14, folder=tmp_path)
    reached = int(str(error.value).split("gave ")[1].split()[0])
    train_tokenizer([text], vocab_size=reached, num_bytes=14, folder=tmp_path)


def test_training_again_gives_the_same_tokenizer(tmp_path, make_text):
    for name in ("one", "two"):
        train_tokenizer([make_text(1), make_text(2)], vocab_size=290, num_bytes=1, folder=tmp_path / name)
    assert (tmp_path / "one/tokenizer.json").read_bytes() == (tmp_path / "two/tokenizer.json").read_bytes()


def test_auto_tokenizer_opens_the_folder_and_decoding_gives_any_text_back(built):
    tokenizer = transformers.AutoTokenizer.from_pretrained(built.tokenizer_folder, local_files_only=True)
    assert len(tokenizer) == 300
    assert {tokenizer.eos_token, tokenizer.bos_token, tokenizer.unk_token, tokenizer.pad_token} == {END_OF_TEXT}
    assert tokenizer.eos_token_id == built.end_of_text_id
    own = open_built(built)
    for text in [*ODD_TEXTS, *map(random_text, range(20))]:
        ids = own.encode_batch([text])[0]
        assert tokenizer.decode(ids) == text
        if END_OF_TEXT not in text:
            assert tokenizer(text)["input_ids"] == ids


def test_bytes_of_ids_add_up_to_the_bytes_of_any_text(built):
    tokenizer = open_built(built)
    assert tokenizer.bytes_rule == "exact"
    assert tokenizer.num_bytes_by_id[tokenizer.end_of_text_id] == 0
    for text in [*ODD_TEXTS, *map(random_text, range(20))]:
        assert tokenizer.num_bytes_by_id[tokenizer.encode_batch([text])[0]].sum() == len(text.encode())


def test_the_name_of_the_end_of_text_token_in_a_text_is_text(built):
    tokenizer = open_built(built)
    ids = tokenizer.encode_batch([f"a{END_OF_TEXT} b"])[0]
    assert tokenizer.end_of_text_id not in ids
    assert tokenizer.backend.decode(ids) == f"a{END_OF_TEXT} b"


def test_a_large_text_is_sampled_evenly(tmp_path, monkeypatch, make_text):
    texts = [make_text(seed, num_words=500) for seed in range(60)]
    texts = [f"{text}{'@' * (number // 20 + 2)}" for number, text in enumerate(texts)]
    num_bytes = sum(len(text.encode()) for text in texts)
    monkeypatch.setattr(text_tokenizer, "SAMPLE_BYTES", num_bytes // 4)
    sample = text_tokenizer._EvenSample(texts, share=0.25)
    taken = [texts.index(text) for text in sample]
    assert 0.2 * num_bytes < sample.num_bytes <= 0.25 * num_bytes
    assert [sum(number // 20 == third for number in taken) for third in range(3)] == [pytest.approx(5, abs=1)] * 3
    assert train_tokenizer(texts, vocab_size=270, num_bytes=num_bytes, folder=tmp_path) == sample.num_bytes


def word_tokenizer_folder(folder, *, eos: str | None = "</s>"):
    """A tokenizer of another kind: words marked by a leading low line, bytes as a last resort, truncated to five tokens by its last user."""
    backend = tokenizers.Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    backend.train_from_iterator(
        ["the cat and the dog and the cat"] * 3, trainers.BpeTrainer(vocab_size=40, special_tokens=["<unk>", "</s>"])
    )
    description = json.loads(backend.to_str())
    for token in fallback:
        description["model"]["vocab"][token] = len(description["model"]["vocab"])
    backend = tokenizers.Tokenizer.from_str(json.dumps(description))
    backend.enable_truncation(5)
    backend.enable_padding(length=9)
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=eos, unk_token="<unk>").save_pretrained(folder)
    return folder


def test_another_kind_of_tokenizer_is_copied_and_its_bytes_are_approximate(tmp_path):
    given = word_tokenizer_folder(tmp_path / "given")
    end_of_text = copy_tokenizer(given, folder=tmp_path / "copy")
    tokenizer = open_tokenizer(tmp_path / "copy", end_of_text=end_of_text)
    assert (end_of_text, tokenizer.bytes_rule, tokenizer.cuttable) == ("</s>", "approximate", False)
    text = "the cat and the dog and the cat é</s>"
    ids = tokenizer.encode_batch([text])[0]
    assert len(ids) > 9  # neither truncated
    assert len(tokenizer.encode_batch(["the"])[0]) == 1  # nor padded
    assert tokenizer.end_of_text_id not in ids
    assert tokenizer.num_bytes_by_id[tokenizer.backend.token_to_id("▁the")] == 4
    assert tokenizer.num_bytes_by_id[tokenizer.backend.token_to_id("<0xC3>")] == 1
    assert tokenizer.num_bytes_by_id[tokenizer.end_of_text_id] == 0
    assert len(tokenizer.num_bytes_by_id) == tokenizer.vocab_size


def test_a_byte_level_tokenizer_with_more_than_gpt2s_rule_is_exact_but_not_cut(tmp_path, built):
    description = json.loads((built.tokenizer_folder / "tokenizer.json").read_text())
    byte_level = {**description["pre_tokenizer"], "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": r"\s+\w+|\s+|\S+"}, "behavior": "Isolated", "invert": False}
    description["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, byte_level]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(description))
    tokenizer = open_tokenizer(tmp_path, end_of_text=END_OF_TEXT)
    assert (tokenizer.bytes_rule, tokenizer.cuttable) == ("exact", False)


def test_the_hash_of_a_tokenizer_folder_follows_its_tokenizer_files_only(tmp_path):
    given = word_tokenizer_folder(tmp_path / "given")
    before = tokenizer_hash(given)
    (given / "model.safetensors").write_text("")
    assert tokenizer_hash(given) == before
    (given / "tokenizer.json").write_text((given / "tokenizer.json").read_text() + " ")
    assert tokenizer_hash(given) != before


def test_what_is_no_tokenizer_folder_is_named(tmp_path):
    with pytest.raises(
        UserError,
        match=r"tokenizer path '.*nowhere' is not a folder; give a folder that AutoTokenizer.from_pretrained opens, or 'vocab_size'",
    ):
        tokenizer_hash(tmp_path / "nowhere")
    (tmp_path / "README.md").write_text("no tokenizer")
    with pytest.raises(
        UserError, match=r"holds no tokenizer that AutoTokenizer opens \(.*\); give a folder with tokenizer.json, or 'vocab_size'"
    ):
        copy_tokenizer(tmp_path, folder=tmp_path / "copy")


def test_a_tokenizer_without_an_end_of_text_token_is_named_with_the_remedy(tmp_path):
    given = word_tokenizer_folder(tmp_path / "given", eos=None)
    with pytest.raises(
        UserError, match=r"has no end-of-text token, which has to stand between documents; set 'eos_token' in its tokenizer_config.json"
    ):
        copy_tokenizer(given, folder=tmp_path / "copy")
