"""write_token_table, token_csv: a text read token by token as a CSV file, one row per model and token."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from hf_ctxscale.analysis.text_losses import TokenByToken
from hf_ctxscale.files import write_text

COLUMNS = (
    "model",
    "token",  # 1, 2, …
    "token_id",
    "text",
    "num_bytes",
    "full_context_tokens",
    "short_context_tokens",
    "loss_full_nats",
    "loss_short_nats",
    "gain_nats",
)


def write_token_table(path: Path, readings: Sequence[TokenByToken]) -> None:
    """Writes the table aside, then renames it."""
    write_text(path, token_csv(readings))


def token_csv(readings: Sequence[TokenByToken]) -> str:
    """The table. A loss that a token has not is an empty cell; the texts of a model's rows join to the text."""
    lines = io.StringIO()
    # Every text in quotes: one may hold line ends, and one may look like a number.
    writer = csv.writer(lines, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(COLUMNS)
    for reading in readings:
        writer.writerows(_rows(reading))
    return lines.getvalue()


def _rows(reading: TokenByToken) -> Iterator[tuple[str | int | float, ...]]:
    losses = (reading.loss_full_nats.tolist(), reading.loss_short_nats.tolist(), reading.gain_nats.tolist())
    counts = (reading.num_bytes.tolist(), reading.full_context_tokens.tolist())
    columns = zip(reading.token_ids.tolist(), reading.pieces, *counts, *losses, strict=True)
    for index, (token_id, piece, num_bytes, context, *numbers) in enumerate(columns):
        short = min(context, reading.short_context_tokens)
        shown = ("" if math.isnan(value) else value for value in numbers)
        yield (reading.model, index + 1, token_id, piece, num_bytes, context, short, *shown)
