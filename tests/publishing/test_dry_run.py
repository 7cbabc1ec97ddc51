"""What a dry run shows: every file with its size, and the card; nothing is asked of anybody."""

import pytest

from hf_ctxscale.publishing.dry_run import dry_run_lines
from hf_ctxscale.publishing.upload import Upload
from hf_ctxscale.study import UserError

CARD = "---\nlicense: mit\n---\n\n# Größe\n"


def test_every_file_is_listed_with_its_size_then_the_card(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    (tmp_path / "weights").write_bytes(b"0" * 12_345)
    upload = Upload("me/small", "model", {"model.safetensors": tmp_path / "weights", "README.md": CARD.encode()}, "Upload small")
    assert dry_run_lines(upload) == [
        "model me/small: Upload small",
        f"      {len(CARD.encode())} B  README.md",
        "  12,345 B  model.safetensors",
        f"  {12_345 + len(CARD.encode()):,} B  in 2 files",
        "",
        "README.md:",
        "",
        *CARD.splitlines(),
        "",
    ]


def test_an_upload_without_a_card_shows_its_files_alone():
    assert dry_run_lines(Upload("me/small", "space", {"app.py": b"1"}, "m")) == ["space me/small: m", "  1 B  app.py", "  1 B  in 1 file"]


def test_a_malformed_id_is_refused_as_a_push_would():
    with pytest.raises(UserError, match="give OWNER/NAME"):
        dry_run_lines(Upload("small", "model", {"a.txt": b"1"}, "m"))
