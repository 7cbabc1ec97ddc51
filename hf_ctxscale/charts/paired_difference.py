"""The difference of two models by position of the same test documents: LSTM minus Transformer at each size, and shallow minus deep LSTM."""

from collections.abc import Mapping
from typing import Any

from hf_ctxscale.charts.chart_data import Axis, Band, Chart, Line, Mark, Panel, Rule
from hf_ctxscale.charts.context_use import COLOURS_ALONE, OTHER_MARKERS
from hf_ctxscale.charts.hover import hover_text, loss_text, position_text
from hf_ctxscale.charts.loss_vs_position import middles
from hf_ctxscale.charts.series import Row, shades
from hf_ctxscale.study import size_label

# Pairs of the same two kinds of model, such as LSTM minus Transformer at several sizes, are one colour's shades, the largest dark.
LIGHT = {"#08519c": "#9ecae1", "#d55e00": "#f5b98a", "#404040": "#bdbdbd", "#009e73": "#99d8c4", "#8e4585": "#d3aecf"}
ZERO = Rule(0.0)


def paired_difference_chart(fits: Mapping[str, Any]) -> Chart | None:
    """Each pair's difference in log-spaced bins of position with its simultaneous band; None where no two models can be paired.

    Args:
        fits: results/fits.json.
    """
    pairs = [pair for pair in fits.get("paired_differences", ()) if pair["bins"]]
    if not pairs:
        return None
    banded = any(row["low"] is not None for pair in pairs for row in pair["bins"])
    return Chart(
        name="paired_difference",
        title="Difference of two models by position",
        subtitle="above zero: the second of the two predicts better"
        + ("\nbands: simultaneous 95 % over all positions, by document" if banded else ""),
        panels=(
            Panel(
                x=Axis("Token index in context", log=True, low=1, high=max(row["position_to"] for pair in pairs for row in pair["bins"])),
                y=Axis("Difference in loss (nats per token)"),
                marks=(ZERO, *(mark for pair, look in zip(pairs, _looks(pairs), strict=True) for mark in _marks(pair, *look))),
            ),
        ),
    )


def _looks(pairs: list[Row]) -> list[tuple[str, str]]:
    """(colour, marker): a marker and hue for each kind of pair, a shade for each size."""
    kinds: dict[frozenset[Any], list[int]] = {}
    for place, pair in enumerate(pairs):
        kinds.setdefault(_kind(pair), []).append(place)
    looks = [("", "")] * len(pairs)
    for number, places in enumerate(kinds.values()):
        dark = COLOURS_ALONE[number % len(COLOURS_ALONE)]
        in_order = sorted(places, key=lambda place: pairs[place]["size"])
        for place, colour in zip(in_order, shades((LIGHT[dark], dark), len(places)), strict=True):
            looks[place] = (colour, OTHER_MARKERS[number % len(OTHER_MARKERS)])
    return looks


def _kind(pair: Row) -> frozenset[Any]:
    """Which families are compared: the best depth of a family may change with its size."""
    return frozenset(enumerate(_family(pair[key]) for key in ("first_label", "second_label")))


def _family(label: str) -> str:
    return label.split(",")[0]


def _marks(pair: Row, colour: str, marker: str) -> list[Mark]:
    name = f"{size_label(pair['size'])} {pair['first_label']} minus {pair['second_label']}"
    label = f"{size_label(pair['size'])} {_short(pair)}"
    bins = [row for row in pair["bins"] if row["difference_nats"] is not None]
    banded = [row for row in bins if row["low"] is not None and row["high"] is not None]
    line = Line(
        x=middles(bins),
        y=tuple(row["difference_nats"] for row in bins),
        colour=colour,
        name=name,
        label=label,
        marker=marker,
        marker_size=4.0,
        marker_every=3,
        hover=tuple(
            hover_text(
                name, position_text(row["position_from"], row["position_to"]), loss_text(row["difference_nats"], row["low"], row["high"])
            )
            for row in bins
        ),
        group=name,
    )
    if not banded:
        return [line]
    low, high = (tuple(row[key] for row in banded) for key in ("low", "high"))
    return [Band(middles(banded), low, high, colour, group=name), line]


def _short(pair: Row) -> str:
    """``LSTM − Transformer``; the depths where the family is one."""
    first, second = pair["first_label"], pair["second_label"]
    if _family(first) != _family(second):
        return f"{_family(first)} − {_family(second)}"
    return f"{first} − {second.removeprefix(_family(second)).lstrip(', ')}"
