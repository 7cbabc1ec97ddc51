"""to_query, from_query: what a visitor chose to see, as the part of a link behind its question mark, and back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from hf_ctxscale.charts.chosen_view import Unit, View, ViewChoices
from hf_ctxscale.charts.size_marks import Measure

X: dict[str, Measure] = {"body": "body_params", "total": "total_params", "flops": "train_flops", "seconds": "train_seconds"}
UNITS: dict[str, Unit] = {"nats": "nats", "bits": "bits_per_byte"}
LOG = {"size": "size_x_log", "loss-by-size": "size_y_log", "position": "position_x_log", "loss-by-position": "position_y_log"}
ALSO = {"fits": "fits", "intervals": "bands", "paper": "paper"}
NONE = "none"
MOST_CHARACTERS = 60  # of what a notice quotes


@dataclass(frozen=True)
class OpenedLink:
    """What a link asks for, and sentences about what of it was ignored."""

    view: View
    tab: str | None
    notices: tuple[str, ...]


def to_query(view: View, *, tab: str | None = None) -> str:
    """``x=flops&families=lstm``: what departs from the first sight, and the tab; empty where nothing does."""
    plain = View()
    pairs = [] if tab is None else [("tab", tab)]
    pairs += [
        (key, _word(words, getattr(view, name))) for key, words, name in (("x", X, "x"), ("y", UNITS, "unit")) if _departs(view, name)
    ]
    pairs += [
        (key, _several(words, view)) for key, words in (("log", LOG), ("with", ALSO)) if _chosen(words, view) != _chosen(words, plain)
    ]
    pairs += [
        (name, ",".join(map(str, chosen)) or NONE)
        for name in ("families", "depths", "sizes", "seeds")
        if (chosen := getattr(view, name)) is not None
    ]
    return urlencode(pairs, safe=",")


def from_query(query: str, *, choices: ViewChoices, tabs: Collection[str]) -> OpenedLink:
    """Reads a link; what is unknown or broken is ignored, and a notice says so.

    Args:
        query: with or without its question mark.
        choices: what the study can be chosen by.
        tabs: names of the page's tabs.
    """
    view, tab, notices = View(), None, []
    every = _allowed(choices, tabs)
    for key, value in parse_qsl(query.removeprefix("?"), keep_blank_values=True):
        # The Hub's own frame adds names that begin with two underscores.
        if key.startswith("__"):
            continue
        allowed = every.get(key)
        if allowed is None:
            notices.append(f"The link's {_quoted(key)} is not known here and was ignored; allowed: {', '.join(every)}.")
            continue
        parts = value.split(",") if key not in ("tab", "x", "y") else [value]
        known = [part for part in dict.fromkeys(parts) if part in allowed]
        unknown = [part for part in parts if part not in allowed and part not in ("", NONE)]
        if unknown:
            notices.append(
                f"The link's {key}={_quoted(','.join(unknown))} is not known here and was ignored; allowed: {', '.join(allowed)}."
            )
        if key == "tab":
            tab = known[0] if known else None
        elif known or not unknown:
            view = _with(view, key, known, allowed)
    return OpenedLink(view, tab, tuple(notices))


def _allowed(choices: ViewChoices, tabs: Collection[str]) -> dict[str, Sequence[str]]:
    return {
        "tab": tuple(tabs),
        "x": tuple(X),
        "y": tuple(UNITS),
        "log": tuple(LOG),
        "with": tuple(ALSO),
        "families": choices.families,
        "depths": tuple(map(str, choices.depths)),
        "sizes": choices.sizes,
        "seeds": tuple(map(str, choices.seeds)),
    }


def _with(view: View, key: str, known: Sequence[str], allowed: Sequence[str]) -> View:
    """The view with what one part of a link says."""
    if key == "x":
        return replace(view, x=X[known[0]]) if known else view
    if key == "y":
        return replace(view, unit=UNITS[known[0]]) if known else view
    if key in ("log", "with"):
        flags: dict[str, Any] = {name: word in known for word, name in (LOG if key == "log" else ALSO).items()}
        return replace(view, **flags)
    chosen = tuple(word for word in allowed if word in known)
    changed: dict[str, Any] = {key: tuple(map(int, chosen)) if key in ("depths", "seeds") else chosen}
    return replace(view, **changed)


def _departs(view: View, name: str) -> bool:
    return getattr(view, name) != getattr(View(), name)


def _word(words: Mapping[str, str], value: str) -> str:
    return next(word for word, name in words.items() if name == value)


def _chosen(words: dict[str, str], view: View) -> list[str]:
    return [word for word, name in words.items() if getattr(view, name)]


def _several(words: dict[str, str], view: View) -> str:
    return ",".join(_chosen(words, view)) or NONE


def _quoted(text: str) -> str:
    return repr(text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…")
