"""The paper's own values as marks to lay over a chart: read off its figure 7 by eye, and labelled so."""

from hf_ctxscale.architectures import TABLE
from hf_ctxscale.charts.chart_data import Line
from hf_ctxscale.charts.hover import hover_text
from hf_ctxscale.charts.series import MARKERS, shades
from hf_ctxscale.charts.style import GREY
from hf_ctxscale.paper import APPROXIMATE, FIGURE_7_LEFT, FIGURE_7_RIGHT
from hf_ctxscale.study import size_label

Points = tuple[tuple[float, float], ...]

ARCHITECTURES = {"LSTM": "lstm", "Transformer": "gpt2"}  # of the paper's families
PAPER_KEY = Line((), (), GREY, name="Kaplan et al. 2020 (approximate)", dash="dotted", width=1.0, marker="o", filled=False)


def paper_size_marks() -> tuple[Line, ...]:
    """Test loss by body parameters: open markers in the families' colours."""
    depths = [layers for family, layers in FIGURE_7_LEFT if family == "LSTM"]
    marks = []
    for (family, layers), points in FIGURE_7_LEFT.items():
        depth = "" if layers is None else f", {layers} layer{'' if layers == 1 else 's'}"
        rank, count = (0, 1) if layers is None else (depths.index(layers), len(depths))
        hover = tuple(_hover(family + depth, f"{size_label(n)} parameters", loss) for n, loss in points)
        marks.append(_line(points, family, rank=rank, count=count, name=family + depth, label=f"paper{depth}", hover=hover))
    return tuple(marks)


def paper_position_marks() -> tuple[Line, ...]:
    """Test loss by token index: open markers, dotted lines between the points of a model."""
    families = [family for family, _ in FIGURE_7_RIGHT]
    marks = []
    for place, ((family, size), points) in enumerate(FIGURE_7_RIGHT.items()):
        hover = tuple(_hover(f"{size} {family}", f"token {t:g}", loss) for t, loss in points)
        rank, count = families[:place].count(family), families.count(family)
        marks.append(_line(points, family, rank=rank, count=count, name=f"{size} {family}", label=f"paper, {size}", hover=hover))
    return tuple(marks)


def _line(points: Points, family: str, *, rank: int, count: int, name: str, label: str, hover: tuple[str, ...]) -> Line:
    """The ``rank``-th of ``count`` models of a family, light to dark."""
    architecture = ARCHITECTURES[family]
    markers = MARKERS[list(TABLE).index(architecture) % len(MARKERS)]
    named = f"paper (approximate): {name}"
    return Line(
        x=tuple(x for x, _ in points),
        y=tuple(y for _, y in points),
        colour=shades(TABLE[architecture].colours, count)[rank],
        name=named,
        label=label,
        dash="dotted",
        width=1.0,
        marker=markers[rank % len(markers)],
        filled=False,
        hover=hover,
        group=named,
    )


def _hover(name: str, where: str, loss: float) -> str:
    return hover_text(name, where, f"about {loss:g} nats", APPROXIMATE)
