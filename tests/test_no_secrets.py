"""Nothing that is shipped holds a token, a folder of the machine that made it, or the address of a package index."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = (".ci", "benchmarks", "configs", "docs", "hf_ctxscale", "space", "tests")
PICTURES = (".png", ".pdf")
# The Hub's tokens are `hf_` and 34 letters and digits; a package index is named by whoever installs, not here.
SECRETS = {
    "a token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "a folder of this machine": re.compile("|".join(re.escape(f"{folder}/") for folder in {str(ROOT), str(Path.home())} - {"/"})),
    "the address of a package index": re.compile(r"//(?:[\w.-]*\.)?(?:pypi\.org|pythonhosted\.org)"),
}


def _shipped() -> Iterator[Path]:
    yield from (path for path in ROOT.iterdir() if path.is_file())
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _text(path: Path) -> str:
    """What a file says; of a table its texts and its metadata, which lie compressed in it."""
    if path.suffix != ".parquet":
        return path.read_bytes().decode("utf-8", errors="replace")
    table = pq.read_table(path)
    columns = [column for column, field in zip(table.columns, table.schema, strict=True) if pa.types.is_string(field.type)]
    return "\n".join([str(table.schema.metadata), *(str(value) for column in columns for value in column.unique().to_pylist())])


def _secrets(path: Path) -> list[str]:
    text = _text(path)
    return [f"{path.relative_to(path.anchor)}: {what}: {found.group()}" for what, kind in SECRETS.items() if (found := kind.search(text))]


def test_no_shipped_file_holds_a_secret():
    paths = [path for path in _shipped() if path.suffix not in PICTURES]
    assert {ROOT / "README.md", ROOT / "space/settings.json", ROOT / "space/reference/results/runs.parquet"} <= set(paths)
    assert [found for path in paths for found in _secrets(path)] == []


@pytest.mark.parametrize("secret", ["hf_" + "aB3" * 11 + "c", f"{ROOT}/out", "https://py" + "pi.org/simple"])
def test_a_secret_would_be_found_in_text_and_in_tables(secret, tmp_path):
    text, table, metadata = (tmp_path / name for name in ("text.yaml", "table.parquet", "metadata.parquet"))
    text.write_text(f"key: {secret}\n")
    pq.write_table(pa.table({"model": [f"model {secret}"]}), table, compression="zstd")
    pq.write_table(pa.table({"number": [1]}).replace_schema_metadata({"made": secret}), metadata)
    for path in (text, table, metadata):
        assert len(_secrets(path)) == 1, path
