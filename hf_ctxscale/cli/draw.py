"""`hf-ctxscale draw STUDY`: charts and report from the results; needs no torch."""

from pathlib import Path
from typing import Annotated

import typer


def draw(study: Annotated[Path, typer.Argument(help="The study folder.", show_default=False)]) -> None:
    """Draws charts/*.svg and *.png, and writes report.html and report.md."""
    from hf_ctxscale.cli.pipeline import draw_results, open_existing

    draw_results(open_existing(study))
