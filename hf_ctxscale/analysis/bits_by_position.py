"""bits_by_position: losses by position in bits per byte, in the bins of the table of positions, with intervals over documents."""

import math
from collections.abc import Iterable

import pyarrow as pa

from hf_ctxscale.analysis.condensed import open_losses
from hf_ctxscale.analysis.estimates import Estimate
from hf_ctxscale.analysis.positions import bits_per_byte, log_bins
from hf_ctxscale.study import Study

SCHEMA = pa.schema(
    [
        ("score_id", pa.string()),
        ("position_from", pa.int64()),  # both ends belong to the bin
        ("position_to", pa.int64()),
        ("bits_per_byte", pa.float64()),
        ("bits_per_byte_low", pa.float64()),
        ("bits_per_byte_high", pa.float64()),
    ]
)


def bits_by_position(study: Study, score_ids: Iterable[str]) -> pa.Table:
    """One row per score and log-spaced bin of positions; without a value where the bytes of some document are not known.

    Raises:
        UserError: a score's losses are missing or are no such table.
    """
    rows = []
    for score_id in score_ids:
        losses = open_losses(study, score_id)
        for first, last in log_bins(losses.context_tokens):
            bits = bits_per_byte(losses, positions=(first, last))
            rows.append({"score_id": score_id, "position_from": first, "position_to": last, **_columns(bits)})
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _columns(bits: Estimate) -> dict[str, float | None]:
    ends = {"bits_per_byte": bits.value, "bits_per_byte_low": bits.low, "bits_per_byte_high": bits.high}
    return {name: value if math.isfinite(value) else None for name, value in ends.items()}
