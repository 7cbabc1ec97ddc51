"""`hf-ctxscale analyse STUDY`, or a CSV table from elsewhere: tables, fits and claims from what was measured; needs no torch."""

from pathlib import Path
from typing import Annotated

import typer

Given = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY|TABLE.csv",
        help="The study folder, or a CSV file of (N, loss), (N, D, loss) or (position, loss).",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None, typer.Option(help="Of a table: the folder of its fits and charts.  \\[default: TABLE-fits beside it]", show_default=False)
]
Columns = Annotated[
    str | None,
    typer.Option(
        help="Of a table: which column is what, such as N=params,loss=val; also D, position, series, std_error, seed.", show_default=False
    ),
]


def analyse(given: Given, out: Out = None, columns: Columns = None) -> None:
    """Fits laws and judges claims: results/*.parquet and results/fits.json."""
    from hf_ctxscale.cli.given import is_table, open_table
    from hf_ctxscale.cli.pipeline import analyse_results, open_existing
    from hf_ctxscale.study import UserError

    if is_table(given):
        study = open_table(given, out=out, columns=columns)
    elif out is not None or columns is not None:
        raise UserError(
            f"--out and --columns are for CSV tables, and {str(given)!r} is none; `hf-ctxscale analyse {given}` works in the folder."
        )
    else:
        study = open_existing(given)
    analyse_results(study)
