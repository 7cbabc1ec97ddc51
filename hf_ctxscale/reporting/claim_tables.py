"""The tables of statements in a report: claims with their verdicts, crossovers, plateaus and paired differences."""

from collections.abc import Mapping, Sequence
from typing import Any

from hf_ctxscale.architectures import series_label
from hf_ctxscale.reporting.law_names import AXES
from hf_ctxscale.reporting.numbers import DECIMALS, MISSING, counted, interval, number, percent, significant, whole
from hf_ctxscale.reporting.sources import Row, Sources
from hf_ctxscale.reporting.table import Table, TableRow, without_empty
from hf_ctxscale.study import size_label

Entry = Mapping[str, Any]

LAW_LETTERS = {"l_inf": "L_inf", "a": "A"}  # of a plateau's forms; others stand for themselves


def claims_table(sources: Sources) -> Table:
    """Every claim with its measured value, interval, rule and verdict, the paper's value and Holm's correction beside it."""
    headings = ("claim", "verdict", "measured", "interval", "paper's value", "p", "p (Holm)", "why", "rule", "measured on")
    rows = tuple(_claim_row(claim) for claim in sources.fits.get("claims") or ())
    return without_empty(
        Table(headings, rows, frozenset({"p", "p (Holm)"}), frozenset({"why", "rule", "measured on"})), ["paper's value", "p", "p (Holm)"]
    )


def _claim_row(claim: Entry) -> TableRow:
    # What has a value in the paper is an exponent; everything else is a difference.
    signed = claim["paper"] is None
    unit = f" {claim['unit']}" if claim["unit"] else ""
    # Nats need three decimals; exponents, and their differences, are smaller.
    decimals = 4 if claim["kind"] == "exponent" else DECIMALS
    measured = number(claim["measured"], decimals=decimals, signed=signed)
    limits = interval(claim["low"], claim["high"], decimals=decimals, signed=signed)
    counts = (("num_documents", "document"), ("num_runs", "run"))
    evidence = [counted(claim[key], noun) for key, noun in counts if claim[key]]
    if claim["seeds"]:
        evidence.append(counted(len(claim["seeds"]), "seed"))
    if claim["train_tokens"]:
        evidence.append(f"{span(*claim['train_tokens'])} training tokens")
    return TableRow(
        cells=(
            claim["claim"],
            claim["verdict"],
            measured if measured == MISSING else f"{measured}{unit}",
            limits if limits == MISSING else f"{limits} ({percent(claim['confidence'], decimals=0)})",
            MISSING if claim["paper"] is None else f"{claim['paper']:g}{unit}",
            number(claim["p_value"], decimals=4),
            number(claim["p_adjusted"], decimals=4),
            claim["reason"] or MISSING,
            claim["rule"],
            ", ".join(evidence) or MISSING,
        ),
        kind=claim["verdict"].replace(" ", "-"),
    )


def crossover_tables(sources: Sources) -> tuple[tuple[str, Table], ...]:
    """Where two series cross inside the range that both were measured in, or which of them is better throughout: a table for each x axis."""
    crossings = sources.fits.get("crossovers") or ()
    by_axis = [(axis, [crossing for crossing in crossings if crossing["x"] == axis]) for axis in AXES]
    return tuple((f"Over {axis_name(axis, sources)}", _crossovers_table(chosen)) for axis, chosen in by_axis if chosen)


def _crossovers_table(crossings: Sequence[Entry]) -> Table:
    headings = ("first", "second", "verdict", "crosses at", "interval", "in words", "replicates that cross once", "range of both")
    rows = [
        TableRow(
            (
                crossing["first_label"],
                crossing["second_label"],
                crossing["verdict"],
                _place(crossing["x_cross"], crossing["x"]),
                _places((crossing["low"], crossing["high"]), crossing["x"]),
                crossing["sentence"],
                percent(crossing["share_crossing_once"]),
                _places(crossing["overlap"] or (None, None), crossing["x"]),
            ),
            kind="undecided" if crossing["verdict"] == "undecided" else "no-answer" if crossing["verdict"] == "no overlap" else "supported",
        )
        for crossing in crossings
    ]
    numeric = frozenset({"crosses at", "interval", "replicates that cross once", "range of both"})
    return without_empty(Table(headings, tuple(rows), numeric, frozenset({"in words"})), ["crosses at", "interval"])


def _place(value: float | None, axis: str) -> str:
    """A point of an x axis: ``51K`` parameters, ``3.20e15`` FLOPs."""
    return MISSING if value is None else size_label(value) if axis.endswith("_params") else significant(value)


def _places(ends: Sequence[float | None], axis: str) -> str:
    low, high = ends
    return MISSING if low is None or high is None else f"[{_place(low, axis)}, {_place(high, axis)}]"


def plateaus_table(sources: Sources) -> Table:
    """For every model, whether its loss by position levels off or goes on falling as a power law."""
    headings = ("model", "verdict", "best form", "power law minus plateau", "by the last octave", "documents", "splits", "why")
    rows = [
        TableRow(
            (
                model_name(sources, plateau["run_id"]),
                plateau["verdict"],
                _best_form(plateau),
                _with_error(plateau["difference"], plateau["std_error"]),
                _with_error(plateau["last_octave_difference"], plateau["last_octave_std_error"]),
                whole(plateau["num_documents"]),
                whole(plateau["num_splits"]),
                plateau["reason"] or MISSING,
            ),
            kind="undecided" if plateau["verdict"] == "undecided" else "supported",
        )
        for plateau in sources.fits.get("plateaus") or ()
    ]
    return Table(headings, tuple(rows), frozenset({"documents", "splits"}), frozenset({"why"}))


def _best_form(plateau: Entry) -> str:
    """The form of lowest error with its parameters: ``flat after k (c 3.00, b 0.400, k 40)``."""
    best = next((one for one in plateau["candidates"] if one["form"] == plateau["best"]), None)
    if best is None:
        return MISSING
    # k is an edge of a bin.
    params = (
        f"k {whole(round(value))}" if name == "k" else f"{LAW_LETTERS.get(name, name)} {significant(value)}"
        for name, value in best["params"].items()
    )
    return f"{best['form']} ({', '.join(params)})"


def difference_tables(sources: Sources) -> tuple[tuple[str, Table], ...]:
    """The loss of a first model minus that of a second by context position: one table for each pair, with what it shows."""
    headings = ("positions", "difference, nats", "simultaneous interval")
    return tuple(
        (
            pair["sentence"],
            Table(
                headings,
                tuple(
                    TableRow(
                        (
                            positions(bin["position_from"], bin["position_to"]),
                            number(bin["difference_nats"], signed=True),
                            interval(bin["low"], bin["high"], signed=True),
                        )
                    )
                    for bin in pair["bins"]
                ),
                frozenset(headings),
            ),
        )
        for pair in sources.fits.get("paired_differences") or ()
    )


def axis_name(axis: str, sources: Sources) -> str:
    """``body parameters``; a table of numbers from elsewhere does not say what its sizes are of."""
    return "the table's N" if sources.is_table else AXES[axis]


def model_name(sources: Sources, run_id: str | None) -> str:
    """``222K LSTM, 1 layer``, with its seed where the study has several; the run's id where its table row says nothing of it."""
    run: Row | None = next((run for run in sources.runs if run["run_id"] == run_id), None)
    if run is None or not run["architecture"] or run["body_params"] is None:
        return run_id or MISSING
    seed = f", seed {run['seed']}" if len({run["seed"] for run in sources.runs}) > 1 else ""
    return f"{size_label(run['body_params'])} {series_label(run['architecture'], (run['num_layers'],))}{seed}"


def span(low: float, high: float) -> str:
    """Two counts as a range, or one where they look the same: ``2M to 6M``."""
    first, last = size_label(low), size_label(high)
    return first if first == last else f"{first} to {last}"


def positions(first: int, last: int) -> str:
    """``65–128``, or ``1``."""
    return whole(first) if first == last else f"{whole(first)}–{whole(last)}"


def _with_error(value: float | None, std_error: float | None) -> str:
    """``+0.050 ± 0.020``; a dash where it was not measured."""
    if value is None:
        return MISSING
    return number(value, signed=True) if std_error is None else f"{number(value, signed=True)} ± {number(std_error)}"
