"""dry_run_lines: what an upload would put into its repository, without a network or a token: every file with its size, and the card."""

from pathlib import Path

from hf_ctxscale.publishing.connection import check_repo_id
from hf_ctxscale.publishing.upload import Upload

CARD = "README.md"


def dry_run_lines(upload: Upload) -> list[str]:
    """A heading, a line for each file with the total below, and the card as it is.

    Raises:
        UserError: the id is malformed.
    """
    check_repo_id(upload.repo_id)
    sizes = upload.sizes()
    width = max(len(_bytes(size)) for size in (*sizes.values(), sum(sizes.values())))
    lines = [f"{upload.repo_type} {upload.repo_id}: {upload.message}"]
    lines += [f"  {_bytes(size):>{width}}  {path}" for path, size in sizes.items()]
    lines.append(f"  {_bytes(sum(sizes.values())):>{width}}  in {len(sizes)} file{'' if len(sizes) == 1 else 's'}")
    if CARD in upload.files:
        lines += ["", f"{CARD}:", "", *_text(upload.files[CARD]).splitlines(), ""]
    return lines


def _bytes(size: int) -> str:
    return f"{size:,} B"


def _text(content: Path | bytes) -> str:
    return (content if isinstance(content, bytes) else content.read_bytes()).decode("utf-8")
