"""The tables of fits in a report: parameters with intervals, how the optimiser came out, and what could not be told from the data and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from hf_ctxscale.reporting.claim_tables import axis_name, model_name
from hf_ctxscale.reporting.law_names import AXES, PARAMETERS
from hf_ctxscale.reporting.numbers import MISSING, number, significant
from hf_ctxscale.reporting.sources import Sources, in_order
from hf_ctxscale.reporting.table import Table, TableRow, without_empty

Fit = Mapping[str, Any]

NOT_IDENTIFIABLE = "not identifiable"
PAPER, WHY, RESIDUAL, CONVERGENCE, LOG_HUBER = "paper's value", "why", "largest residual, nats", "convergence", "log-Huber"


def size_fit_tables(sources: Sources) -> tuple[tuple[str, Table], ...]:
    """Loss against size: a table for each x axis, in it both forms of the law for each series."""
    fits = sources.fits.get("loss_vs_size") or ()
    by_axis = [(axis, [fit for fit in fits if fit["x"] == axis]) for axis in AXES]
    return tuple(
        (f"Loss against {axis_name(axis, sources)}", _fits_table("series", chosen, _labels(chosen))) for axis, chosen in by_axis if chosen
    )


def size_and_data_fits_table(sources: Sources) -> Table:
    """Loss against size and training tokens together: both forms for each series."""
    fits = sources.fits.get("loss_vs_size_and_data") or ()
    return _fits_table("series", fits, _labels(fits))


def position_fits_table(sources: Sources) -> Table:
    """The power law of each model over context positions, in the charts' order."""
    places = [run["run_id"] for run in in_order(sources.runs)]
    fits = sorted(
        sources.fits.get("loss_vs_position") or (),
        key=lambda fit: places.index(fit["run_id"]) if fit["run_id"] in places else len(places),
    )
    return _fits_table("model", fits, [fit["label"] or model_name(sources, fit["run_id"] or fit["score_id"]) for fit in fits])


def _labels(fits: Sequence[Fit]) -> list[str]:
    return [fit["label"] or fit["series"] for fit in fits]


def _fits_table(first: str, fits: Sequence[Fit], labels: Sequence[str]) -> Table:
    """Parameters become columns, in the order in which the fits name them; one that a form does not have is a dash."""
    names = list(dict.fromkeys(name for fit in fits for name in fit["params"]))
    rows = []
    for label, fit in zip(labels, fits, strict=True):
        residuals = [point["residual"] for point in fit["points"] if point["residual"] is not None]
        cells = (
            label,
            fit["form"],
            *(_parameter(fit["params"][name]) if name in fit["params"] else MISSING for name in names),
            _values(fit.get("paper"), digits=2),
            _why(fit),
            number(max(residuals, key=abs, default=None), signed=True),
            _convergence(fit),
            _values(fit["log_huber"], digits=3),
        )
        rows.append(TableRow(cells, "" if fit["converged"] else "no-answer"))
    shown = (PARAMETERS.get(name, name) for name in names)
    headings = (first, "form", *shown, PAPER, WHY, RESIDUAL, CONVERGENCE, LOG_HUBER)
    table = Table(headings, tuple(rows), frozenset({RESIDUAL}), frozenset({WHY, CONVERGENCE, LOG_HUBER}))
    return without_empty(table, [LOG_HUBER, PAPER, WHY])


def _parameter(parameter: Fit) -> str:
    if parameter["value"] is None:
        return NOT_IDENTIFIABLE
    value, (low, high) = significant(parameter["value"]), (parameter["low"], parameter["high"])
    if low is None and high is None:
        return f"{value} (no interval)"
    return f"{value} [{_end(low)}, {_end(high)}]"


def _end(value: float | None) -> str:
    return "open" if value is None else significant(value)


def _convergence(fit: Fit) -> str:
    """``converged; objective 3.20e−4, gradient 1.5e−11, 12 of 12 starts agree``."""
    state = "converged" if fit["converged"] else "not converged"
    found = fit["convergence"]
    if found is None:
        return state if fit["converged"] else "not fitted"
    starts = f"{found['starts_agreeing']} of {found['num_starts']} starts agree"
    return f"{state}; objective {significant(found['objective'])}, gradient {significant(found['gradient'], digits=2)}, {starts}"


def _values(values: Mapping[str, float] | None, *, digits: int) -> str:
    if not values:
        return MISSING
    return ", ".join(f"{PARAMETERS.get(name, name)} {significant(value, digits=digits)}" for name, value in values.items())


def _why(fit: Fit) -> str:
    """Why nothing was fitted, or why single parameters have no value or no interval; a reason that several share is said once."""
    by_reason: dict[str, list[str]] = {}
    for name, parameter in fit["params"].items():
        if parameter["reason"]:
            by_reason.setdefault(parameter["reason"], []).append(PARAMETERS.get(name, name))
    said = [fit["reason"]] if fit["reason"] else []
    said += [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items() if reason != fit["reason"]]
    return "; ".join(said) or MISSING
