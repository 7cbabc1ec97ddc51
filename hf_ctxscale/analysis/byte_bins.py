"""BYTE_BINS: log-spaced bins of context measured in bytes of text, which models of different tokenizers share."""

import numpy as np

from hf_ctxscale.analysis.positions import Window, log_bins

# Three bins an octave, as for positions, up to a mebibyte of context; what lies beyond falls into the last one.
BYTE_BINS: tuple[Window, ...] = log_bins(2**20)
_LAST_BYTES = np.array([last for _, last in BYTE_BINS])


def byte_bin_of(context_bytes: np.ndarray) -> np.ndarray:
    """Index into BYTE_BINS of contexts of so many bytes, any shape; a context of no bytes (special tokens alone) falls into the first bin."""
    return np.minimum(np.searchsorted(_LAST_BYTES, context_bytes), len(BYTE_BINS) - 1)
