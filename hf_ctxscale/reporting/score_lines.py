"""results_in_words: what a score found, in a line or two for the terminal."""

from collections.abc import Sequence
from typing import Any

from hf_ctxscale.charts.chosen_scores import score_labels
from hf_ctxscale.files import read_table
from hf_ctxscale.reporting.measured_how import effective_context_cell
from hf_ctxscale.reporting.numbers import counted, estimate, whole
from hf_ctxscale.study import Study


def results_in_words(study: Study, score_ids: Sequence[str]) -> tuple[str, ...]:
    """Loss, bits per byte and effective context of each score, then how much of the text they rest on."""
    rows = {row["score_id"]: row for row in read_table(study.results_file("runs")).to_pylist()}
    records = {record.score_id: record for record in study.score_records()}
    labels = score_labels([rows[score_id] for score_id in score_ids], records=records.values())
    lines = []
    for score_id in score_ids:
        row, record = rows[score_id], records[score_id]
        found = [f"{_cell(row, 'loss_nats')} nats per token"]
        if row["bits_per_byte"] is not None:
            found.append(f"{_cell(row, 'bits_per_byte')} bits per byte")
        if row["effective_context"] is not None:
            found.append(f"effective context {effective_context_cell(row, record)}")
        lines.append(f"{labels[score_id]}: {', '.join(found)}")
        left_out = [f"{whole(record.num_documents_too_short)} too short for a window"] if record.num_documents_too_short else []
        if record.num_documents_not_shared:
            left_out.append(f"{whole(record.num_documents_not_shared)} too short for another of these models")
        lines.append(
            f"  {whole(record.num_tokens)} tokens predicted, in {counted(record.num_blocks, 'window')} of {counted(record.num_documents, 'document')}"
            + (f"; documents left out: {', '.join(left_out)}" if left_out else "")
        )
    return tuple(lines)


def _cell(row: dict[str, Any], column: str) -> str:
    return estimate(row[column], row[f"{column}_low"], row[f"{column}_high"])
