"""Series: which runs belong to one line of a chart, and the label, colour and marker that the line has in every chart."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow as pa
from matplotlib.colors import to_hex, to_rgb

from hf_ctxscale.architectures import TABLE, family_label, series_label

Row = dict[str, Any]

# Shapes tell the families and depths apart without colour: one set per architecture, in the order of the table; filled round and
# straight shapes come first since three depths of one family are the usual case.
MARKERS = (("o", "s", "^", "v", "<"), ("D", "d", "h", "H", "8"), ("P", "X", "*", "p", ">"))
# For an architecture that an older or newer version's table knew: its key is its label, and greys claim no family.
UNKNOWN_COLOURS = ("#b5b5b5", "#858585", "#4d4d4d")
# Sizes are matched to a few percent; nearer than this they count as the same rung of the ladder.
SAME_SIZE = 1.1
MIN_CONTRAST = 4.5  # of text on white (WCAG 2.2, 1.4.3)


@dataclass(frozen=True)
class Series:
    """One line of the chart of loss against size.

    Attributes:
        architecture: a name of architectures.TABLE, or of another version's.
        label: family and depth, ``LSTM, 2 layers``; the family alone where every size has its own depth.
        colour: the family's colour for this depth.
        colours: the family's colours from light to dark, for charts that take them by size.
        marker: matplotlib's name of the shape.
        runs: rows of the table of runs that have a loss, in order of size and seed.
    """

    architecture: str
    label: str
    colour: str
    colours: tuple[str, ...]
    marker: str
    runs: tuple[Row, ...]

    @property
    def family(self) -> str:
        """The family's label alone."""
        return family_label(self.architecture)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The distinct body parameters, ascending."""
        return tuple(sorted({run["body_params"] for run in self.runs}))

    def at(self, body_params: int) -> tuple[Row, ...]:
        """The runs of one size, one for each seed."""
        return tuple(run for run in self.runs if run["body_params"] == body_params)


def chart_series(runs: pa.Table) -> tuple[Series, ...]:
    """Groups the runs that have a size and a loss into series, in the table's order of architectures and by depth.

    An architecture is one series per depth; where its depths do not share any size (each size has its own depth) it is one series.
    """
    by_architecture: dict[str, list[Row]] = defaultdict(list)
    for run in drawable(runs):
        by_architecture[run["architecture"]].append(run)
    series = []
    for place, architecture in enumerate(in_table_order({*TABLE, *by_architecture})):
        groups = _split_by_depth(by_architecture[architecture])
        colours = shades(family_colours(architecture), len(groups))
        markers = MARKERS[place % len(MARKERS)]
        for rank, group in enumerate(groups):
            series.append(
                Series(
                    architecture=architecture,
                    label=series_label(architecture, {run["num_layers"] for run in group}),
                    colour=colours[rank],
                    colours=family_colours(architecture),
                    marker=markers[rank % len(markers)],
                    runs=tuple(sorted(group, key=lambda run: (run["body_params"], run["seed"] or 0, run["run_id"] or ""))),
                )
            )
    return tuple(series)


def drawable(runs: pa.Table) -> list[Row]:
    """The rows that a chart can place: a known architecture key, a size and a loss."""
    rows = runs.to_pylist()
    return [row for row in rows if row["architecture"] is not None and row["body_params"] is not None and row["loss_nats"] is not None]


def rejected_trials(runs: Sequence[Row], fits: Mapping[str, Any]) -> frozenset[str]:
    """Ids of runs that lost to another learning rate: the fits left them out and hold one of the same series, size, budget and seed.

    Args:
        runs: rows of the table of runs.
        fits: results/fits.json; where it is empty no trial is known to have lost.
    """

    def cell(run: Row) -> tuple[Any, ...]:
        return (*_size_and_seed(run), run["train_tokens"])

    chosen = _fitted(fits, "loss_vs_size", "loss_vs_size_and_data")
    taken = {cell(run) for run in runs if run["run_id"] in chosen}
    return frozenset(run["run_id"] for run in runs if run["run_id"] not in chosen and run["run_id"] is not None and cell(run) in taken)


def other_budgets(runs: Sequence[Row], fits: Mapping[str, Any]) -> frozenset[str]:
    """Ids of runs that cannot stand beside the others of their series: of their size and seed the fits hold one of another token budget."""
    chosen = _fitted(fits, "loss_vs_size")
    taken: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    for run in runs:
        if run["run_id"] in chosen:
            taken[_size_and_seed(run)].add(run["train_tokens"])
    others = [run for run in runs if run["run_id"] is not None and run["run_id"] not in chosen and taken[_size_and_seed(run)]]
    return frozenset(run["run_id"] for run in others if run["train_tokens"] not in taken[_size_and_seed(run)])


def _size_and_seed(run: Row) -> tuple[Any, ...]:
    return (run["architecture"], run["num_layers"], run["body_params"], run["seed"])


def _fitted(fits: Mapping[str, Any], *kinds: str) -> set[str]:
    """Ids of the runs that fits of these kinds rest on."""
    return {point["run_id"] for kind in kinds for fit in fits.get(kind, ()) for point in fit["points"]}


def in_table_order(architectures: Iterable[str]) -> list[str]:
    """The table's architectures in its order, then others by name."""
    names = set(architectures)
    return [name for name in TABLE if name in names] + sorted(names - set(TABLE))


def family_colours(architecture: str) -> tuple[str, ...]:
    """A family's colours from light to dark; greys for an architecture that the table does not hold."""
    return TABLE[architecture].colours if architecture in TABLE else UNKNOWN_COLOURS


def shades(colours: Sequence[str], count: int) -> tuple[str, ...]:
    """``count`` colours from light to dark: the darkest ones of ``colours``, or a blend of neighbours where it has too few."""
    if count <= len(colours):
        return tuple(colours[len(colours) - count :])
    blended = []
    for step in range(count):
        place = step * (len(colours) - 1) / (count - 1)
        low = min(int(place), len(colours) - 2)
        (r0, g0, b0), (r1, g1, b1) = to_rgb(colours[low]), to_rgb(colours[low + 1])
        part = place - low
        blended.append(to_hex((r0 + (r1 - r0) * part, g0 + (g1 - g0) * part, b0 + (b1 - b0) * part)))
    return tuple(blended)


def text_colour(colour: str) -> str:
    """The colour, darkened until text in it can be read on white."""
    red, green, blue = to_rgb(colour)
    while _contrast_on_white(red, green, blue) < MIN_CONTRAST:
        red, green, blue = red * 0.95, green * 0.95, blue * 0.95
    return to_hex((red, green, blue))


def _contrast_on_white(*rgb: float) -> float:
    """WCAG's contrast ratio against white, 1 to 21."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def _split_by_depth(runs: list[Row]) -> list[list[Row]]:
    """One group per depth where depths meet at some size; otherwise one group."""
    by_depth: dict[int, list[Row]] = defaultdict(list)
    for run in runs:
        by_depth[run["num_layers"] or 0].append(run)
    groups = [by_depth[depth] for depth in sorted(by_depth)]
    ranges = sorted((min(run["body_params"] for run in group), max(run["body_params"] for run in group)) for group in groups)
    apart = all(low > before[1] * SAME_SIZE for before, (low, _) in pairwise(ranges))
    if len(groups) > 1 and apart:
        return [runs]
    return groups
