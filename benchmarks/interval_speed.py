"""How long do all intervals of one score take? 200 documents, 1,024 positions; asked for: under a second.

``OMP_NUM_THREADS=1 python benchmarks/interval_speed.py``
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from hf_ctxscale.analysis.bands import simultaneous_band
from hf_ctxscale.analysis.byte_bins import BYTE_BINS, byte_bin_of
from hf_ctxscale.analysis.effective_context import context_ratio, effective_context
from hf_ctxscale.analysis.positions import (
    PositionLosses,
    bits_per_byte,
    context_gain,
    in_context_score,
    log_bins,
    mean_loss,
    window_means,
)

TARGET_SECONDS = 1.0
BYTES_PER_TOKEN = 4


def made_up(num_documents: int, context_tokens: int) -> PositionLosses:
    """Losses of documents of 1 to 32 windows."""
    rng = np.random.default_rng(0)
    windows_D = rng.integers(1, 33, num_documents)
    tokens_DT = np.repeat(windows_D[:, None], context_tokens, axis=1)
    level_DT = rng.normal(3, 0.4, (num_documents, 1)) + 2 * np.arange(1, context_tokens + 1) ** -0.5 + rng.normal(0, 0.3, tokens_DT.shape)
    return PositionLosses(tuple(map(str, range(num_documents))), windows_D, tokens_DT, BYTES_PER_TOKEN * tokens_DT, tokens_DT * level_DT)


def by_columns(losses: PositionLosses, column_T: np.ndarray, *, num_columns: int) -> PositionLosses:
    """The same losses with their positions gathered into columns."""
    onto_TW = (column_T[:, None] == np.arange(num_columns)).astype(np.float64)
    num_tokens, num_bytes = ((counts @ onto_TW).astype(np.int64) for counts in (losses.num_tokens, losses.num_bytes))
    return PositionLosses(losses.documents, losses.num_blocks, num_tokens, num_bytes, losses.loss_sum_nats @ onto_TW)


def main() -> None:
    """Times every kind of interval and prints the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    losses = made_up(arguments.documents, arguments.context)
    positions = np.arange(1, arguments.context + 1)
    by_bytes = by_columns(losses, byte_bin_of(BYTES_PER_TOKEN * positions), num_columns=len(BYTE_BINS))
    byte_columns = (np.flatnonzero(by_bytes.num_tokens.any(axis=0)) + 1).tolist()
    cuts = [2**k for k in range(arguments.context.bit_length()) if 2**k <= arguments.context]
    # The losses at the cuts stand in for an ablation: what matters here is its shape.
    ablation = PositionLosses(losses.documents, losses.num_blocks, *(a[:, np.array(cuts) - 1] for a in _arrays(losses)))
    columns = [(column, column) for column in range(1, len(cuts) + 1)]

    def excess() -> object:
        means_RK = window_means(ablation, columns)
        return simultaneous_band(means_RK - means_RK[:, -1:], weights_D=ablation.num_tokens[:, -1])

    steps: dict[str, Callable[[], object]] = {
        "mean loss": lambda: mean_loss(losses),
        "bits per byte": lambda: bits_per_byte(losses),
        "context gain": lambda: context_gain(losses),
        "in-context score": lambda: in_context_score(losses),
        f"{len(log_bins(arguments.context))} bins of positions": lambda: [
            mean_loss(losses, positions=w) for w in log_bins(arguments.context)
        ],
        f"{len(byte_columns)} bins of bytes": lambda: [bits_per_byte(by_bytes, positions=(c, c)) for c in byte_columns],
        f"loss at {len(cuts)} cuts": lambda: [mean_loss(ablation, positions=column) for column in columns],
        "simultaneous band of the excess": excess,
        "effective context": lambda: effective_context(ablation, cuts=cuts),
    }
    # A comparison of two scores, not a number of one: outside the sum.
    ratio = {"ratio of two effective contexts (not in the sum)": lambda: context_ratio(ablation, ablation, cuts=cuts)}
    seconds = {name: _median_seconds(step, rounds=arguments.rounds) for name, step in (steps | ratio).items()}
    table = Table("intervals", "ms", title=f"{arguments.documents} documents, {arguments.context} positions, median of {arguments.rounds}")
    for name, value in seconds.items():
        table.add_row(name, f"{1000 * value:.1f}")
    total = sum(seconds[name] for name in steps)
    table.add_row(
        "all of one score", f"{1000 * total:.1f} ({'under' if total < TARGET_SECONDS else 'NOT under'} {1000 * TARGET_SECONDS:g})"
    )
    Console().print(table)


def _arrays(losses: PositionLosses) -> tuple[np.ndarray, ...]:
    return losses.num_tokens, losses.num_bytes, losses.loss_sum_nats


def _median_seconds(step: Callable[[], object], *, rounds: int) -> float:
    def once() -> float:
        started = time.perf_counter()
        step()
        return time.perf_counter() - started

    once()  # what only the first call pays
    return statistics.median(once() for _ in range(rounds))


if __name__ == "__main__":
    main()
