"""`hf-ctxscale condense STUDY --out FOLDER`: a small copy of a study, without models and tokens, to ship and to analyse; needs no torch."""

from pathlib import Path
from typing import Annotated

import typer


def condense(
    study: Annotated[Path, typer.Argument(help="The study folder.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The folder of the copy, which must not exist yet.", show_default=False)],
) -> None:
    """Copies what analyse and draw need, with losses summed by bin of positions; fits, claims and charts stay the same."""
    from hf_ctxscale.analysis.condense import condense_study
    from hf_ctxscale.cli.pipeline import open_existing
    from hf_ctxscale.cli.stages import show, stage

    with stage("condense"):
        full = open_existing(study)
        condensed = condense_study(full, folder=out)
        before, after = (_megabytes(folder) for folder in (full.folder, condensed.folder))
        show(f"{condensed.folder}: {after:.1f} MB of {before:.1f} MB; `hf-ctxscale draw {condensed.folder}` makes its charts and report")


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
