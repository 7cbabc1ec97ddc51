"""What models do with their context: loss by position, the same targets with the context cut short, and the effective context."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from hf_ctxscale.architectures import TABLE
from hf_ctxscale.charts.chart_data import Axis, Bars, Chart, Line, Mark, Panel
from hf_ctxscale.charts.hover import hover_text, loss_text, position_text
from hf_ctxscale.charts.loss_vs_position import band_of, middles
from hf_ctxscale.charts.reach_bars import ROW_HEIGHT, Reach, reach_panel
from hf_ctxscale.charts.series import MARKERS, Row, family_colours, in_table_order, shades
from hf_ctxscale.charts.style import GREY
from hf_ctxscale.study import size_label

# Models of no family of the table. Beside families, none has a colour that could be taken for theirs.
COLOURS_ALONE = ("#08519c", "#d55e00", "#404040", "#009e73", "#8e4585")
COLOURS_BESIDE_FAMILIES = ("#404040", "#009e73", "#b8860b", "#8c510a", "#7f7f7f")
OTHER_MARKERS = ("o", "s", "^", "v", "X")
BAND_OPACITY = 0.13
RIGHT_ROOM = 1.06  # the last cut's bar would otherwise stand on the edge
ROOM_FOR_ARROWS = 1.3  # to the right of the whole context, for models whose effective context has no known end
HEADING_HEIGHT = 0.06  # of a panel: what stands above the bars of effective context
# Which curve is which, in grey: colours are the models'.
KEY = (
    Line((), (), GREY, name="by position in the window"),
    Line((), (), GREY, name="same targets, context cut to k", dash="dashed", width=1.2, marker="o", marker_size=5.5, filled=False),
)


@dataclass(frozen=True)
class _Model:
    row: Row
    label: str
    colour: str
    marker: str
    bins: list[Row]
    cuts: list[Row]


def context_use_chart(
    runs: pa.Table,
    positions: pa.Table,
    ablation: pa.Table | None,
    *,
    score_ids: Sequence[str],
    labels: Mapping[str, str] | None = None,
    note: str | None = None,
) -> Chart:
    """One or a few models: loss in bins of position with a band, and loss by cut of the context with bars, where it was measured.

    Args:
        runs: results/runs.parquet.
        positions: results/positions.parquet.
        ablation: results/ablation.parquet; None where the study has none.
        score_ids: the models, by score, in the order of the bars of effective context.
        labels: score id -> name of the model; the score id itself where none is given.
        note: a line under the title, such as the text that the models were measured on.
    """
    models = _models(runs, positions, ablation, score_ids=score_ids, labels=labels or {})
    cut = any(model.cuts for model in models)
    # One model needs no label at its line, which would take a quarter of the width.
    alone = models[0].label if len(models) == 1 else None
    reaches = [_reach(model) for model in models if model.row["effective_context"] is not None and model.cuts]
    furthest = max((row["position_to"] for model in models for row in model.bins), default=1)
    room = ROOM_FOR_ARROWS if any(reach.open_ended for reach in reaches) else RIGHT_ROOM if cut else 1
    x = Axis("Tokens of context", log=True, low=1, high=furthest * room)
    curves = Panel(
        x=x,
        y=Axis("Loss (nats per token)"),
        marks=tuple(mark for model in models for mark in _marks(model, labelled=not alone)),
        height=1 - HEADING_HEIGHT - ROW_HEIGHT * len(reaches) if reaches else 1.0,
        key=KEY if cut else (),
    )
    return Chart(
        name="context_use",
        title="Loss by tokens of context",
        subtitle="\n".join(line for line in (alone, note, _intervals(models, cut=cut)) if line),
        panels=(curves, reach_panel(reaches, x=x, named=not alone)) if reaches else (curves,),
    )


def _models(
    runs: pa.Table, positions: pa.Table, ablation: pa.Table | None, *, score_ids: Sequence[str], labels: Mapping[str, str]
) -> list[_Model]:
    """The scores that have a curve, each with its rows, colour and marker."""
    bins, cuts = _by_score(positions, order="position_from"), _by_score(ablation, order="context_tokens")
    by_id = {row["score_id"]: row for row in runs.to_pylist()}
    rows = [by_id[score_id] for score_id in score_ids if bins[score_id] and score_id in by_id]
    looks = model_looks(rows)
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


def model_looks(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """(colour, marker) of each row of the table of runs: its family's, the darkest first, or one of the colours for models that have none."""
    families = [row["architecture"] for row in rows]
    places = in_table_order({*TABLE, *families} - {None})
    others = COLOURS_BESIDE_FAMILIES if any(families) else COLOURS_ALONE
    taken = {shape for family in families if family is not None for shape in MARKERS[places.index(family) % len(MARKERS)]}
    free = [shape for shape in OTHER_MARKERS if shape not in taken] or OTHER_MARKERS
    found = []
    for number, family in enumerate(families):
        before = families[:number].count(family)
        if family is None:
            found.append((others[before % len(others)], free[before % len(free)]))
        else:
            markers = MARKERS[places.index(family) % len(MARKERS)]
            found.append((shades(family_colours(family), families.count(family))[-1 - before], markers[before % len(markers)]))
    return found


def _marks(model: _Model, *, labelled: bool) -> list[Mark]:
    """The position curve, solid with a band; the cuts, dashed with open markers and bars."""
    band = band_of(model.bins, colour=model.colour, group=model.label, opacity=BAND_OPACITY)
    curve = Line(
        x=middles(model.bins),
        y=tuple(row["loss_nats"] for row in model.bins),
        colour=model.colour,
        name=model.label,
        label=model.label if labelled else None,
        hover=tuple(
            hover_text(model.label, position_text(row["position_from"], row["position_to"]), _loss_text(row)) for row in model.bins
        ),
        group=model.label,
    )
    marks: list[Mark] = [*((band,) if band else ()), curve]
    if not model.cuts:
        return marks
    barred = [row for row in model.cuts if row["loss_low"] is not None]
    if barred:
        k, low, high = (tuple(row[key] for row in barred) for key in ("context_tokens", "loss_low", "loss_high"))
        marks.append(Bars(k, low, high, model.colour, width=1.1, group=model.label))
    cuts = Line(
        x=tuple(row["context_tokens"] for row in model.cuts),
        y=tuple(row["loss_nats"] for row in model.cuts),
        colour=model.colour,
        dash="dashed",
        width=1.2,
        marker=model.marker,
        marker_size=5.5,
        filled=False,
        hover=tuple(hover_text(model.label, f"context cut to {row['context_tokens']}", _loss_text(row)) for row in model.cuts),
        group=model.label,
    )
    return [*marks, cuts]


def _loss_text(row: Row) -> str:
    return loss_text(row["loss_nats"], row["loss_low"], row["loss_high"])


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
