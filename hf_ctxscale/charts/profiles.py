"""Profiles of exponents that the data do not pin down: how little worse the fit becomes when the exponent is held at another value."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hf_ctxscale.charts.chart_data import Axis, Chart, Line, Panel
from hf_ctxscale.charts.fitted_series import series_looks
from hf_ctxscale.charts.hover import hover_text
from hf_ctxscale.charts.line_labels import ROOM_FOR_LABELS
from hf_ctxscale.charts.model_lines import REFERENCE_COLOUR
from hf_ctxscale.charts.series import Row
from hf_ctxscale.charts.size_marks import axis_around

HIGHEST_RISE = 2.0  # three times the least error: what lies above says only that the fit is bad
KINDS = {"loss_vs_size": "size", "loss_vs_size_and_data": "size and data", "loss_vs_position": "position"}
MARKER_EVERY = 4
PANEL_HEIGHT = 0.62  # of a kind's panel, where a panel that stands alone has 1


def profiles_chart(fits: Mapping[str, Any]) -> Chart | None:
    """A panel for each kind of law, a line for each exponent that is not identifiable; None where all are.

    Args:
        fits: results/fits.json. Of laws against size only those against body parameters are shown.
    """
    found = {kind: list(_not_identified(fits.get(kind, ()))) for kind in KINDS}
    found = {kind: own for kind, own in found.items() if own}
    if not found:
        return None
    marks = {kind: _marks(own, series_looks(entry for entry in fits[kind] if "series" in entry)) for kind, own in found.items()}
    x = axis_around([at for lines in marks.values() for line in lines for at in line.x], "Exponent, held fixed", counts=False)
    return Chart(
        name="profiles",
        title="Exponents that are not identifiable",
        subtitle="a flat line: many values of the exponent fit about equally well",
        panels=tuple(
            Panel(
                x=x,
                y=Axis("Rise of the squared error"),
                marks=tuple(lines),
                title=f"Loss against {KINDS[kind]}",
                height=PANEL_HEIGHT if len(marks) > 1 else 1.0,
            )
            for kind, lines in marks.items()
        ),
    )


def _marks(found: Sequence[tuple[Row, Row]], looks: Mapping[str, tuple[str, str]]) -> list[Line]:
    """A line for each (fit, profile), labelled where all labels fit."""
    lines = []
    for entry, profile in found:
        colour, marker = looks.get(entry.get("series", ""), (REFERENCE_COLOUR, ""))
        name = f"{entry['label'] or entry['run_id'] or 'all'}: {profile['parameter']}"
        shown = [(at, rise) for at, rise in zip(profile["at"], profile["rise"], strict=True) if rise <= HIGHEST_RISE]
        lines.append(
            Line(
                x=tuple(at for at, _ in shown),
                y=tuple(rise for _, rise in shown),
                colour=colour,
                name=name,
                label=name if len(found) <= PANEL_HEIGHT * ROOM_FOR_LABELS else None,
                marker=marker,
                marker_size=4.0,
                marker_every=MARKER_EVERY,
                hover=tuple(hover_text(name, f"exponent {at:.3g}", f"error {rise:+.1%}") for at, rise in shown),
            )
        )
    return lines


def _not_identified(entries: Iterable[Row]) -> Iterator[tuple[Row, Row]]:
    """(fit, profile) of the exponents without a value."""
    for entry in entries:
        if entry.get("x", "body_params") == "body_params":
            for profile in entry["profiles"]:
                if entry["params"][profile["parameter"]]["value"] is None:
                    yield entry, profile
