"""chart_rows: the numbers behind a chart, a row for every measured point, for the table under the chart and for its CSV."""

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from hf_ctxscale.charts.chart_data import Axis, Band, Bars, Chart, Line, Panel

Number = float | None
Cell = str | float | None
Interval = tuple[float, float]
DIGITS = 6  # significant, of numbers in the table: more than any interval allows


@dataclass(frozen=True)
class ChartTable:
    """Headings and rows; a cell without a number is None."""

    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def chart_rows(chart: Chart) -> ChartTable:
    """Series, x, y and the ends of the interval of every point of a named line; fitted curves are no measurements and have no name.

    Where panels measure different things, a column in front says what the row is of.
    """
    panels = [panel for panel in chart.panels if any(_measured(mark) for mark in panel.marks)]
    y_labels = dict.fromkeys(panel.title or panel.y.label for panel in panels)
    x = " / ".join(dict.fromkeys(panel.x.label for panel in panels)) or "x"
    if len(y_labels) <= 1:
        y = panels[0].y.label if panels else "y"
        return ChartTable(("series", x, y, "low", "high"), tuple(row for panel in panels for row in _rows(panel)))
    rows = tuple((panel.title or panel.y.label, *row) for panel in panels for row in _rows(panel))
    return ChartTable(("of", "series", x, "value", "low", "high"), rows)


def table_csv(table: ChartTable) -> str:
    """The table as CSV; a cell that a spreadsheet would take for a formula is written as text."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([_cell(header) for header in table.headers])
    writer.writerows([_cell(cell) for cell in row] for row in table.rows)
    return written.getvalue()


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
    return f"{cell:.{DIGITS}g}" if cell != int(cell) else f"{int(cell)}"


def _measured(mark: object) -> bool:
    return isinstance(mark, Line) and bool(mark.name) and bool(mark.x)


def _rows(panel: Panel) -> list[tuple[Cell, ...]]:
    left = _intervals(panel)
    return [
        (line.name, _place(panel.x, x), _place(panel.y, y), *_own_interval(left[line.group or line.name, x], y))
        for line in panel.marks
        if isinstance(line, Line) and _measured(line)
        for x, y in zip(line.x, line.y, strict=True)
    ]


def _intervals(panel: Panel) -> dict[tuple[str, float], list[Interval]]:
    """The intervals of a panel by group and x."""
    found: dict[tuple[str, float], list[Interval]] = defaultdict(list)
    for mark in panel.marks:
        if isinstance(mark, Band) or (isinstance(mark, Bars) and not mark.horizontal):
            for x, low, high in zip(mark.x, mark.low, mark.high, strict=True):
                found[mark.group, x].append((low, high))
    return found


def _own_interval(intervals: Sequence[Interval], y: float) -> tuple[Number, Number]:
    """Of the intervals at a point's place that of the point: several seeds stand at one place, each in the middle of its own."""
    around = [interval for interval in intervals if interval[0] <= y <= interval[1]]
    return min(around, key=lambda interval: abs(sum(interval) / 2 - y), default=(None, None))


def _place(axis: Axis, value: float) -> Cell:
    return axis.categories[round(value)] if axis.categories else value
