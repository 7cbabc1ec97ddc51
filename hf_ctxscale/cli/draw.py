"""`hf-ctxscale draw STUDY`, or a CSV table from elsewhere: charts and report from the results; needs no torch."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Given = Annotated[
    Path, typer.Argument(metavar="STUDY|TABLE.csv", help="The study folder, or a CSV file as for `analyse`.", show_default=False)
]
Style = Annotated[Literal["modern", "figure7"], typer.Option(help="figure7: also a chart in the form of Kaplan et al. 2020, figure 7.")]
Paper = Annotated[
    bool | None,
    typer.Option(
        "--paper/--no-paper",
        help="The paper's values, read off by eye, beside the study's.  \\[default: with figure7 only]",
        show_default=False,
    ),
]


def draw(given: Given, style: Style = "modern", paper: Paper = None) -> None:
    """Draws charts/*.svg, *.png and *.pdf, and writes report.html and report.md."""
    from hf_ctxscale.cli.given import folder_of, is_table, open_table
    from hf_ctxscale.cli.pipeline import analyse_results, draw_results, open_existing
    from hf_ctxscale.study import Study

    if is_table(given):
        fits = Study(folder_of(given)).fits_file
        if not fits.is_file() or (given.is_file() and given.stat().st_mtime > fits.stat().st_mtime):
            analyse_results(open_table(given))
        given = folder_of(given)
    draw_results(open_existing(given), style=style, paper=style == "figure7" if paper is None else paper)
