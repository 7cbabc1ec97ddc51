"""`hf-ctxscale analyse STUDY`: tables, fits and claims from what was scored; needs no torch."""

from pathlib import Path
from typing import Annotated

import typer


def analyse(study: Annotated[Path, typer.Argument(help="The study folder.", show_default=False)]) -> None:
    """Fits curves and judges claims: results/*.parquet and results/fits.json."""
    from hf_ctxscale.cli.pipeline import analyse_results, open_existing

    analyse_results(open_existing(study))
