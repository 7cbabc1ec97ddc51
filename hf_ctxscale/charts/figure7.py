"""figure7_chart: the study in the form of the paper's figure 7: loss by size on the left, by token index on the right."""

from collections.abc import Collection, Sequence

import pyarrow as pa

from hf_ctxscale.architectures import series_label
from hf_ctxscale.charts.chart_data import Axis, Chart, Line, Mark, Panel
from hf_ctxscale.charts.hover import hover_text, loss_text, position_text
from hf_ctxscale.charts.loss_vs_position import bins_by_score, middles
from hf_ctxscale.charts.paper_overlay import PAPER_KEY, paper_position_marks, paper_size_marks
from hf_ctxscale.charts.series import SAME_SIZE, Row, Series, chart_series, shades
from hf_ctxscale.charts.size_marks import axis_around, series_marks
from hf_ctxscale.charts.subtitle import num_failed, subtitle
from hf_ctxscale.paper import APPROXIMATE
from hf_ctxscale.study import size_label

SIZES_PER_FAMILY = 3  # on the right: the paper's figure has six models of two families
# The paper's titles, as questions: what this study answers is for its claims to say.
QUESTIONS = (
    "Do Transformers outperform LSTMs\nthrough better use of long contexts?",
    "Do LSTMs plateau, and do Transformers\nimprove through the whole context?",
)
NEUTRAL = ("Test loss by model size", "Test loss by token index")
COMPARED = {"lstm", "gpt2"}  # architectures that the questions are about


def figure7_chart(runs: pa.Table, positions: pa.Table, *, paper: bool) -> Chart:
    """Two panels beside each other; families in the paper's reds and blues.

    Args:
        runs: results/runs.parquet, the runs that charts show.
        positions: results/positions.parquet.
        paper: whether the paper's values are laid over it, labelled as approximate.

    Source: Kaplan et al. 2020, figure 7. Its values are known only as read off the chart.
    """
    series = chart_series(runs)
    drawn = [run for line in series for run in line.runs]
    titles = QUESTIONS if {line.architecture for line in series} >= COMPARED else NEUTRAL
    below = subtitle(drawn, intervals=None, num_failed=num_failed(runs), note=f"paper: {APPROXIMATE}" if paper and drawn else None)
    return Chart(
        name="figure7",
        title="The form of Kaplan et al. 2020, figure 7",
        subtitle=below.replace("\n", " · "),
        panels=(
            _size_panel(series, title=titles[0], overlay=paper_size_marks() if paper and drawn else ()),
            _position_panel(series, positions, title=titles[1], overlay=paper_position_marks() if paper and drawn else ()),
        ),
        beside=True,
        style="figure7",
    )


def _size_panel(series: Sequence[Series], *, title: str, overlay: Sequence[Line]) -> Panel:
    sizes = [float(size) for line in series for size in line.sizes] + [x for mark in overlay for x in mark.x]
    marks: list[Mark] = [mark for line in series for mark in series_marks(line)]
    return Panel(
        x=axis_around(sizes, "Parameters (non-embedding)", counts=True),
        y=Axis("Test Loss"),
        marks=(*marks, *overlay),
        title=title,
        key=(PAPER_KEY,) if overlay else (),
    )


def _position_panel(series: Sequence[Series], positions: pa.Table, *, title: str, overlay: Sequence[Line]) -> Panel:
    bins = bins_by_score(positions)
    models = [model for line in _families(series) for model in _models(line, bins.keys())]
    lines = [_line(name, colour, marker, run, bins[run["score_id"]]) for name, colour, marker, runs in models for run in runs]
    ends = [row["position_to"] for *_, runs in models for run in runs for row in bins[run["score_id"]]]
    key = [Line((), (), colour, name=name, marker=marker, marker_size=4.0) for name, colour, marker, _ in models]
    return Panel(
        x=Axis("Token Index in Context", log=True, low=1, high=max([*ends, *(x for mark in overlay for x in mark.x)], default=None)),
        y=Axis("Per-token Test Loss"),
        marks=(*lines, *overlay),
        title=title,
        key=tuple(key),
        key_title="Parameters:" if key else "",
    )


def _families(series: Sequence[Series]) -> list[list[Series]]:
    return [[line for line in series if line.architecture == name] for name in dict.fromkeys(line.architecture for line in series)]


def _models(family: Sequence[Series], measured: Collection[str]) -> list[tuple[str, str, str, tuple[Row, ...]]]:
    """(name, colour, marker, runs) of the smallest, the middle and the largest size, each at its best depth."""
    rungs: list[list[Row]] = []
    runs = sorted((run for line in family for run in line.runs if run["score_id"] in measured), key=lambda run: run["body_params"])
    for run in runs:
        if rungs and run["body_params"] <= rungs[-1][0]["body_params"] * SAME_SIZE:
            rungs[-1].append(run)
        else:
            rungs.append([run])
    places = sorted({0, len(rungs) // 2, len(rungs) - 1}) if len(rungs) > SIZES_PER_FAMILY else range(len(rungs))
    models = []
    for place, colour in zip(places, shades(family[0].colours, len(places)), strict=True):
        depth, size = min(_losses_by_depth(rungs[place]).items(), key=lambda item: item[1])[0]
        own = tuple(run for run in rungs[place] if (run["num_layers"], run["body_params"]) == (depth, size))
        marker = next(line.marker for line in family if own[0] in line.runs)
        models.append((f"{size_label(size)} {family[0].family}", colour, marker, own))
    return models


def _losses_by_depth(rung: Sequence[Row]) -> dict[tuple[int, int], float]:
    """Mean loss over the seeds of each depth."""
    losses: dict[tuple[int, int], list[float]] = {}
    for run in rung:
        losses.setdefault((run["num_layers"], run["body_params"]), []).append(run["loss_nats"])
    return {depth: sum(own) / len(own) for depth, own in losses.items()}


def _line(name: str, colour: str, marker: str, run: Row, bins: Sequence[Row]) -> Line:
    return Line(
        x=middles(bins),
        y=tuple(row["loss_nats"] for row in bins),
        colour=colour,
        name=name,
        marker=marker,
        marker_size=4.0,
        marker_every=3,
        hover=tuple(
            hover_text(
                f"{size_label(run['body_params'])} {series_label(run['architecture'], (run['num_layers'],))}",
                position_text(row["position_from"], row["position_to"]),
                loss_text(row["loss_nats"], row["loss_low"], row["loss_high"]),
            )
            for row in bins
        ),
        group=name,
    )
