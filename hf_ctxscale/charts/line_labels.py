"""Labels at the ends of lines: in the right margin, spread so that none covers another, joined to their lines."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from hf_ctxscale.charts.series import text_colour
from hf_ctxscale.charts.style import LABEL_POINTS, PANEL_INCHES, figure_of

LINE_HEIGHT = 1.25  # of a label, in units of its font size
LABEL_X = 1.04  # where labels start, in axes fractions
LONG_LEADER_X = 0.85  # lines that end left of it have a long way to their label
ROOM_FOR_LABELS = int(PANEL_INCHES * 72 / (LINE_HEIGHT * LABEL_POINTS)) + 1  # how many fit under each other beside a panel of height 1


@dataclass(frozen=True)
class LineEnd:
    """Where a line ends, in data coordinates, and what is written there."""

    x: float
    y: float
    text: str
    colour: str


def label_line_ends(ax: Axes, ends: Sequence[LineEnd]) -> None:
    """Writes every label in the right margin, as near to its line's height as its neighbours allow; smaller where there are too many.

    Call it after the layout is made and the axes' limits are set: it fixes them.
    """
    if not ends:
        return
    ax.set_xlim(ax.get_xlim())
    ax.set_ylim(ax.get_ylim())
    to_fraction = ax.transData + ax.transAxes.inverted()
    places = [to_fraction.transform((end.x, end.y)) for end in ends]
    points = LABEL_POINTS * min(1.0, 1 / _label_height(ax, points=LABEL_POINTS) / max(1, len(ends) - 1))
    heights = spread([float(y) for _, y in places], gap=_label_height(ax, points=points))
    for end, (x, _), height in zip(ends, places, heights, strict=True):
        # A long leader must not be taken for the line going on.
        leader = {"linestyle": "-", "color": end.colour} if x > LONG_LEADER_X else {"linestyle": (0, (1, 3)), "color": "black"}
        ax.annotate(
            end.text,
            xy=(end.x, end.y),
            xytext=(LABEL_X, height),
            textcoords="axes fraction",
            fontsize=points,
            color=text_colour(end.colour),
            va="center",
            ha="left",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "linewidth": 0.7, "alpha": 0.7, "shrinkA": 1, "shrinkB": 3, "relpos": (0, 0.5), **leader},
            # A dollar sign in the name of an architecture is not the start of a formula.
            parse_math=False,
        )


def spread(wanted: Sequence[float], *, gap: float, low: float = 0.0, high: float = 1.0) -> list[float]:
    """The heights nearest to the wanted ones (least squares) that keep their order, stand ``gap`` apart and lie in [low, high].

    Subtracting each label's rank times the gap turns "at least a gap apart" into "not descending": isotonic regression, by pooling neighbours.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    pools: list[list[float]] = []  # of (mean, count)
    for rank, i in enumerate(order):
        pools.append([wanted[i] - rank * gap, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, count = pools.pop()
            pools[-1] = [(pools[-1][0] * pools[-1][1] + mean * count) / (pools[-1][1] + count), pools[-1][1] + count]
    flat = [mean for mean, count in pools for _ in range(int(count))]
    top = high - (len(order) - 1) * gap
    heights = [0.0] * len(order)
    for rank, i in enumerate(order):
        heights[i] = max(low, min(top, flat[rank])) + rank * gap
    return heights


def _label_height(ax: Axes, *, points: float) -> float:
    """One label's height as a fraction of the axes' height."""
    return LINE_HEIGHT * points / 72 * figure_of(ax).dpi / ax.bbox.height
