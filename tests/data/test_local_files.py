"""Local text becomes documents; what cannot be read is named."""

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_ctxscale.corpora import LOCAL_TEXT, TABLE
from hf_ctxscale.data.local_files import open_files
from hf_ctxscale.study import UserError


def read(path, *, rules=LOCAL_TEXT, text_column="text"):
    source = open_files(path, rules=rules, text_column=text_column, label="corpus")
    return {split: [(document.id, document.text) for document in reader()] for split, reader in source.readers.items()}


def content_hash(path, *, rules=LOCAL_TEXT, text_column="text"):
    return open_files(path, rules=rules, text_column=text_column, label="corpus").content_hash


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_text_file_is_one_document_with_its_line_ends_as_they_are(tmp_path):
    (tmp_path / "input.txt").write_bytes("\ufeffone\r\ntwo\n".encode())
    assert read(tmp_path / "input.txt") == {"train": [("input.txt", "one\r\ntwo\n")]}


def test_a_folder_of_text_files_is_one_document_per_file_in_the_order_of_paths(tmp_path):
    for name in ("b.txt", "a/z.txt", "a.txt", ".hidden.txt", ".git/x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert read(tmp_path) == {"train": [(name, name) for name in ("a.txt", "a/z.txt", "b.txt")]}


def test_a_folder_without_known_endings_is_a_folder_of_text_files(tmp_path):
    (tmp_path / "a.tex").write_text("a")
    (tmp_path / "b.md").write_text("b")
    assert read(tmp_path) == {"train": [("a.tex", "a"), ("b.md", "b")]}


def test_files_of_another_kind_are_left_out_and_said_to_be(tmp_path):
    write_lines(tmp_path / "rows.jsonl", [{"text": "a"}])
    (tmp_path / "README.txt").write_text("about the rows")
    source = open_files(tmp_path, rules=LOCAL_TEXT, text_column="text", label="corpus")
    assert [document.text for document in source.readers["train"]()] == ["a"]
    assert source.notes == ("1 files of other kinds were left out.",)


def test_parquet_rows_are_documents_named_by_id_or_title_or_file_and_row(tmp_path):
    pq.write_table(pa.table({"text": ["x", "y", None], "id": [7, 8, None], "title": ["t", "u", "v"]}), tmp_path / "ids.parquet")
    pq.write_table(pa.table({"text": ["x", "y"], "title": ["t", ""]}), tmp_path / "titles.parquet")
    pq.write_table(pa.table({"body": [f"text {row}" for row in range(50)]}), tmp_path / "plain.parquet", row_group_size=7)
    assert read(tmp_path / "ids.parquet")["train"] == [("7", "x"), ("8", "y"), ("ids.parquet:2", "")]
    assert read(tmp_path / "titles.parquet")["train"] == [("t", "x"), ("titles.parquet:1", "y")]
    assert read(tmp_path / "plain.parquet", text_column="body")["train"] == [(f"plain.parquet:{row}", f"text {row}") for row in range(50)]


def test_json_lines_rows_are_documents_and_blank_lines_are_none(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"text": "a\\nb", "id": "one"}\n\n{"text": null}\n{"text": "é\u2028è"}', encoding="utf-8")
    assert read(tmp_path / "rows.jsonl")["train"] == [("one", "a\nb"), ("rows.jsonl:2", ""), ("rows.jsonl:3", "é\u2028è")]


@pytest.mark.parametrize(
    "names", [("train.txt", "val.txt", "test.txt"), ("train-0.txt", "dev_1.txt", "test_a.txt"), ("training.txt", "valid.txt", "test.txt")]
)
def test_files_named_after_splits_are_the_splits(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text(name)
    assert read(tmp_path) == {split: [(name, name)] for split, name in zip(("train", "validation", "test"), names, strict=True)}


def test_folders_named_after_splits_are_the_splits(tmp_path):
    for name in ("train/1.txt", "train/test.txt", "test/1.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert read(tmp_path) == {"train": [("train/1.txt",) * 2, ("train/test.txt",) * 2], "test": [("test/1.txt",) * 2]}


def test_the_hubs_layout_of_parquet_shards_is_understood(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001"):
        pq.write_table(pa.table({"text": [name]}), tmp_path / "data" / f"{name}.parquet")
    assert {split: len(documents) for split, documents in read(tmp_path).items()} == {"train": 2, "validation": 1}


def test_names_that_only_begin_like_a_split_are_no_splits(tmp_path):
    for name in ("trains.txt", "valley.txt", "testament.txt", "devil.txt"):
        (tmp_path / name).write_text(name)
    assert set(read(tmp_path)) == {"train"}


def test_a_folder_without_training_files_has_no_splits_of_its_own(tmp_path):
    for name in ("test.txt", "a.txt"):
        (tmp_path / name).write_text(name)
    assert read(tmp_path) == {"train": [("a.txt", "a.txt"), ("test.txt", "test.txt")]}


def test_some_files_named_after_splits_and_some_not_is_an_error(tmp_path):
    for name in ("train.txt", "notes.txt"):
        (tmp_path / name).write_text(name)
    with pytest.raises(UserError, match=r"'train.txt', which names a split, beside 'notes.txt', which names none; name every file"):
        read(tmp_path)


def test_the_content_hash_follows_text_and_rules_but_not_the_place(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        (folder / "a.txt").write_text("a")
    before = content_hash(one)
    assert content_hash(two) == before
    assert content_hash(two, text_column="other") == before  # text files have no columns
    changed = ({"min_characters": 2}, {"near_duplicate_jaccard": 0.5}, {"left_out": ("b.txt",)}, {"file_pattern": "*.txt"})
    assert all(content_hash(two, rules=replace(LOCAL_TEXT, **change)) != before for change in changed)
    assert content_hash(two, rules=replace(LOCAL_TEXT, description="in other words")) == before
    (two / "a.txt").write_text("b")
    assert content_hash(two) != before
    (two / "a.txt").write_text("a")
    (two / "b.txt").write_text("")
    assert content_hash(two) != before
    write_lines(tmp_path / "rows.jsonl", [{"text": "a", "other": "b"}])
    assert content_hash(tmp_path / "rows.jsonl") != content_hash(tmp_path / "rows.jsonl", text_column="other")


def test_the_rules_of_python_stdlib_hold_on_a_local_folder(tmp_path):
    kept = ("a.py", "json/decoder.py", "unittest/case.py")
    left_out = (
        *("test/test_a.py", "json/tests/b.py", "idlelib/idle_test/c.py", "site-packages/d.py", "__pycache__/e.py", "x_test/f.py"),
        *("config-3.11-x86_64-linux-gnu/g.py", "_sysconfigdata__linux_x86_64-linux-gnu.py", "notes.txt", ".venv/h.py"),
    )
    for name in (*kept, *left_out):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert read(tmp_path, rules=TABLE["python-stdlib"]) == {"train": [(name, name) for name in kept]}


def test_a_python_file_is_read_in_the_encoding_that_it_declares(tmp_path):
    (tmp_path / "a.py").write_bytes("# -*- coding: latin-1 -*-\n# é\n".encode("latin-1"))
    assert read(tmp_path, rules=TABLE["python-stdlib"])["train"][0][1].endswith("# é\n")


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(
        UserError, match=r"corpus path '.*nowhere' does not exist; give a text, parquet or JSON lines file, or a folder of them"
    ):
        read(tmp_path / "nowhere")


def test_a_folder_without_files_is_named(tmp_path):
    with pytest.raises(UserError, match=r"holds no files; give a folder of text"):
        read(tmp_path)
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(UserError, match=r"holds no file named \*\.py"):
        read(tmp_path, rules=TABLE["python-stdlib"])


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_an_undecodable_text_file_is_named_with_the_byte(tmp_path, mark):
    content = mark + b"abc \xff def"
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(
        UserError, match=rf"bad\.txt' is not UTF-8 text: byte {content.index(0xFF, 3)} \(counted from 0\) is 0xff; convert it"
    ):
        read(tmp_path / "bad.txt")


def test_an_undecodable_json_line_is_named_with_its_byte_in_the_file(tmp_path):
    content = b'{"text": "a"}\n{"text": "\xe9"}\n'
    (tmp_path / "bad.jsonl").write_bytes(content)
    with pytest.raises(UserError, match=rf"byte {content.index(0xE9)} \(counted from 0\) is 0xe9"):
        read(tmp_path / "bad.jsonl")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "a"}\n{"text": "b"\n', r"line 2 of .*rows.json' is not JSON: .*jq"),
        ('["a", "b"]', r"line 1 of .* holds a list, but each line has to be an object"),
        ('{"text": "a"}\n{"body": "b"}', r"line 2 of .* has no column 'text'; its columns are body. Name one with 'text_column'"),
        ('{"text": 3}', r"column 'text' of .* holds a int in row 0, not text; choose .*columns: text"),
    ],
)
def test_json_lines_that_hold_no_text_are_named(tmp_path, content, message):
    (tmp_path / "rows.json").write_text(content)
    with pytest.raises(UserError, match=message):
        read(tmp_path / "rows.json")


def test_a_parquet_file_without_the_text_column_lists_its_columns(tmp_path):
    pq.write_table(pa.table({"id": [1], "body": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet' has no column 'text'; its columns are id, body\. Name one with 'text_column'"):
        read(tmp_path / "a.parquet")


def test_a_file_that_only_claims_to_be_parquet_is_named(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=r"a\.parquet' cannot be read as parquet: .* Give a whole parquet file"):
        read(tmp_path / "a.parquet")
