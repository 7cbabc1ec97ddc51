"""ModelLines: for charts with a line per model, its label and its colour by size, and which models are labelled where room is short."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hf_ctxscale.charts.chart_data import Dash, Line
from hf_ctxscale.charts.series import SAME_SIZE, Row, Series, shades
from hf_ctxscale.study import size_label

STANDING_OUT: dict[str, Any] = {"width": 1.5, "marker_size": 4.0}
IN_THE_BACKGROUND: dict[str, Any] = {"width": 0.8, "marker": "", "opacity": 0.5}
# Scored models that the study did not train are measures to compare with, and claim no family's colour.
REFERENCE_COLOUR = "#404040"
REFERENCE_DASHES: tuple[Dash, ...] = ("dashed", "dotted", "dashdot")


@dataclass(frozen=True)
class ModelLine:
    """One size of one series: a line, or one for each seed.

    Attributes:
        runs: rows of the table of runs, one for each seed.
        label: ``222K LSTM, 2 layers``.
        colour: light for the family's smallest size, dark for its largest.
        marker: the series' shape.
        stands_out: whether the line is labelled and drawn at full weight with its interval.
        dash: solid for the study's own models.
    """

    runs: tuple[Row, ...]
    label: str
    colour: str
    marker: str
    stands_out: bool
    dash: Dash = "solid"

    def through(self, x: Sequence[float], y: Sequence[float], **options: Any) -> Line:
        """A line of the chart in this line's colour, shape and weight."""
        weight = STANDING_OUT if self.stands_out else IN_THE_BACKGROUND
        look: dict[str, Any] = {"colour": self.colour, "dash": self.dash, "marker": self.marker, "name": self.label, "group": self.label}
        return Line(tuple(x), tuple(y), **look | weight | options)

    def labelled(self, lines: Sequence[Line]) -> tuple[Line, ...]:
        """The lines, one for each seed, with this line's label where they end; between them where they are several."""
        if not self.stands_out or not lines:
            return tuple(lines)
        if len(lines) == 1:
            return (replace(lines[0], label=self.label),)
        middle = sum(line.y[-1] for line in lines) / len(lines)
        return (*lines, Line(lines[0].x[-1:], (middle,), self.colour, label=self.label, width=0, group=self.label))


def model_lines(series: Sequence[Series], *, measured: Collection[str], room: int) -> tuple[tuple[ModelLine, ...], str | None]:
    """Makes a line of every size of every series, and chooses which stand out.

    All do where their labels fit; otherwise the smallest and the largest of each series, or the largest alone.

    Args:
        measured: ids of the runs that the chart has values of.
        room: how many labels fit.

    Returns:
        the lines, those that stand out last so that they are drawn on top, and a sentence for the chart where not all of them do.
    """
    sizes = [sorted({run["body_params"] for run in line.runs if run["run_id"] in measured}) for line in series]
    chosen, rule = [set(own) for own in sizes], None
    if sum(map(len, chosen)) > room:
        chosen, rule = [{*own[:1], *own[-1:]} for own in sizes], "labelled: smallest and largest model of each series"
    if sum(map(len, chosen)) > room:
        chosen, rule = [set(own[-1:]) for own in sizes], "labelled: largest model of each series"
    colours = _colours(series)
    depths = {line.architecture: sum(other.architecture == line.architecture for other in series) for line in series}
    lines = []
    for line, own, standing_out in zip(series, sizes, chosen, strict=True):
        name = line.label if depths[line.architecture] > 1 else line.family
        for size in own:
            runs = tuple(run for run in line.at(size) if run["run_id"] in measured)
            colour = colours[runs[0]["run_id"]]
            lines.append(ModelLine(runs, f"{size_label(size)} {name}", colour, line.marker, size in standing_out))
    return tuple(sorted(lines, key=lambda line: line.stands_out)), rule


def reference_lines(rows: Sequence[Row], labels: Mapping[str, str]) -> tuple[ModelLine, ...]:
    """Makes a dashed dark grey line of every scored model that the study did not train.

    Args:
        rows: rows of the table of runs.
        labels: score id -> label of the models that the chart shows.
    """
    chosen = [row for row in rows if row["score_id"] in labels and row["loss_nats"] is not None]
    return tuple(
        ModelLine((row,), labels[row["score_id"]], REFERENCE_COLOUR, "", True, REFERENCE_DASHES[place % len(REFERENCE_DASHES)])
        for place, row in enumerate(chosen)
    )


def _colours(series: Sequence[Series]) -> dict[str, str]:
    """Maps run ids to colours; sizes that are matched across a family's depths share a colour."""
    by_family: dict[str, list[Series]] = defaultdict(list)
    for line in series:
        by_family[line.architecture].append(line)
    colours: dict[str, str] = {}
    for lines in by_family.values():
        rungs: list[list[int]] = []
        for size in sorted({size for line in lines for size in line.sizes}):
            if rungs and size <= rungs[-1][0] * SAME_SIZE:
                rungs[-1].append(size)
            else:
                rungs.append([size])
        for rung, colour in zip(rungs, shades(lines[0].colours, len(rungs)), strict=True):
            colours |= {run["run_id"]: colour for size in rung for line in lines for run in line.at(size)}
    return colours
