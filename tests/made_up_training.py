"""Validation curves over training with a known gap between early and late positions, as a run's file holds them."""

import json
from pathlib import Path

import numpy as np

from hf_ctxscale.analysis.condense import condensed_bins
from hf_ctxscale.columns import VALIDATION_CURVES_SCHEMA
from hf_ctxscale.files import write_table

STEPS = (10, 100, 1000)
TOKENS_PER_STEP = 1024


def write_training_curves(
    path: Path, *, gaps: tuple[float, ...], context_tokens: int = 256, num_documents: int = 30, level: float = 4.0, noise_sd: float = 0.002
) -> None:
    """A validation at each of STEPS; at each the loss falls by one of ``gaps`` after position T/2, and by 0.3 from step to step.

    Documents have levels of their own, the same at every step, and from 1 to 8 blocks.
    """
    rng = np.random.default_rng(0)
    bins = condensed_bins(context_tokens)
    num_blocks_D = rng.integers(1, 9, num_documents)
    level_D = level + rng.normal(0, 0.3, num_documents)
    late_W = np.array([first > context_tokens // 2 for first, _ in bins])
    rows = []
    for place, (step, gap) in enumerate(zip(STEPS, gaps, strict=False)):
        for d in range(num_documents):
            counts_W = num_blocks_D[d] * np.array([last - first + 1 for first, last in bins])
            loss_W = level_D[d] - 0.3 * place - gap * late_W + rng.normal(0, noise_sd, len(bins))
            rows.append(
                {
                    "step": step,
                    "tokens": step * TOKENS_PER_STEP,
                    "document": f"doc-{d}",
                    "num_tokens": counts_W.tolist(),
                    "loss_sum_nats": (counts_W * loss_W).tolist(),
                }
            )
    write_table(path, rows, VALIDATION_CURVES_SCHEMA.with_metadata({b"bins": json.dumps(bins)}))
