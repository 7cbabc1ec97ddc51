"""Columns of a table from elsewhere: which names stand for N, D, position, loss and the rest, and what is said where none does."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from hf_ctxscale.study import UserError

# What each column is called here, then what else it may be called, as in the package's own tables. Case does not matter.
NAMES: dict[str, tuple[str, ...]] = {
    "N": ("body_params",),
    "D": ("train_tokens",),
    "position": ("context_position",),
    "loss": ("loss_nats",),
    "series": (),
    "std_error": (),
    "seed": (),
}
EXPECTED = "(N, loss), (N, D, loss) or (position, loss), and where known series, std_error and seed"


def parse_columns(text: str) -> dict[str, str]:
    """What ``--columns N=params,loss=val`` says: the name here -> the table's own.

    Raises:
        UserError: it is not of this form, or names a column that is none of those expected.
    """
    known = {name.lower(): name for name in NAMES}
    columns: dict[str, str] = {}
    for part in text.split(","):
        name, _, own = (piece.strip() for piece in part.partition("="))
        if not own:
            raise UserError(f"--columns {text!r} is not of the form N=params,loss=val: {part.strip()!r} does not say which column it is.")
        if name.lower() not in known:
            raise UserError(f"--columns names {name!r}; allowed before the '=' are {', '.join(NAMES)}.")
        if known[name.lower()] in columns:
            raise UserError(f"--columns {text!r} names {name!r} twice.")
        columns[known[name.lower()]] = own
    return columns


def stands_for(given: str) -> str | None:
    """Which of NAMES a table's own name is understood as; None: it is not known."""
    return next((name for name, others in NAMES.items() if _plain(given) in {_plain(known) for known in (name, *others)}), None)


def find_columns(given: Sequence[str], *, columns: Mapping[str, str], path: Path) -> dict[str, str]:
    """The name here -> the name in the table, of the columns that the table has.

    Args:
        given: the names in the table.
        columns: of the names here, those that are called otherwise in the table.

    Raises:
        UserError: a column is missing, or there are two for one thing.
    """
    found: dict[str, str] = {}
    for name in NAMES:
        if name in columns:
            matching = [own for own in given if own == columns[name]] or [own for own in given if _plain(own) == _plain(columns[name])]
        else:
            matching = [own for own in given if stands_for(own) == name and own not in columns.values()]
        if len(matching) > 1:
            raise UserError(f"{path} has {len(matching)} columns for {name}: {_quoted(matching)}; keep one of them.")
        if not matching and name in columns:
            raise UserError(f"--columns says that {name} is {columns[name]!r}, and {path} has no such column; it has {_quoted(given)}.")
        if matching:
            found[name] = matching[0]
    if "loss" not in found or not {"N", "position"} & set(found):
        raise UserError(f"the columns of {path} are {_quoted(given)}; expected are {EXPECTED}. {_what_to_do(given, found, path=path)}")
    if "position" in found and {"N", "D"} & set(found):
        both = _quoted([found[name] for name in ("N", "D", "position") if name in found])
        raise UserError(
            f"{path} has {both}: loss against size and loss against position are two tables; leave one out. Expected are {EXPECTED}."
        )
    return found


def _what_to_do(given: Sequence[str], found: Mapping[str, str], *, path: Path) -> str:
    """The command that would name the columns, as far as their names let one guess."""
    if all(_is_number(own) for own in given):
        return "The first line holds numbers: write a line of names above it, such as N,loss."
    unknown = [own for own in given if own not in found.values()]
    losses = [own for own in unknown if "loss" in _plain(own)] or unknown[:2][-1:]
    if "loss" in found:
        losses = []
    tokens = [own for own in unknown if "token" in _plain(own) and own not in losses[:1]]
    if {"D", "position"} & set(found):
        tokens = []
    sizes = [own for own in unknown if own not in (*losses[:1], *tokens[:1])]
    if {"N", "position"} & set(found):
        sizes = []
    guess = {name: own[0] for name, own in (("N", sizes), ("D", tokens), ("loss", losses)) if own}
    if not {"loss"} <= set(found) | set(guess) or not {"N", "position"} & (set(found) | set(guess)):
        return "Add what is missing."
    columns = ",".join(f"{name}={own.strip()}" for name, own in guess.items())
    return f"Say which is which: `hf-ctxscale analyse {shlex.quote(str(path))} --columns {shlex.quote(columns)}`."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(name: str) -> str:
    return name.strip().lower()


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
