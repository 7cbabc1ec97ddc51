"""The result tables of a report: claims, runs and fits, each as headings and rows of text that both templates show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_ctxscale.charts.chosen_scores import score_label
from hf_ctxscale.charts.series import in_table_order, series_label
from hf_ctxscale.reporting.measured_how import effective_context_cell, text_in_words
from hf_ctxscale.reporting.numbers import MISSING, counted, estimate, interval, number, percent, significant, whole
from hf_ctxscale.reporting.sources import Row, Sources, in_order
from hf_ctxscale.study import size_label

Fit = Mapping[str, Any]


@dataclass(frozen=True)
class TableRow:
    """One row; ``kind`` is what the row's colour says: a verdict or a run's state."""

    cells: tuple[str, ...]
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """A table as text. ``numeric``: columns that are set flush right."""

    headings: tuple[str, ...]
    rows: tuple[TableRow, ...]
    numeric: frozenset[str] = frozenset()


def claims_table(sources: Sources) -> Table:
    """Every claim with its measured value, interval and verdict."""
    headings = ("claim", "verdict", "measured", "interval", "rule", "why", "measured on")
    rows = []
    for claim in sources.fits.get("claims") or ():
        unit = f" {claim['unit']}" if claim["unit"] else ""
        limits = interval(claim["low"], claim["high"], signed=True)
        measured = number(claim["measured"], signed=True)
        evidence = [counted(claim[key], noun) for key, noun in (("num_documents", "document"), ("num_runs", "run")) if claim[key]]
        rows.append(
            TableRow(
                cells=(
                    claim["claim"],
                    claim["verdict"],
                    measured if measured == MISSING else f"{measured}{unit}",
                    limits if limits == MISSING else f"{limits} ({percent(claim['confidence'], decimals=0)})",
                    claim["rule"],
                    claim["reason"] or MISSING,
                    ", ".join(evidence) or MISSING,
                ),
                kind=claim["verdict"].replace(" ", "-"),
            )
        )
    return Table(headings, tuple(rows))


EFFECTIVE_CONTEXT = "effective context"  # a column only where some model has one

# What was found comes first: on a phone the rest is a scroll away.
RUN_HEADINGS = (
    "model",
    "size",
    "test loss, nats",
    "bits per byte",
    "context gain, nats",
    EFFECTIVE_CONTEXT,
    "state",
    "body parameters",
    "off target",
    "total parameters",
    "width",
    "learning rate",
    "seed",
    "training tokens",
    "training seconds",
    "run",
)


def runs_table(sources: Sources) -> Table:
    """Every run, failed and unfinished ones too, in the charts' order."""
    runs = in_order(sources.runs)
    texts = ("model", EFFECTIVE_CONTEXT, "learning rate", "state", "run")
    table = Table(RUN_HEADINGS, tuple(_run_row(run, sources) for run in runs), frozenset(RUN_HEADINGS) - frozenset(texts))
    return _without_empty(table, EFFECTIVE_CONTEXT)


def _without_empty(table: Table, heading: str) -> Table:
    """The table without a column in which nothing stands."""
    at = table.headings.index(heading)
    if any(row.cells[at] != MISSING for row in table.rows):
        return table
    rows = tuple(TableRow((*row.cells[:at], *row.cells[at + 1 :]), row.kind) for row in table.rows)
    return Table((*table.headings[:at], *table.headings[at + 1 :]), rows, table.numeric - {heading})


def _run_row(run: Row, sources: Sources) -> TableRow:
    record = sources.records.get(run["run_id"])
    target = record.target_body_params if record else None
    # The record is newer than the table where a run was taken up again after the last analysis.
    state, reason = (record.state, record.reason) if record else (run["state"], run["reason"])
    if run["run_id"] in sources.rejected:
        state = "finished; another learning rate did better"
    cells = (
        series_label(run["architecture"], (run["num_layers"],)) if run["architecture"] else MISSING,
        MISSING if run["body_params"] is None else size_label(run["body_params"]),
        _estimate(run, "loss_nats"),
        _estimate(run, "bits_per_byte"),
        _estimate(run, "context_gain_nats", signed=True),
        effective_context_cell(run, sources.scores.get(run["score_id"])),
        f"{state or MISSING}: {reason}" if reason else str(state or MISSING),
        whole(run["body_params"]),
        percent(run["body_params"] / target - 1 if target and run["body_params"] else None, signed=True),
        whole(run["total_params"]),
        whole(run["hidden_size"]),
        MISSING if run["learning_rate"] is None else f"{run['learning_rate']:g}",
        whole(run["seed"]),
        whole(run["train_tokens"]),
        number(run["train_seconds"], decimals=0),
        run["run_id"] or MISSING,
    )
    return TableRow(cells, kind=str(record.state if record else run["state"] or ""))


IN_CONTEXT_SCORE = "in-context score, nats"  # likewise
SCORED_HEADINGS = (
    "model",
    "loss, nats",
    "bits per byte",
    "context gain, nats",
    EFFECTIVE_CONTEXT,
    IN_CONTEXT_SCORE,
    "scored on",
    "windows",
    "context",
    "documents",
    "too short",
    "body parameters",
    "name given",
    "score",
)


def scored_table(sources: Sources) -> Table:
    """Every score that is not the main one of a run: models that the study did not train, and runs scored in another way."""
    rows = [row for row in sources.others if row["score_id"] in sources.scores]
    texts = ("model", "scored on", "windows", EFFECTIVE_CONTEXT, "name given", "score")
    table = Table(SCORED_HEADINGS, tuple(_scored_row(row, sources) for row in rows), frozenset(SCORED_HEADINGS) - frozenset(texts))
    return _without_empty(_without_empty(table, EFFECTIVE_CONTEXT), IN_CONTEXT_SCORE)


def _scored_row(row: Row, sources: Sources) -> TableRow:
    score = sources.scores[row["score_id"]]
    return TableRow(
        (
            score_label(row, score),
            _estimate(row, "loss_nats"),
            _estimate(row, "bits_per_byte"),
            _estimate(row, "context_gain_nats", signed=True),
            effective_context_cell(row, score),
            _estimate(row, "icl_score", signed=True),
            text_in_words(score),
            f"{score.windows}, state carried" if score.carry_state else score.windows,
            whole(score.context_tokens),
            whole(row["num_documents"]),
            whole(score.num_documents_too_short),
            whole(row["body_params"]),
            score.model,
            score.score_id,
        )
    )


def _estimate(run: Row, column: str, *, signed: bool = False) -> str:
    return estimate(run[column], run[f"{column}_low"], run[f"{column}_high"], signed=signed)


PARAMETER_HEADINGS = {"n_c": "N_c", "l_inf": "L_inf", "a": "A"}  # as the fits' forms write them


def size_fits_table(sources: Sources) -> Table:
    """The power law of each series over sizes."""
    places = in_table_order(fit["architecture"] for fit in sources.fits.get("loss_vs_parameters") or ())
    fits = sorted(sources.fits.get("loss_vs_parameters") or (), key=lambda fit: (places.index(fit["architecture"]), fit["num_layers"] or 0))
    labels = [series_label(fit["architecture"], (fit["num_layers"],)) for fit in fits]
    residuals = [[point["residual"] for point in fit["points"] or ()] for fit in fits]
    return _fits_table("series", labels, fits, residuals)


def position_fits_table(sources: Sources) -> Table:
    """The power law of each model over context positions."""
    runs = {run["run_id"]: run for run in in_order(sources.runs)}
    places = list(runs)
    fits = sorted(
        sources.fits.get("loss_vs_position") or (), key=lambda fit: places.index(fit["run_id"]) if fit["run_id"] in runs else len(places)
    )
    labels = [_model_name(runs.get(fit["run_id"]), fit["run_id"]) for fit in fits]
    return _fits_table("model", labels, fits, [fit["residual_nats"] or () for fit in fits])


def _model_name(run: Row | None, run_id: str) -> str:
    if run is None or not run["architecture"] or run["body_params"] is None:
        return run_id
    return f"{size_label(run['body_params'])} {series_label(run['architecture'], (run['num_layers'],))}, seed {run['seed']}"


def _fits_table(first: str, labels: Sequence[str], fits: Sequence[Fit], residuals: Sequence[Sequence[float | None]]) -> Table:
    """Parameters become columns, in the order in which the fits name them."""
    names = list(dict.fromkeys(name for fit in fits for name in fit["params"] or {}))
    rows = []
    for label, fit, left in zip(labels, fits, residuals, strict=True):
        parameters = [_parameter((fit["params"] or {}).get(name)) for name in names]
        largest = max((value for value in left if value is not None), key=abs, default=None)
        rows.append(
            TableRow(
                (label, fit["form"], *parameters, number(largest, signed=True), _outcome(fit)), "" if fit["converged"] else "no-answer"
            )
        )
    headings = (first, "form", *(PARAMETER_HEADINGS.get(name, name) for name in names), "largest residual, nats", "outcome")
    return Table(headings, tuple(rows))


def _parameter(parameter: Fit | None) -> str:
    if parameter is None or parameter["value"] is None:
        return "not identifiable"
    value = significant(parameter["value"])
    if parameter["low"] is None or parameter["high"] is None:
        return f"{value} (no interval)"
    return f"{value} [{significant(parameter['low'])}, {significant(parameter['high'])}]"


def _outcome(fit: Fit) -> str:
    if not fit["converged"]:
        return str(fit["reason"] or "not converged")
    return f"converged; {fit['reason']}" if fit["reason"] else "converged"
