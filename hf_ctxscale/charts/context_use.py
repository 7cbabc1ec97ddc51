"""What models do with their context: loss by position, the same targets with the context cut short, and the effective context."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from hf_ctxscale.architectures import TABLE
from hf_ctxscale.charts.line_labels import LineEnd, label_line_ends
from hf_ctxscale.charts.reach_bars import Reach, draw_reach_bars
from hf_ctxscale.charts.series import MARKERS, Row, family_colours, in_table_order, shades
from hf_ctxscale.charts.style import GREY, LABEL_POINTS, SMALL_POINTS, dress, log_x, new_axes, say_empty
from hf_ctxscale.study import size_label

# Models of no family of the table. Beside families, none has a colour that could be taken for theirs.
COLOURS_ALONE = ("#08519c", "#d55e00", "#404040", "#009e73", "#8e4585")
COLOURS_BESIDE_FAMILIES = ("#404040", "#009e73", "#b8860b", "#8c510a", "#7f7f7f")
OTHER_MARKERS = ("o", "s", "^", "v", "X")
CUT_DASHES = (0, (3, 1.6))
RIGHT_ROOM = 1.06  # the last cut's bar would otherwise stand on the edge


@dataclass(frozen=True)
class _Model:
    row: Row
    label: str
    colour: str
    marker: str
    bins: list[Row]
    cuts: list[Row]


def draw_context_use(
    runs: pa.Table,
    positions: pa.Table,
    ablation: pa.Table | None,
    *,
    score_ids: Sequence[str],
    labels: Mapping[str, str] | None = None,
    note: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draws one or a few models: loss in bins of position with a band, and loss by cut of the context with bars, where it was measured.

    Args:
        runs: results/runs.parquet.
        positions: results/positions.parquet.
        ablation: results/ablation.parquet; None where the study has none.
        score_ids: the models, by score, in the order of the bars of effective context.
        labels: score id -> name of the model; the score id itself where none is given.
        note: a line under the title, such as the text that the models were measured on.
        ax: axes with a right margin for the labels; None for a figure of its own.
    """
    ax = ax or new_axes()
    models = _models(runs, positions, ablation, score_ids=score_ids, labels=labels or {})
    cut = any(model.cuts for model in models)
    # One model needs no label at its line, which would take a quarter of the width.
    alone = models[0].label if len(models) == 1 else None
    dress(
        ax,
        title="Loss by tokens of context",
        subtitle="\n".join(line for line in (alone, note, _intervals(models, cut=cut)) if line),
        x_label="Tokens of context",
        y_label="Loss (nats per token)",
    )
    if not models:
        say_empty(ax)
        return ax
    furthest = max(row["position_to"] for model in models for row in model.bins)
    log_x(ax, 1, furthest * (RIGHT_ROOM if cut else 1))
    ends = [_draw_model(ax, model) for model in models]
    if cut:
        _legend(ax)
    reaches = [_reach(model) for model in models if model.row["effective_context"] is not None and model.cuts]
    taken = draw_reach_bars(ax, reaches, named=not alone)
    if not alone:
        label_line_ends(ax, ends, points=LABEL_POINTS, low=taken)
    return ax


def _models(
    runs: pa.Table, positions: pa.Table, ablation: pa.Table | None, *, score_ids: Sequence[str], labels: Mapping[str, str]
) -> list[_Model]:
    """The scores that have a curve, each with its rows, colour and marker."""
    bins, cuts = _by_score(positions, order="position_from"), _by_score(ablation, order="context_tokens")
    by_id = {row["score_id"]: row for row in runs.to_pylist()}
    rows = [by_id[score_id] for score_id in score_ids if bins[score_id] and score_id in by_id]
    looks = _looks(rows)
    return [
        _Model(row, labels.get(row["score_id"], row["score_id"]), *look, bins[row["score_id"]], cuts[row["score_id"]])
        for row, look in zip(rows, looks, strict=True)
    ]


def _by_score(table: pa.Table | None, *, order: str) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(table.to_pylist() if table is not None else (), key=lambda row: row[order]):
        if row["loss_nats"] is not None:
            rows[row["score_id"]].append(row)
    return rows


def _looks(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """(colour, marker) of each: its family's, the darkest first, or one of the colours for models that have none."""
    families = [row["architecture"] for row in rows]
    places = in_table_order({*TABLE, *families} - {None})
    others = COLOURS_BESIDE_FAMILIES if any(families) else COLOURS_ALONE
    found = []
    for number, family in enumerate(families):
        before = families[:number].count(family)
        if family is None:
            found.append((others[before % len(others)], OTHER_MARKERS[before % len(OTHER_MARKERS)]))
        else:
            markers = MARKERS[places.index(family) % len(MARKERS)]
            found.append((shades(family_colours(family), families.count(family))[-1 - before], markers[before % len(markers)]))
    return found


def _draw_model(ax: Axes, model: _Model) -> LineEnd:
    """The position curve, solid with a band; the cuts, dashed with open markers and bars. Returns where the curve ends."""
    x = [math.sqrt(row["position_from"] * row["position_to"]) for row in model.bins]
    ax.plot(x, [row["loss_nats"] for row in model.bins], color=model.colour, linewidth=1.6, clip_on=False)
    banded = [(at, row["loss_low"], row["loss_high"]) for at, row in zip(x, model.bins, strict=True) if row["loss_low"] is not None]
    if banded:
        at, low, high = zip(*banded, strict=True)
        ax.fill_between(at, low, high, color=model.colour, alpha=0.13, linewidth=0)
    if model.cuts:
        style: dict[str, Any] = {"marker": model.marker, "markersize": 5.5, "markerfacecolor": "white", "markeredgewidth": 1.3, "zorder": 3}
        k = [row["context_tokens"] for row in model.cuts]
        ax.plot(
            k, [row["loss_nats"] for row in model.cuts], color=model.colour, linewidth=1.2, linestyle=CUT_DASHES, clip_on=False, **style
        )
        for row in model.cuts:
            if row["loss_low"] is not None:
                ax.vlines(row["context_tokens"], row["loss_low"], row["loss_high"], color=model.colour, linewidth=1.1, alpha=0.8)
    return LineEnd(x[-1], model.bins[-1]["loss_nats"], model.label, model.colour)


def _reach(model: _Model) -> Reach:
    row, whole = model.row, model.cuts[-1]["context_tokens"]
    return Reach(
        label=model.label,
        colour=model.colour,
        marker=model.marker,
        tokens=row["effective_context"],
        low=row["effective_context_low"],
        high=row["effective_context_high"],
        context_tokens=whole,
        censored=bool(row["effective_context_censored"]),
    )


def _legend(ax: Axes) -> None:
    """Which curve is which, in grey: colours are the models'."""
    solid = Line2D([], [], color=GREY, linewidth=1.6, label="by position in the window")
    dashed = Line2D([], [], color=GREY, linewidth=1.2, linestyle=CUT_DASHES, marker="o", markersize=5.5, markerfacecolor="white")
    dashed.set_label("same targets, context cut to k")
    # Room above the curves, so that it hides none of them.
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.2 * (high - low))
    ax.legend(
        handles=[solid, dashed], loc="upper right", fontsize=SMALL_POINTS, frameon=True, framealpha=0.85, edgecolor="none", borderpad=0.2
    )


def _intervals(models: Sequence[_Model], *, cut: bool) -> str | None:
    documents = {model.row["num_documents"] for model in models if model.row["num_documents"] is not None}
    if not documents:
        return None
    if not any(row["loss_low"] is not None for model in models for row in model.bins):
        return f"no intervals: {_documents(documents)}"
    # The ablation may have taken its targets from some of the documents only.
    behind_bars = {row["num_documents"] for model in models for row in model.cuts}
    if not cut or behind_bars <= documents:
        return f"{'bands and bars' if cut else 'bands'}: 95 % intervals over {_documents(documents)}"
    return f"95 % intervals: bands over {_documents(documents)}, bars over {_span(behind_bars)}"


def _documents(counts: set[int]) -> str:
    return f"{_span(counts)} document{'' if counts == {1} else 's'}"


def _span(counts: set[int]) -> str:
    low, high = size_label(min(counts)), size_label(max(counts))
    return low if low == high else f"{low} to {high}"
