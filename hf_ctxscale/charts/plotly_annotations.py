"""annotations: all that is written inside a panel of plotly's charts and in its right margin; and rules, as shapes."""

from typing import Any

from hf_ctxscale.charts.chart_data import Chart, Line, Panel, Rule, Words
from hf_ctxscale.charts.line_labels import spread
from hf_ctxscale.charts.plotly_axes import on_axis
from hf_ctxscale.charts.plotly_marks import DASHES, pixels, plain
from hf_ctxscale.charts.series import text_colour
from hf_ctxscale.charts.style import GREY, LABEL_POINTS

Layout = dict[str, Any]

LEADER = 18  # pixels from a line's end to its label
LABEL_SPACING = 1.4  # of labels under each other, in units of their size


def panel_title(panel: Panel, names: tuple[str, str], chart: Chart) -> list[Layout]:
    """The panel's own title, right above it."""
    if not panel.title:
        return []
    centred = chart.style == "figure7"
    place = {"xref": f"{names[0]} domain", "yref": f"{names[1]} domain", "x": 0.5 if centred else 0, "y": 1, "yanchor": "bottom"}
    return [place | {"text": plain(panel.title), "showarrow": False, "xanchor": "center" if centred else "left", "font": {"color": GREY}}]


def words(panel: Panel, names: tuple[str, str]) -> list[Layout]:
    """Words in the panel, at its rules' ends, and in its middle where nothing is drawn."""
    x_domain, y_domain = f"{names[0]} domain", f"{names[1]} domain"
    found: list[Layout] = []
    for mark in panel.marks:
        if isinstance(mark, Words):
            across = {"xref": x_domain, "x": 0.01} if mark.x is None else {"xref": names[0], "x": on_axis(panel.x, mark.x)}
            found.append(
                across | {"text": plain(mark.text), "yref": names[1], "y": on_axis(panel.y, mark.y), "font": {"color": mark.colour}}
            )
        elif isinstance(mark, Rule) and mark.text:
            found.append({"text": plain(mark.text), "font": {"color": mark.colour}} | _rule_end(mark, panel, names))
    found = [{"showarrow": False, "xanchor": "left", "yanchor": "bottom", "align": "left"} | own for own in found]
    if not panel.marks:
        found.append(
            {
                "text": plain(panel.empty),
                "xref": x_domain,
                "yref": y_domain,
                "x": 0.5,
                "y": 0.5,
                "showarrow": False,
                "font": {"color": GREY},
            }
        )
    return found


def _rule_end(rule: Rule, panel: Panel, names: tuple[str, str]) -> Layout:
    """Where a rule's words stand: beside an upright one at its top, on a lying one at its right end."""
    if rule.vertical:
        return {"xref": names[0], "x": on_axis(panel.x, rule.at), "yref": f"{names[1]} domain", "y": 1, "yanchor": "top"}
    return {"xref": f"{names[0]} domain", "x": 1, "xanchor": "right", "yref": names[1], "y": on_axis(panel.y, rule.at)}


def rule_shape(rule: Rule, names: tuple[str, str], across: tuple[float, float]) -> Layout:
    """A rule from one limit of the other axis to the other."""
    along, over = ("x", "y") if rule.vertical else ("y", "x")
    refs = dict(zip(("xref", "yref"), names, strict=True))
    ends = {f"{along}0": rule.at, f"{along}1": rule.at, f"{over}0": across[0], f"{over}1": across[1]}
    # Between the grid and the lines; plotly has that layer only for shapes in data coordinates.
    return {"type": "line", **refs, **ends, "line": {"color": rule.colour, "width": 1, "dash": DASHES[rule.dash]}, "layer": "between"}


def labelled(panel: Panel) -> list[Line]:
    """The lines whose name is written at their end."""
    return [mark for mark in panel.marks if isinstance(mark, Line) and mark.label and mark.x]


def labels(panel: Panel, names: tuple[str, str], y_limits: tuple[float, float], *, height: float) -> list[Layout]:
    """Labels right of where lines end, moved up or down so that none covers another, each with a leader to its line.

    They are fixed to the lines' ends, so that they follow when the reader zooms.

    Args:
        panel: what holds the lines.
        names: of its axes.
        y_limits: of its y axis.
        height: of the panel, in pixels.
    """
    lines = labelled(panel)
    low, high = (on_axis(panel.y, limit) for limit in y_limits)
    ends = [(on_axis(panel.x, line.x[-1]), on_axis(panel.y, line.y[-1])) for line in lines]
    wanted = [(y - low) / (high - low) for _, y in ends]
    heights = spread(wanted, gap=LABEL_SPACING * pixels(LABEL_POINTS) / height)
    return [
        {
            "text": plain(line.label or ""),
            "xref": names[0],
            "yref": names[1],
            "x": x,
            "y": y,
            "ax": LEADER,
            "ay": round((own - label) * height, 1),
            "xanchor": "left",
            "yanchor": "middle",
            "font": {"size": pixels(LABEL_POINTS), "color": text_colour(line.colour)},
            "arrowhead": 0,
            "arrowwidth": 1,
            "arrowcolor": line.colour,
            "standoff": 3,
            "bgcolor": "rgba(255, 255, 255, 0.7)",
            "borderpad": 0,
        }
        for line, (x, y), own, label in zip(lines, ends, wanted, heights, strict=True)
    ]
