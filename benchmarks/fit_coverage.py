"""Do fits, crossovers and claims hold the truth? Simulated studies through the package's own analysis; writes docs/fit_coverage.md.

About half an hour on one core: ``OMP_NUM_THREADS=1 python benchmarks/fit_coverage.py``. With ``--kept FOLDER`` finished parts are kept there and not
simulated again; ``--arms`` runs some parts only, so that two cores can share the work.
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
from fit_coverage_page import NUM_REPLICATES, fit_coverage_page
from simulated_studies import Design, Family, Law, draw_curve, draw_study

from hf_ctxscale.analysis.claims import Claim, judge_claims
from hf_ctxscale.analysis.crossover import find_crossover
from hf_ctxscale.analysis.laws.law_fit import LawFit
from hf_ctxscale.analysis.laws.position_law import fit_position_law
from hf_ctxscale.analysis.laws.size_and_data_laws import fit_sum_law
from hf_ctxscale.analysis.laws.size_laws import fit_offset_law, fit_paper_law
from hf_ctxscale.analysis.measured import Measured
from hf_ctxscale.analysis.plateau import judge_plateau
from hf_ctxscale.analysis.positions import log_bins
from hf_ctxscale.analysis.replicates import Replicates, draw_replicates
from hf_ctxscale.files import write_json, write_text
from hf_ctxscale.paper import ALPHA_N, N_C, POSITION_CURVES

CONTEXT_TOKENS = 512
BINS = log_bins(CONTEXT_TOKENS)
ALL: tuple[tuple[int, int], ...] = ((1, 1),)  # the one position of a simulated study of sizes


@dataclass(frozen=True)
class Cell:
    """How much a simulated study measures."""

    num_documents: int
    num_seeds: int

    def __str__(self) -> str:
        seeds = f", {self.num_seeds} seeds" if self.num_seeds > 1 else ""
        return f"{self.num_documents} documents{seeds}"


@dataclass
class Tally:
    """What came out of the simulations: row -> one entry per simulation."""

    rows: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, row: str, value: float) -> None:
        """One simulation's value."""
        self.rows[row].append(float(value))

    def holds(self, row: str, value: float | None, low: float | None, high: float | None, *, truth: float) -> None:
        """Whether an interval holds the truth, how far off the estimate is, and whether there is an interval at all."""
        given = value is not None and low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
        self.add(f"{row} | none", not given)
        if given:
            assert value is not None and low is not None and high is not None  # noqa: PT018
            self.add(row, low <= truth <= high)
            self.add(f"{row} | value", value)
            self.add(f"{row} | width", high - low)


Simulate = Callable[[np.random.Generator, Cell, Tally], None]

# Kaplan et al.'s own law for the Transformers; LSTMs that begin lower and fall more slowly, so that the families cross inside the range.
PAPER_SIZES = tuple(1e5 * 10 ** (k / 2) for k in range(6))
LSTM_ALPHA = 0.060
CROSSES_AT = 2e6


def paper_law(size: float, _: float) -> float:
    """The Transformers' expected loss."""
    return (N_C / size) ** ALPHA_N


def slower_law(size: float, _: float) -> float:
    """The LSTMs' expected loss: equal to the Transformers' at CROSSES_AT."""
    return paper_law(CROSSES_AT, 0) * (CROSSES_AT / size) ** LSTM_ALPHA


PAPER_LAWS: Mapping[Family, Law] = {("lstm", 1): slower_law, ("gpt2", 2): paper_law}

# Offset laws over six octaves and more: E, A, alpha of each family, crossing inside the range.
OFFSET_SIZES = tuple(1e4 * 10 ** (k * 0.75) for k in range(8))
OFFSET = {("lstm", 1): (2.6, 60.0, 0.38), ("gpt2", 2): (1.8, 45.0, 0.28)}
NARROW_SIZES = (1e6, 1.4e6, 2e6, 2.8e6)
# Hoffmann et al. 2022, approach 3.
HOFFMANN = {"e": 1.69, "a": 406.4, "alpha": 0.34, "b": 410.7, "beta": 0.28}
HOFFMANN_SIZES = tuple(1e7 * 10 ** (k / 2) for k in range(6))
HOFFMANN_BUDGETS = tuple(1e9 * 10 ** (k / 2) for k in range(4))


def offset_law(family: Family) -> Law:
    """E + A·N^-alpha of a family."""
    e, a, alpha = OFFSET[family]
    return lambda size, _: e + a * size**-alpha


def hoffmann_law(size: float, tokens: float) -> float:
    """The published law."""
    law = HOFFMANN
    return law["e"] + law["a"] * size ** -law["alpha"] + law["b"] * tokens ** -law["beta"]


def simulate_paper_law(rng: np.random.Generator, cell: Cell, tally: Tally) -> None:
    """Exponents, N_c, where the families cross, and the claims on gaps."""
    measured = draw_study(rng, Design(PAPER_LAWS, PAPER_SIZES, cell.num_seeds), num_documents=cell.num_documents)
    replicates = draw_replicates(measured, num_replicates=NUM_REPLICATES, seed=_seed(rng))
    fits = {series: _size_fit(fit_paper_law, measured, replicates, series) for series in ("gpt2-2", "lstm-1")}
    _parameter(tally, "alpha of the Transformers", fits["gpt2-2"], "alpha", ALPHA_N)
    _parameter(tally, "alpha of the LSTMs", fits["lstm-1"], "alpha", LSTM_ALPHA)
    _parameter(tally, "N_c of the Transformers", fits["gpt2-2"], "n_c", N_C)
    _crossing(tally, fits, PAPER_SIZES, truth=CROSSES_AT)
    claims = {claim.id: claim for claim in judge_claims(measured, replicates)}
    _claim(tally, "growth of the gap, nats per factor of ten", claims["transformer_gap_grows_with_size"], true_growth())


def true_growth() -> float:
    """What the claim on the gap's growth measures, from the laws themselves."""
    gaps = [slower_law(size, 0) - paper_law(size, 0) for size in PAPER_SIZES]
    return float(np.polyfit(np.log10(PAPER_SIZES), gaps, 1)[0])


def simulate_offset_law(rng: np.random.Generator, cell: Cell, tally: Tally) -> None:
    """E, A, alpha and the crossing of two families over a wide range of sizes."""
    laws = {family: offset_law(family) for family in OFFSET}
    measured = draw_study(rng, Design(laws, OFFSET_SIZES, cell.num_seeds), num_documents=cell.num_documents)
    replicates = draw_replicates(measured, num_replicates=NUM_REPLICATES, seed=_seed(rng))
    fits = {series: _size_fit(fit_offset_law, measured, replicates, series) for series in ("gpt2-2", "lstm-1")}
    for (architecture, num_layers), truths in OFFSET.items():
        fit = fits[f"{architecture}-{num_layers}"]
        for name, truth in zip(("e", "a", "alpha"), truths, strict=True):
            _parameter(tally, f"{name} of {architecture}", fit, name, truth)
    _crossing(tally, fits, OFFSET_SIZES, truth=offset_crossing())


def offset_crossing() -> float:
    """Where the two offset laws are equal."""
    from scipy.optimize import brentq

    one, other = (offset_law(family) for family in OFFSET)
    return float(
        10 ** brentq(lambda log_n: one(10**log_n, 0) - other(10**log_n, 0), math.log10(OFFSET_SIZES[0]), math.log10(OFFSET_SIZES[-1]))
    )


def simulate_narrow_range(rng: np.random.Generator, cell: Cell, tally: Tally) -> None:
    """Four sizes within a factor of three: an offset law cannot be told from it."""
    laws = {("gpt2", 2): offset_law(("gpt2", 2))}
    measured = draw_study(rng, Design(laws, NARROW_SIZES, cell.num_seeds), num_documents=cell.num_documents)
    replicates = draw_replicates(measured, num_replicates=NUM_REPLICATES, seed=_seed(rng))
    fit = _size_fit(fit_offset_law, measured, replicates, "gpt2-2")
    for name in ("e", "a", "alpha"):
        tally.add(f"{name} not identifiable", fit.params[name].value is None)


def simulate_size_and_data(rng: np.random.Generator, cell: Cell, tally: Tally) -> None:
    """Hoffmann et al.'s law from six sizes with four budgets each."""
    design = Design({("gpt2", 2): hoffmann_law}, HOFFMANN_SIZES, cell.num_seeds, HOFFMANN_BUDGETS)
    measured = draw_study(rng, design, num_documents=cell.num_documents)
    replicates = draw_replicates(measured, num_replicates=NUM_REPLICATES, seed=_seed(rng))
    n_P, d_P = (
        np.array([getattr(run.record, name) for run in measured.runs], dtype=float) for name in ("target_body_params", "train_tokens")
    )
    fit = fit_sum_law(n_P, d_P, replicates.losses(ALL)[:, :, 0], variance_P=replicates.run_variances(ALL[0]))
    for name, truth in HOFFMANN.items():
        _parameter(tally, name, fit, name, truth)


def simulate_position_law(rng: np.random.Generator, cell: Cell, tally: Tally) -> None:
    """The last and the first of the paper's six curves, each from one model's losses."""
    for words, law in (("smallest", POSITION_CURVES[0]), ("largest", POSITION_CURVES[-1])):
        curve_T = law.l_inf + law.a * np.arange(1, CONTEXT_TOKENS + 1.0) ** -law.alpha
        measured = _one_model(rng, curve_T, cell)
        replicates = draw_replicates(measured, num_replicates=NUM_REPLICATES, seed=_seed(rng))
        losses = measured.runs[0].losses
        fit = fit_position_law(
            BINS,
            replicates.losses(BINS)[:, 0],
            num_tokens_T=losses.num_tokens.sum(axis=0),
            variance_W=replicates.window_variances(0, BINS),
        )
        for name in ("l_inf", "a", "alpha"):
            _parameter(tally, f"{name} of the {words} curve", fit, name, getattr(law, name))


# Expected curves of the three candidates, and what is the right answer.
PLATEAUS: Mapping[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "power law": (lambda t: 2.3 + 5.4 * t**-0.62, "power law"),
    "power law that stops at 64": (lambda t: 2.3 + 5.4 * np.minimum(t, 64) ** -0.62, "plateau"),
    "flat after 32": (lambda t: 2.5 + 0.8 * np.maximum(0, np.log(32 / t)), "plateau"),
    "flat after 128": (lambda t: 2.5 + 0.5 * np.maximum(0, np.log(128 / t)), "plateau"),
}


def simulate_plateaus(rng: np.random.Generator, cell: Cell, tally: Tally) -> None:
    """Curves that stop falling and one that does not."""
    t = np.arange(1, CONTEXT_TOKENS + 1.0)
    for name, (law, answer) in PLATEAUS.items():
        verdict = judge_plateau(draw_curve(rng, law(t), num_documents=cell.num_documents), seed=_seed(rng)).verdict
        tally.add(f"{name} | right", verdict == answer)
        tally.add(f"{name} | undecided", verdict == "undecided")
        tally.add(f"{name} | wrong", verdict not in (answer, "undecided"))


def _one_model(rng: np.random.Generator, curve_T: np.ndarray, cell: Cell) -> Measured:
    design = Design({("gpt2", 2): lambda size, tokens: 3.0}, (1e6,), 1)
    run = draw_study(rng, design, num_documents=2).runs[0]
    losses = draw_curve(rng, curve_T, num_documents=cell.num_documents)
    run = type(run)(run.record, run.score.model_copy(update={"context_tokens": CONTEXT_TOKENS}), losses)
    return Measured((run,), (run.record,), losses.documents, ())


def _size_fit(fit: Callable[..., LawFit], measured: Measured, replicates: Replicates, series: str) -> LawFit:
    chosen = [p for p, run in enumerate(measured.runs) if run.record.series == series]
    n_P = np.array([measured.runs[p].record.params.body for p in chosen], dtype=float)
    return fit(n_P, replicates.losses(ALL)[:, chosen, 0], variance_P=replicates.run_variances(ALL[0])[chosen])


def _crossing(tally: Tally, fits: Mapping[str, LawFit], sizes: Sequence[float], *, truth: float) -> None:
    found = find_crossover(
        fits["gpt2-2"], fits["lstm-1"], overlap=(sizes[0], sizes[-1]), first_label="Transformer", second_label="LSTM", x="body_params"
    )
    tally.holds("size at which the families cross", found.x_cross, found.low, found.high, truth=truth)


def _parameter(tally: Tally, row: str, fit: LawFit, name: str, truth: float) -> None:
    found = fit.params[name]
    tally.holds(row, found.value, found.low, found.high, truth=truth)


def _claim(tally: Tally, row: str, claim: Claim, truth: float) -> None:
    estimate = claim.measured
    tally.holds(row, estimate.value, estimate.low, estimate.high, truth=truth)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


OF_STUDIES = (Cell(30, 2), Cell(100, 3))
OF_MODELS = (Cell(30, 1), Cell(100, 1))
ARMS: Mapping[str, tuple[Simulate, tuple[Cell, ...]]] = {
    "paper law": (simulate_paper_law, OF_STUDIES),
    "offset law": (simulate_offset_law, (Cell(30, 2),)),
    "size and data": (simulate_size_and_data, (Cell(50, 2),)),
    "position law": (simulate_position_law, OF_MODELS),
    "narrow range": (simulate_narrow_range, (Cell(30, 2),)),
    "plateaus": (simulate_plateaus, OF_MODELS),
}


def run(num_simulations: int, *, arms: Sequence[str] = tuple(ARMS), kept: Path | None = None) -> dict[str, dict[str, dict]]:
    """Arm -> cell in words -> row -> values of the simulations that gave one."""
    results: dict[str, dict[str, dict]] = defaultdict(dict)
    for arm in arms:
        simulate, cells = ARMS[arm]
        for number, cell in enumerate(cells):
            file = kept / f"{arm.replace(' ', '_')}_{number}_{num_simulations}.json" if kept else None
            if file and file.exists():
                results[arm][str(cell)] = json.loads(file.read_text())
                continue
            # Every cell has a stream of its own, so that it comes out the same whichever others are run.
            rng, tally, started = np.random.default_rng([number, list(ARMS).index(arm)]), Tally(), time.monotonic()
            for _ in range(num_simulations):
                simulate(rng, cell, tally)
            results[arm][str(cell)] = dict(tally.rows)
            if file:
                write_json(file, results[arm][str(cell)])
            print(f"{arm}: {cell}, {num_simulations} simulations, {time.monotonic() - started:.0f} s", flush=True)
    return results


def main() -> None:
    """Simulates what is missing and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=2_000)
    parser.add_argument("--page", type=Path, default=Path("docs/fit_coverage.md"))
    parser.add_argument("--kept", type=Path, default=None, help="folder for finished parts; those that it holds already are not run again")
    parser.add_argument("--arms", nargs="*", choices=tuple(ARMS), default=None, help="these parts only, without writing the page")
    arguments = parser.parse_args()
    results = run(arguments.simulations, arms=arguments.arms or tuple(ARMS), kept=arguments.kept)
    if arguments.arms is None:
        write_text(arguments.page, fit_coverage_page(results, num_simulations=arguments.simulations))
        print(f"written: {arguments.page}")


if __name__ == "__main__":
    main()
