"""From documents to tokens/: what is written, when it is skipped, and what is refused."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_ctxscale.config import CorpusSettings, TokenizerSettings
from hf_ctxscale.data import build, streams
from hf_ctxscale.data.blocks import PackedBlocks, WithinWindows
from hf_ctxscale.data.build import build_tokens
from hf_ctxscale.data.documents import SPLITS
from hf_ctxscale.data.tokenizer import open_tokenizer
from hf_ctxscale.data.tokens import load_tokens
from hf_ctxscale.study import UserError


def build_again(texts_folder, folder, *, show=lambda _: None, vocab_size=300, **corpus):
    return build_tokens(CorpusSettings(path=texts_folder, **corpus), TokenizerSettings(vocab_size=vocab_size), folder=folder, show=show)


@pytest.fixture
def copied(built, tmp_path):
    """A copy of the built tokens that may be changed."""
    return shutil.copytree(built.folder, tmp_path / "study" / "tokens")


def test_a_stream_is_every_documents_ids_each_followed_by_one_end_of_text_token(built, texts_folder):
    tokenizer = open_tokenizer(built.tokenizer_folder, end_of_text=built.record.end_of_text)
    seen = []
    for name in SPLITS:
        split = built.split(name)
        expected = []
        for number, document in enumerate(split.documents):
            text = (texts_folder / document).read_bytes().decode()
            ids = tokenizer.encode_batch([text])[0]
            assert (split.first_token[number], split.num_tokens[number], split.num_bytes[number]) == (
                len(expected),
                len(ids),
                len(text.encode()),
            )
            expected += [*ids, built.end_of_text_id]
        assert split.tokens.tolist() == expected
        assert list(split.documents) == sorted(split.documents)
        seen += split.documents
    assert sorted(seen) == sorted(file.name for file in texts_folder.iterdir())


def test_bytes_by_id_add_up_over_every_document(built):
    for name in SPLITS:
        split = built.split(name)
        for first, length, num_bytes in zip(split.first_token, split.num_tokens, split.num_bytes, strict=True):
            assert built.num_bytes_by_id[split.tokens[first : first + length]].sum() == num_bytes


def test_the_record_counts_what_the_files_hold(built):
    record = built.record
    assert json.loads((built.folder / "corpus.json").read_text())["fingerprint"] == record.fingerprint
    for name in SPLITS:
        split = built.split(name)
        assert record.splits[name].num_documents == len(split.documents)
        assert record.splits[name].num_tokens == len(split.tokens)
        assert record.splits[name].num_bytes == split.num_bytes.sum()
        assert record.splits[name].longest_document_tokens == split.num_tokens.max()
    assert record.tokenizer_trained_bytes == record.splits["train"].num_bytes
    assert record.split_rule == "by the SHA-256 of each document's text (validation 0.05, test 0.15)"


def test_streams_are_memory_mapped_small_integers(built):
    tokens = built.split("train").tokens
    assert isinstance(tokens, np.memmap)
    assert tokens.dtype == np.uint16
    assert streams.token_dtype(65_535) == np.uint16
    assert streams.token_dtype(65_536) == np.uint32


def test_the_tokenizer_is_trained_on_training_documents_only(tmp_path):
    for name, word in (("train", "aaaa"), ("validation", "vvvv"), ("test", "tttt")):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": f"{word} {word} {number}"}) + "\n" for number in range(50)))
    build_again(tmp_path, tmp_path / "out" / "tokens", vocab_size=262)
    tokenizer = open_tokenizer(tmp_path / "out" / "tokens" / "tokenizer", end_of_text="<|endoftext|>")
    assert tokenizer.backend.token_to_id("aaaa") is not None
    assert tokenizer.backend.token_to_id("vv") is None
    assert tokenizer.backend.token_to_id("tt") is None


def test_small_batches_and_pieces_write_the_same_stream(built, texts_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "BATCH_BYTES", 700)
    monkeypatch.setattr(streams, "DOCUMENTS_PER_ROW_GROUP", 3)
    monkeypatch.setattr(streams, "cut_into_pieces", lambda text: cut(text, characters=90))
    from hf_ctxscale.data.pieces import cut_into_pieces as cut

    build_again(texts_folder, tmp_path / "tokens")
    for name in SPLITS:
        assert load_tokens(tmp_path / "tokens").split(name).tokens.tolist() == built.split(name).tokens.tolist()
        assert load_tokens(tmp_path / "tokens").split(name).documents == built.split(name).documents


def test_building_again_elsewhere_writes_the_same_bytes(built, texts_folder, tmp_path):
    moved = shutil.copytree(texts_folder, tmp_path / "moved")
    build_again(moved, tmp_path / "tokens")
    for file in built.folder.rglob("*"):
        if file.is_file() and file.name != "corpus.json":
            assert (tmp_path / "tokens" / file.relative_to(built.folder)).read_bytes() == file.read_bytes(), file.name
    assert load_tokens(tmp_path / "tokens").record.fingerprint == built.record.fingerprint


def test_finished_tokens_are_skipped_and_it_is_said(built, texts_folder, copied, monkeypatch):
    monkeypatch.setattr(build, "select_documents", None)
    said = []
    assert build_again(texts_folder, copied, show=said.append) == built.record
    assert said == [f"Tokens of {texts_folder.name} are there already ({built.record.splits['train'].num_tokens:,} for training); skipped."]


@pytest.mark.parametrize(
    ("vocab_size", "corpus", "difference"), [(290, {}, "vocab_size=300"), (300, {"test_fraction": 0.3}, "test_fraction=0.15")]
)
def test_tokens_of_other_settings_are_refused_and_left_alone(texts_folder, copied, vocab_size, corpus, difference):
    before = {file: file.read_bytes() for file in copied.rglob("*") if file.is_file()}
    with pytest.raises(UserError, match=rf"holds tokens of another corpus or tokenizer: there .*{difference}, now .*; use another --out\."):
        build_again(texts_folder, copied, vocab_size=vocab_size, **corpus)
    assert {file: file.read_bytes() for file in copied.rglob("*") if file.is_file()} == before


def test_tokens_of_a_text_that_has_changed_are_refused(texts_folder, copied, tmp_path):
    changed = shutil.copytree(texts_folder, tmp_path / "changed")
    with (changed / "03.txt").open("a") as file:
        file.write("more")
    with pytest.raises(UserError, match=r"there '.*' with text=\w{12}, now 'changed' with text=\w{12}\. A study has one corpus"):
        build_again(changed, copied)


@pytest.mark.parametrize("lost", ["corpus.json", "corpus.json train.tokens.npy", "corpus.json tokenizer/tokenizer_config.json"])
def test_half_written_tokens_are_made_again(built, texts_folder, copied, lost):
    for name in lost.split():
        (copied / name).unlink()
    with pytest.raises(UserError, match=r"holds no tokens; make them with"):
        load_tokens(copied)
    build_again(texts_folder, copied)
    assert load_tokens(copied).split("train").tokens.tolist() == built.split("train").tokens.tolist()


def test_a_build_that_stops_leaves_nothing_that_looks_whole_and_the_next_one_finishes(texts_folder, tmp_path, monkeypatch):
    folder = tmp_path / "study" / "tokens"
    with monkeypatch.context() as patched:
        patched.setattr(build, "write_record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build_again(texts_folder, folder)
    assert not folder.exists()
    # What a process leaves that was killed outright.
    (folder.parent / ".tokens.unfinished" / "tokenizer").mkdir(parents=True)
    (folder.parent / ".tokens.unfinished" / "corpus.json").write_text("{")
    build_again(texts_folder, folder)
    assert len(PackedBlocks(load_tokens(folder).split("train"), 16)) > 0
    assert sorted(file.name for file in folder.parent.iterdir() if file.name != ".tokens.lock") == ["tokens"]


def test_a_folder_that_holds_something_else_is_left_alone(texts_folder, tmp_path):
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match=r"holds 'thesis.txt', which is not part of them; move it away, or use another --out"):
        build_again(texts_folder, tmp_path / "tokens")
    assert (tmp_path / "tokens" / "thesis.txt").read_text() == "precious"


def test_an_out_folder_that_is_a_file_is_refused(texts_folder, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UserError, match=r"the tokens cannot be written to '.*tokens': .*; use another --out"):
        build_again(texts_folder, tmp_path / "out" / "tokens")


def test_a_record_that_cannot_be_read_is_named(texts_folder, copied):
    (copied / "corpus.json").write_text('{"format": 99}')
    with pytest.raises(UserError, match=r"corpus.json' is not a record that this version of hf-ctxscale reads"):
        build_again(texts_folder, copied)


def test_a_tokenizer_folder_can_be_used_as_it_is(built, texts_folder, tmp_path):
    record = build_tokens(
        CorpusSettings(path=texts_folder), TokenizerSettings(path=built.tokenizer_folder), folder=tmp_path / "tokens", show=lambda _: None
    )
    assert record.tokenizer_trained_bytes is None
    assert (record.vocab_size, record.bytes_rule) == (300, "exact")
    assert load_tokens(tmp_path / "tokens").split("test").tokens.tolist() == built.split("test").tokens.tolist()


def test_a_single_text_is_cut_by_position_and_the_record_says_so(tmp_path, make_text):
    text = make_text(5, num_words=3000)
    (tmp_path / "input.txt").write_text(text, encoding="utf-8", newline="")
    said = []
    record = build_tokens(
        CorpusSettings(name="tinyshakespeare", path=tmp_path / "input.txt"),
        TokenizerSettings(vocab_size=300),
        folder=tmp_path / "out" / "tokens",
        show=said.append,
    )
    assert record.corpus == "tinyshakespeare"
    assert record.split_rule == "one document, cut by position at line ends into train, validation, test (validation 0.05, test 0.15)"
    assert record.notes == ["The test split is one document, so that no interval over documents is possible."]
    assert record.notes[0] in said[-1]
    assert sum(split.num_bytes for split in record.splits.values()) == len(text.encode())
    tokens = load_tokens(tmp_path / "out" / "tokens")
    assert tokens.split("test").documents == ("input.txt:test",)
    assert len(WithinWindows(tokens.split("test"), 16, max_windows_per_document=4, seed=0)) == 4


def test_a_split_that_stays_empty_is_said_to_be(tmp_path, make_text):
    rows = [make_text(seed) for seed in range(3)]
    pq.write_table(pa.table({"text": rows}), tmp_path / "rows.parquet")
    record = build_again(tmp_path / "rows.parquet", tmp_path / "out" / "tokens", vocab_size=280, test_fraction=0, validation_fraction=0)
    assert record.notes == ["The validation split is empty.", "The test split is empty."]
    split = load_tokens(tmp_path / "out" / "tokens").split("test")
    assert (len(split.tokens), split.documents) == (0, ())


def test_the_standard_library_is_a_corpus_of_whole_files_without_tests(tmp_path):
    record = build_tokens(
        CorpusSettings(name="python-stdlib"), TokenizerSettings(vocab_size=512), folder=tmp_path / "tokens", show=lambda _: None
    )
    tokens = load_tokens(tmp_path / "tokens")
    documents = {name: tokens.split(name).documents for name in SPLITS}
    everything = [document for some in documents.values() for document in some]
    assert {"argparse.py", "json/decoder.py", "unittest/case.py"} <= set(everything)
    assert not [name for name in everything if {"test", "tests", "idle_test", "site-packages"} & set(name.split("/"))]
    assert not [name for name in everything if not name.endswith(".py") or name.startswith("_sysconfigdata")]
    assert len(set(everything)) == len(everything) > 300
    assert len(documents["test"]) > 30
    assert record.dropped["near_duplicates"] == len(record.near_duplicates) > 20
    assert {"encodings"} <= {first.split("/")[0] for first, _ in record.near_duplicates}
    assert set(record.source_versions) == {"python"}
    assert len(WithinWindows(tokens.split("test"), 256, max_windows_per_document=16, seed=0)) > 300
