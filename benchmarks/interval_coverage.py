"""How often do the intervals hold the truth? Simulated scores through the package's own statistics; writes docs/interval_coverage.md.

About twenty minutes on one core: ``OMP_NUM_THREADS=1 python benchmarks/interval_coverage.py``. With ``--kept FOLDER`` finished parts are kept there and
not simulated again.
"""

import argparse
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from coverage_page import coverage_page
from simulated_scores import (
    BYTES_PER_TOKEN,
    CONTEXT_TOKENS,
    CUTS,
    Lengths,
    curve,
    draw_ablations,
    draw_scores,
    draw_seeds,
    excess_curve,
)

from hf_ctxscale.analysis.bands import simultaneous_band
from hf_ctxscale.analysis.effective_context import context_ratio, effective_context
from hf_ctxscale.analysis.estimates import Estimate, jackknife, leave_one_out
from hf_ctxscale.analysis.positions import (
    EARLY_WINDOW,
    GAIN_WINDOW,
    LATE_WINDOW,
    PositionLosses,
    Window,
    last_octave,
    log_bins,
    window_means,
)
from hf_ctxscale.analysis.seeds import across_seeds
from hf_ctxscale.files import write_json, write_text

NUM_DOCUMENTS = (20, 50, 200)
NUM_SEEDS = 3
NUM_RESAMPLES = 1_000
BINS = log_bins(CONTEXT_TOKENS)
LENGTHS = {"at most 32 windows a document, as `score` takes": Lengths(32), "no limit to a document's windows": Lengths(None)}
# Expected excess over the whole context: scale in nats, exponent.
EXCESSES = {"short": (0.5, 1.0), "middle": (1.5, 1.0), "long": (0.5, 0.5), "beyond": (1.0, 0.3)}


@dataclass
class Tally:
    """What came out of the simulations: row -> one entry per simulation (0 or 1 for a miss or a hit, or a size)."""

    rows: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, row: str, value: float) -> None:
        """One simulation's value."""
        self.rows[row].append(float(value))

    def holds(self, row: str, estimate: Estimate, truth: float) -> None:
        """Whether an interval holds the truth, and how wide it is."""
        self.add(row, estimate.low <= truth <= estimate.high)
        self.add(f"{row} | width", estimate.high - estimate.low)


Simulate = Callable[[np.random.Generator, Lengths, int, Tally], None]


def simulate_positions(rng: np.random.Generator, lengths: Lengths, num_documents: int, tally: Tally) -> None:
    """Means, bins, differences and gains of two models, each with the interval as it is, and with D - 1 degrees of freedom."""
    models = draw_scores(rng, lengths, num_documents)
    weights_D = models[0].num_tokens.sum(axis=1)
    level = lengths.mean_level()

    def both(row: str, values_R: np.ndarray, truth: float) -> None:
        tally.holds(row, jackknife(values_R, weights_D=weights_D), truth)
        tally.holds(f"{row} | D - 1", jackknife(values_R), truth)

    windows: list[Window] = [(1, CONTEXT_TOKENS), GAIN_WINDOW, last_octave(CONTEXT_TOKENS), EARLY_WINDOW, LATE_WINDOW, *BINS]
    a_RW, b_RW = (window_means(model, windows) for model in models)
    a_W, b_W = (np.array([curve(model)[first - 1 : last].mean() for first, last in windows]) + level for model in (0, 1))
    both("mean loss", a_RW[:, 0], a_W[0])
    for number, (first, last) in enumerate(BINS, start=5):
        both("loss of a bin (mean over all bins)", a_RW[:, number], a_W[number])
        if (first, last) in (BINS[0], BINS[-1]):
            both(f"loss of the bin {first}-{last}" if last > first else f"loss at position {first}", a_RW[:, number], a_W[number])
    both("paired difference of two models", a_RW[:, 0] - b_RW[:, 0], a_W[0] - b_W[0])
    both("context gain", a_RW[:, 1] - a_RW[:, 2], a_W[1] - a_W[2])
    both("paired difference of context gains", (a_RW - b_RW)[:, 1] - (a_RW - b_RW)[:, 2], (a_W - b_W)[1] - (a_W - b_W)[2])
    both("in-context score", a_RW[:, 4] - a_RW[:, 3], a_W[4] - a_W[3])
    bits = window_means(models[0], windows[:1], per="byte")[:, 0]
    both("bits per byte", bits, a_W[0] / math.log(2) / BYTES_PER_TOKEN[0])
    band = simultaneous_band(a_RW[:, 5:], weights_D=weights_D)
    tally.add("band over all bins at once", bool(((band.low_W <= a_W[5:]) & (a_W[5:] <= band.high_W)).all()))


def simulate_seeds(rng: np.random.Generator, lengths: Lengths, num_documents: int, tally: Tally) -> None:
    """Means over seeds and a difference of two families: intervals for the trained models, and for the recipe."""
    windows_D, loss_FSD, seed_FS = draw_seeds(rng, lengths, num_documents, num_seeds=NUM_SEEDS)
    sums_RW = leave_one_out((windows_D * loss_FSD.reshape(-1, num_documents)).T) / leave_one_out(windows_D[:, None])
    values_FSR = sums_RW.T.reshape(2, NUM_SEEDS, -1)
    truth = 3.0 + lengths.mean_level()
    for what, values_SR, expected, trained in (
        ("mean loss", values_FSR[0], truth, truth + seed_FS[0].mean()),
        ("difference of two families", values_FSR[0] - values_FSR[1], 0.0, (seed_FS[0] - seed_FS[1]).mean()),
    ):
        over_documents = jackknife(values_SR.mean(axis=0), weights_D=windows_D)
        tally.holds(f"{what}: over documents, of these trained models", over_documents, trained)
        tally.holds(f"{what}: over documents, of the recipe", over_documents, expected)
        tally.holds(f"{what}: across seeds, of the recipe", across_seeds(values_SR, weights_D=windows_D), expected)


def simulate_effective_context(rng: np.random.Generator, lengths: Lengths, num_documents: int, tally: Tally) -> None:
    """Effective contexts inside the measured range and beyond it, and the ratio of two of them."""
    excess_MK = np.array([excess_curve(*shape) for shape in EXCESSES.values()])
    models = draw_ablations(rng, lengths, num_documents, excess_MK)
    for name, losses, truth in zip(EXCESSES, models, true_effective_contexts().values(), strict=True):
        reach = effective_context(losses, cuts=CUTS)
        tally.add(name, reach.low <= truth and (reach.high_censored or truth <= reach.high))
        tally.add(f"{name} | octaves", math.log2(reach.high / reach.low))
        tally.add(f"{name} | value", reach.tokens)
        tally.add(f"{name} | censored", reach.censored)
        tally.add(f"{name} | no upper limit", reach.high_censored)
    truth = true_effective_contexts()["long"] / true_effective_contexts()["middle"]
    ratio = context_ratio(models[2], models[1], cuts=CUTS, num_resamples=NUM_RESAMPLES, seed=int(rng.integers(2**31)))
    # An open end holds everything on its side.
    tally.add("ratio", not (ratio.low > truth or ratio.high < truth))
    tally.add("ratio | open", not ratio.has_interval)
    if ratio.has_interval:
        tally.add("ratio | octaves", math.log2(ratio.high / ratio.low))


def true_effective_contexts() -> dict[str, float]:
    """From the expected excess itself."""
    ones = np.ones((2, len(CUTS)), dtype=np.int64)
    truths = {}
    for name, shape in EXCESSES.items():
        noiseless = PositionLosses(("a", "b"), ones[:, 0], ones, ones, np.tile(excess_curve(*shape), (2, 1)))
        truths[name] = effective_context(noiseless, cuts=CUTS).tokens
    return truths


ARMS: Mapping[str, tuple[Simulate, Lengths]] = {
    **{f"positions, {words}": (simulate_positions, lengths) for words, lengths in LENGTHS.items()},
    "seeds": (simulate_seeds, Lengths(32)),
    "effective context": (simulate_effective_context, Lengths(32)),
}


def run(num_simulations: int, *, num_documents: Sequence[int] = NUM_DOCUMENTS, kept: Path | None = None) -> dict[str, dict[int, dict]]:
    """Arm -> number of documents -> row -> one value per simulation (several where a row holds several intervals)."""
    results: dict[str, dict[int, dict]] = defaultdict(dict)
    for arm, (simulate, lengths) in ARMS.items():
        for number in num_documents:
            file = kept / f"{arm.replace(' ', '_')}_{number}_{num_simulations}.json" if kept else None
            if file and file.exists():
                results[arm][number] = json.loads(file.read_text())
                continue
            # Every cell has a stream of its own, so that it comes out the same whichever others are run.
            rng, tally, started = np.random.default_rng([number, list(ARMS).index(arm)]), Tally(), time.monotonic()
            for _ in range(num_simulations):
                simulate(rng, lengths, number, tally)
            results[arm][number] = dict(tally.rows)
            if file:
                write_json(file, results[arm][number])
            print(f"{arm}: {number} documents, {num_simulations} simulations, {time.monotonic() - started:.0f} s", flush=True)
    return results


def main() -> None:
    """Simulates what is missing and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=2_000)
    parser.add_argument("--page", type=Path, default=Path("docs/interval_coverage.md"))
    parser.add_argument("--kept", type=Path, default=None, help="folder for finished parts; those that it holds already are not run again")
    arguments = parser.parse_args()
    results = run(arguments.simulations, kept=arguments.kept)
    write_text(arguments.page, coverage_page(results, num_simulations=arguments.simulations, truths=true_effective_contexts()))
    print(f"written: {arguments.page}")


if __name__ == "__main__":
    main()
