"""The tables of models in a report: every run of the study, and every score of models that it did not train."""

from hf_ctxscale.architectures import series_label
from hf_ctxscale.charts.chosen_scores import score_label
from hf_ctxscale.reporting.measured_how import effective_context_cell, text_in_words
from hf_ctxscale.reporting.numbers import MISSING, estimate, number, percent, whole
from hf_ctxscale.reporting.sources import Row, Sources, in_order
from hf_ctxscale.reporting.table import Table, TableRow, without_empty
from hf_ctxscale.study import size_label

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
    "training FLOPs",
    "training seconds",
    "run",
)


def runs_table(sources: Sources) -> Table:
    """Every run, failed and unfinished ones too, in the charts' order."""
    runs = in_order(sources.runs)
    texts = ("model", EFFECTIVE_CONTEXT, "learning rate", "state", "run")
    table = Table(RUN_HEADINGS, tuple(_run_row(run, sources) for run in runs), frozenset(RUN_HEADINGS) - frozenset(texts))
    return without_empty(table, [EFFECTIVE_CONTEXT])


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
        MISSING if run["train_flops"] is None else f"{run['train_flops']:.2e}".replace("e+", "e"),
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
    names = frozenset(("name given", "score"))  # too long to stand beside the numbers
    table = Table(SCORED_HEADINGS, tuple(_scored_row(row, sources) for row in rows), frozenset(SCORED_HEADINGS) - frozenset(texts), names)
    return without_empty(table, [EFFECTIVE_CONTEXT, IN_CONTEXT_SCORE])


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
