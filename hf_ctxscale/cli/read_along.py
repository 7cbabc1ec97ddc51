"""`hf-ctxscale read-along MODEL [MODEL2] --text FILE`: what a long context buys at every token of a text, as a coloured page."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from hf_ctxscale.records import BosPolicy
from hf_ctxscale.study import UserError

Models = Annotated[list[str], typer.Argument(help="One model or two, each a folder or a Hub id.", show_default=False)]
Text = Annotated[str, typer.Option(help="A text file in UTF-8; '-': standard input.", show_default=False)]
Out = Annotated[Path, typer.Option(help="The page.")]
ShortContext = Annotated[int, typer.Option(help="Tokens of the short context.")]
Context = Annotated[
    int | None,
    typer.Option(help="Tokens of the full context at most.  \\[default: as many as the model reads at once]", show_default=False),
]
TableFile = Annotated[Path | None, typer.Option("--table", help="A CSV file with the numbers of every token.", show_default=False)]
Bos = Annotated[
    BosPolicy, typer.Option(help="What stands before every context: what the tokenizer puts there, nothing, or its BOS token always.")
]
Revisions = Annotated[
    list[str] | None, typer.Option("--revision", help="Commit, branch or tag of a Hub model; once for each model.", show_default=False)
]
Trust = Annotated[bool, typer.Option("--trust-remote-code", help="Run the code that comes with a model.")]
Dtype = Annotated[str, typer.Option(help="float32, bfloat16, float16, float64 or auto.")]
Device = Annotated[str | None, typer.Option(help="Such as cuda:1.  \\[default: the first GPU, or the CPU]", show_default=False)]


def read_along(
    models: Models,
    text: Text,
    out: Out = Path("read-along.html"),
    short_context: ShortContext = 16,
    context: Context = None,
    table: TableFile = None,
    bos: Bos = "auto",
    revision: Revisions = None,
    trust_remote_code: Trust = False,
    dtype: Dtype = "float32",
    device: Device = None,
) -> None:
    """Shows each token's loss with the full context and with the last few tokens alone, for one model or two."""
    _check_models(models, revision)
    words = _read_text(text)

    from transformers.utils import logging

    from hf_ctxscale.cli.stages import show, stage
    from hf_ctxscale.reporting.token_html import result_sentence, write_token_page
    from hf_ctxscale.reporting.token_table import write_token_table
    from hf_ctxscale.scoring.open_model import open_causal_lm
    from hf_ctxscale.scoring.token_by_token import score_text

    commits: list[str | None] = [*revision] if revision else [None] * len(models)
    logging.disable_progress_bar()
    readings = []
    for model, commit in zip(models, commits, strict=True):
        with stage(f"read {model}"), Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("Reading", total=None)
            readings.append(
                score_text(
                    open_causal_lm(model, revision=commit, trust_remote_code=trust_remote_code, dtype=dtype, device=device),
                    words,
                    short_context_tokens=short_context,
                    context_tokens=context,
                    bos=bos,
                    show=partial(_advance, progress, task),
                )
            )
        show(result_sentence(readings[-1]))
    write_token_page(out, readings)
    show(str(out))
    if table is not None:
        write_token_table(table, readings)
        show(str(table))


def _advance(progress: Progress, task: TaskID, done: int, total: int) -> None:
    progress.update(task, completed=done, total=total)


def _check_models(models: list[str], revisions: list[str] | None) -> None:
    if len(models) > 2:
        raise UserError(
            f"{len(models)} models were given; a page shows one or two: give one or two, or compare more with `hf-ctxscale score`."
        )
    if revisions and len(revisions) != len(models):
        raise UserError(
            f"--revision was given {len(revisions)} time(s) for {len(models)} model(s); give it once for each, in their order, or not at all."
        )


def _read_text(source: str) -> str:
    if source != "-" and not Path(source).is_file():
        raise UserError(f"there is no text file {source!r}; give --text a file in UTF-8, or '-' for standard input.")
    data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"text {source!r} is not UTF-8 (byte {error.start}); convert it, for example with `iconv -t UTF-8`.") from None
