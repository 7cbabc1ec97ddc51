"""open_losses: a score's losses by position, from its full sums or from the sums by bin that a condensed study keeps in their place.

Letters: D documents, T context positions, W bins of positions.
"""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hf_ctxscale.analysis.positions import PositionLosses, Window, load_losses, loss_curve
from hf_ctxscale.columns import LOSSES_SCHEMA
from hf_ctxscale.files import write_aside
from hf_ctxscale.study import Study, UserError

BINS_KEY, CURVE_KEY = b"bins", b"loss_curve_nats"  # of the file's schema metadata, both JSON
CURVE_DIGITS = 7  # the curve only says how a bin's sum spreads over the bin; more digits would double the small files


def binned_losses_file(study: Study, score_id: str) -> Path:
    """A score's losses by document and bin of positions."""
    return study.losses_file(score_id).with_name("losses_by_bin.parquet")


def open_losses(study: Study, score_id: str) -> PositionLosses:
    """A score's losses by document and position: the full sums where they are, else those by bin, spread over their positions.

    Raises:
        UserError: the score has neither, or a file is not such a table.
    """
    path, binned = study.losses_file(score_id), binned_losses_file(study, score_id)
    return load_binned(binned) if binned.is_file() and not path.is_file() else load_losses(path)


def save_binned(path: Path, losses: PositionLosses, *, bins: Sequence[Window]) -> None:
    """Writes sums by bin as parquet: the columns of columns.LOSSES_SCHEMA with a value per bin, and in the metadata the bins and the mean curve.

    Args:
        path: of the file.
        losses: by position.
        bins: windows that cover positions 1..T once, in order.
    """
    assert bins[0][0] == 1, bins
    assert bins[-1][1] == losses.context_tokens, (bins, losses.context_tokens)
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(bins)), bins
    starts = [first - 1 for first, _ in bins]
    sums = (np.add.reduceat(array, starts, axis=1) for array in (losses.num_tokens, losses.num_bytes, losses.loss_sum_nats))
    curve = [float(f"{loss:.{CURVE_DIGITS}g}") if np.isfinite(loss) else None for loss in loss_curve(losses).tolist()]
    schema = LOSSES_SCHEMA.with_metadata({BINS_KEY: json.dumps(bins), CURVE_KEY: json.dumps(curve)})
    columns = [pa.array(losses.documents, pa.string()), pa.array(losses.num_blocks), *(pa.array(list(array_DW)) for array_DW in sums)]
    table = pa.Table.from_arrays([column.cast(kind.type) for column, kind in zip(columns, schema, strict=True)], schema=schema)
    write_aside(path, lambda aside: pq.write_table(table, aside, compression="zstd"))


def load_binned(path: Path) -> PositionLosses:
    """Reads what `save_binned` wrote, as losses by position.

    The tokens of a bin spread evenly over its positions, its loss as the mean curve of all documents falls there. Sums over windows made of
    whole bins are those of the full file, document by document; inside a bin only the mean over documents is.

    Raises:
        UserError: the file is missing or is not such a table.
    """
    binned = load_losses(path)
    metadata = pq.read_schema(path).metadata or {}
    try:
        bins = [(int(first), int(last)) for first, last in json.loads(metadata[BINS_KEY])]
        curve_T = np.array(json.loads(metadata[CURVE_KEY]), dtype=np.float64)
    except (KeyError, ValueError, TypeError):
        raise UserError(f"{path} does not say which positions its bins hold; make it again with `hf-ctxscale condense`.") from None
    if len(bins) != binned.context_tokens or len(curve_T) != bins[-1][1]:
        raise UserError(f"{path} holds {binned.context_tokens} bins and names {len(bins)}; make it again with `hf-ctxscale condense`.")
    starts, widths = [first - 1 for first, _ in bins], [last - first + 1 for first, last in bins]
    num_tokens, num_bytes = (_evenly(sums_DW, widths) for sums_DW in (binned.num_tokens, binned.num_bytes))
    share_DT = num_tokens * np.nan_to_num(curve_T)
    total_DW = np.add.reduceat(share_DT, starts, axis=1)
    # Where the curve is zero all over a bin, there is no loss to spread.
    scale_DW = np.divide(binned.loss_sum_nats, total_DW, out=np.zeros_like(total_DW), where=total_DW > 0)
    return PositionLosses(binned.documents, binned.num_blocks, num_tokens, num_bytes, share_DT * np.repeat(scale_DW, widths, axis=1))


def _evenly(sums_DW: np.ndarray, widths: Sequence[int]) -> np.ndarray:
    """Whole numbers, (D, T), that add up to the sum of each bin and inside it differ by one at most."""
    parts = [np.diff(sums_D[:, None] * np.arange(width + 1) // width, axis=1) for sums_D, width in zip(sums_DW.T, widths, strict=True)]
    return np.concatenate(parts, axis=1)
