"""comparisons_table: models that were scored together, two at a time, from results/comparisons.json."""

from collections.abc import Mapping
from typing import Any

from hf_ctxscale.charts.chosen_scores import score_labels
from hf_ctxscale.reporting.numbers import MISSING, estimate, whole
from hf_ctxscale.reporting.sources import Sources
from hf_ctxscale.reporting.table import Table, TableRow, without_empty

# Column -> what comparisons.json calls it. Bins of positions and bytes stay in the file: they are a chart's matter.
QUANTITIES = {
    "loss, nats": "mean_loss",
    "bits per byte": "bits_per_byte",
    "context gain, nats": "context_gain",
    "in-context score, nats": "in_context_score",
    "effective context, times": "effective_context",
}


def comparisons_table(sources: Sources) -> Table:
    """The first model minus the second, over the whole context: one row for each pair."""
    headings = ("first", "second", *QUANTITIES, "documents", "why not")
    pairs = [pair for pair in sources.comparisons.get("pairs") or () if {pair["a"], pair["b"]} <= set(sources.scores)]
    rows = [row for row in (*sources.runs, *sources.others) if row["score_id"] in sources.scores]
    labels = score_labels(rows, records=sources.scores.values())
    table = Table(
        headings,
        tuple(_row(pair, labels) for pair in pairs),
        frozenset({"documents"}),
    )
    return without_empty(table, [*QUANTITIES, "why not"])


def _row(pair: Mapping[str, Any], labels: Mapping[str, str]) -> TableRow:
    whole_context = {one["quantity"]: one for one in pair["comparisons"] if one["tokens"] is None and one["bytes"] is None}
    documents = {one["num_documents"] for one in whole_context.values() if one["num_documents"]}
    return TableRow(
        (
            labels.get(pair["a"], pair["a"]),
            labels.get(pair["b"], pair["b"]),
            *(_cell(whole_context.get(quantity)) for quantity in QUANTITIES.values()),
            whole(max(documents, default=None)),
            pair["refused"] or MISSING,
        )
    )


def _cell(comparison: Mapping[str, Any] | None) -> str:
    """``−0.606 [−0.626, −0.585], lower``; a dash where it was not measured."""
    if comparison is None or (comparison["value"] is None and comparison["low"] is None and comparison["high"] is None):
        return MISSING
    signed = comparison["unit"] != "times"
    value, low, high = (comparison[key] for key in ("value", "low", "high"))
    if (low is None) != (high is None):
        bound = estimate(high if low is None else low, None, None, signed=signed)
        return f"{bound} or {'less' if low is None else 'more'}, {comparison['verdict']}"
    return f"{estimate(value, low, high, signed=signed)}, {comparison['verdict']}"
