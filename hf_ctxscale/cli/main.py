"""main: the command line's entry, and how it ends: 0 done, 1 something broke, 2 the user can mend it, 130 interrupted."""

import sys
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from hf_ctxscale.cli.analyse import analyse
from hf_ctxscale.cli.condense import condense
from hf_ctxscale.cli.draw import draw
from hf_ctxscale.cli.publish import publish
from hf_ctxscale.cli.read_along import read_along
from hf_ctxscale.cli.run import run
from hf_ctxscale.cli.score import score
from hf_ctxscale.cli.space import space
from hf_ctxscale.cli.sweep import sweep
from hf_ctxscale.study import StageError, UserError


class CommandsWithExtras(TyperGroup):
    """Commands of which some need an extra: a package that it would bring is the user's to add; any other failed import is a fault of ours."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command.

        Raises:
            UserError: it needs a package of an extra that is not installed.
        """
        try:
            return super().invoke(ctx)
        except ImportError as error:
            from hf_ctxscale.cli.missing_extras import missing_extra_in_words

            sentence = missing_extra_in_words(error, command=f"{ctx.command_path} {ctx.invoked_subcommand}")
            if sentence is None:
                raise
            raise UserError(sentence) from error


app = typer.Typer(
    cls=CommandsWithExtras,
    help="How well does a language model use its context, and how does that change with scale and architecture?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(run)
app.command()(sweep)
app.command()(score)
app.command()(analyse)
app.command()(draw)
app.command()(condense)
app.command()(read_along)
app.command()(space)
app.add_typer(publish, name="publish", cls=CommandsWithExtras)


def main() -> None:
    """Runs the command; a user's mistake is a sentence, not a traceback."""
    try:
        app(prog_name="hf-ctxscale")
    except (UserError, StageError) as error:
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"error: {error}")
        sys.exit(2 if isinstance(error, UserError) else 1)
