"""fitted_series: the fits of results/fits.json by series, each with the label, colour and marker that its series has in the charts of runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_ctxscale.architectures import TABLE, family_label
from hf_ctxscale.charts.context_use import COLOURS_ALONE, COLOURS_BESIDE_FAMILIES, OTHER_MARKERS
from hf_ctxscale.charts.fitted_curves import FEWEST_POINTS
from hf_ctxscale.charts.series import MARKERS, Row, family_colours, in_table_order, shades


@dataclass(frozen=True)
class FittedSeries:
    """One series and the law that is shown of it.

    Attributes:
        family: the family's label; empty for numbers from elsewhere.
        fit: its entry of fits.json.
    """

    label: str
    family: str
    colour: str
    marker: str
    fit: Row


def size_laws(fits: Mapping[str, Any], *, x: str = "body_params") -> tuple[FittedSeries, ...]:
    """Of every series the law against ``x``; no law through two points, which has no residuals."""
    series = fitted_series([fit for fit in fits.get("loss_vs_size", ()) if fit["x"] == x])
    return tuple(one for one in series if one.fit["converged"] and len({point["x"] for point in one.fit["points"]}) >= FEWEST_POINTS)


def data_laws(fits: Mapping[str, Any]) -> tuple[FittedSeries, ...]:
    """Of every series with a grid of sizes and tokens the law: Hoffmann's where the data pin it down, otherwise Kaplan's joint one."""
    series = fitted_series(fits.get("loss_vs_size_and_data", ()))
    return tuple(one for one in series if one.fit["converged"] and one.fit["curves"])


def fitted_series(entries: Iterable[Row]) -> tuple[FittedSeries, ...]:
    """Every series in the table's order of architectures and by depth, with its law.

    That is the law with an offset where the data pin it down, otherwise the other; an unfitted one where there is none.

    Args:
        entries: the fits of one kind, several forms for each series.
    """
    groups = sorted(_by_series(entries), key=lambda own: _place(own[0]))
    looks = series_looks(own[0] for own in groups)
    return tuple(
        FittedSeries(
            label=own[0]["label"],
            family=family_label(own[0]["architecture"]) if own[0]["architecture"] else "",
            colour=looks[own[0]["series"]][0],
            marker=looks[own[0]["series"]][1],
            fit=_shown(own),
        )
        for own in groups
    )


def _place(entry: Row) -> tuple[bool, int, str, int]:
    """Orders families as the table does, others after them by name, numbers of no family last and as they come."""
    architecture = entry["architecture"]
    known = list(TABLE).index(architecture) if architecture in TABLE else len(TABLE)
    return (architecture is None, known, architecture or "", entry["num_layers"] or 0)


def form_text(fit: Row) -> str:
    """A law's formula as a chart writes it: ``E + A·N^-α``."""
    text = str(fit["form"])
    for written, shown in (("*", "·"), ("alpha", "α"), ("beta", "β")):
        text = text.replace(written, shown)
    return text


def _by_series(entries: Iterable[Row]) -> list[list[Row]]:
    groups: dict[str, list[Row]] = {}
    for entry in entries:
        groups.setdefault(entry["series"], []).append(entry)
    return list(groups.values())


def _shown(laws: Sequence[Row]) -> Row:
    """The law with an offset if the data identify every parameter of it; otherwise the one without."""
    fitted = [law for law in laws if law["converged"]]
    pinned_down = [law for law in fitted if "e" in law["params"] and all(own["value"] is not None for own in law["params"].values())]
    return [*pinned_down, *(law for law in fitted if "e" not in law["params"]), *laws][0]


def series_looks(entries: Iterable[Row]) -> dict[str, tuple[str, str]]:
    """Series -> (colour, marker): a family's colours by depth, as in the charts of runs; other colours for numbers from elsewhere."""
    by_family: dict[str | None, list[Row]] = {}
    for own in _by_series(entries):
        by_family.setdefault(own[0]["architecture"], []).append(own[0])
    places = in_table_order({*TABLE, *(family for family in by_family if family is not None)})
    looks: dict[str, tuple[str, str]] = {}
    for family, own in by_family.items():
        if family is None:
            colours = COLOURS_ALONE if len(by_family) == 1 else COLOURS_BESIDE_FAMILIES
            looks |= {entry["series"]: look_of_no_family(rank, colours=colours) for rank, entry in enumerate(own)}
            continue
        markers = MARKERS[places.index(family) % len(MARKERS)]
        in_depth = sorted(own, key=lambda entry: entry["num_layers"] or 0)
        for rank, (entry, colour) in enumerate(zip(in_depth, shades(family_colours(family), len(own)), strict=True)):
            looks[entry["series"]] = (colour, markers[rank % len(markers)])
    return looks


def look_of_no_family(rank: int, *, colours: Sequence[str] = COLOURS_ALONE) -> tuple[str, str]:
    """(colour, marker) of the ``rank``-th series; where colours come again, markers do not come with the same ones."""
    return colours[rank % len(colours)], OTHER_MARKERS[(rank + rank // len(colours)) % len(OTHER_MARKERS)]
