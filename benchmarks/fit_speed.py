"""How long do the fits of laws take, with 1,000 replicates, and how much longer would a plain loop of scipy's least squares?

``OMP_NUM_THREADS=1 python benchmarks/fit_speed.py``

The plain loop fits the same laws by ``scipy.optimize.least_squares`` on all parameters at once from several starts, one replicate after the
other; it runs on a few replicates of one data set, and its time is scaled to all of them.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import least_squares

from hf_ctxscale.analysis.laws.position_law import fit_position_law
from hf_ctxscale.analysis.laws.size_and_data_laws import fit_joint_law, fit_sum_law
from hf_ctxscale.analysis.laws.size_laws import fit_offset_law, fit_paper_law
from hf_ctxscale.analysis.positions import log_bins

NOISE = 0.003  # of the losses, relative
RUNS_PER_FAMILY, FAMILIES = 15, 4
NUM_MODELS, NUM_BINS = 60, 40
CONTEXT_TOKENS, BINS_PER_OCTAVE = 2048, 4  # gives that many bins
SIZES, BUDGETS = 25, 10

Model = Callable[[np.ndarray], np.ndarray]  # from all parameters to losses, (P,)


@dataclass(frozen=True)
class Task:
    """What is fitted, and what is asked for.

    Attributes:
        name: of the row.
        losses: of every data set, (R, P) each.
        fit: fits one data set with all its replicates.
        model: the law, for the plain loop.
        starts: values of every parameter that the plain loop starts from.
        at_most_seconds: for all data sets; None where nothing is asked.
    """

    name: str
    losses: Sequence[np.ndarray]
    fit: Callable[[np.ndarray], object]
    model: Model
    starts: Sequence[Sequence[float]]
    at_most_seconds: float | None


def replicated(loss_P: np.ndarray, *, num_replicates: int, seed: int) -> np.ndarray:
    """Data with noise, then replicates of them with as much again, (R, P)."""
    rng = np.random.default_rng(seed)
    data_P = loss_P * (1 + NOISE * rng.standard_normal(len(loss_P)))
    return np.concatenate([data_P[None], data_P * (1 + NOISE * rng.standard_normal((num_replicates, len(loss_P))))])


def size_tasks(num_replicates: int) -> list[Task]:
    """60 runs in 4 families: five sizes of three seeds each."""
    sizes = np.repeat(np.geomspace(2.5e4, 2.5e7, 5), RUNS_PER_FAMILY // 5)
    near = sizes / 1e6
    truths = [1.5 + family / 5 + 60 * sizes**-0.3 for family in range(FAMILIES)]
    losses = [replicated(truth_P, num_replicates=num_replicates, seed=family) for family, truth_P in enumerate(truths)]
    runs = f"{FAMILIES * RUNS_PER_FAMILY} runs in {FAMILIES} families"
    return [
        Task(
            f"(N_c/N)^alpha, {runs}",
            losses,
            lambda loss_RP: fit_paper_law(sizes, loss_RP),
            lambda params: (np.exp(params[1]) / near) ** params[0],
            [(0.05, 0.2), (1.0, 10.0)],
            None,
        ),
        Task(
            f"E + A*N^-alpha, {runs}",
            losses,
            lambda loss_RP: fit_offset_law(sizes, loss_RP),
            lambda params: params[0] + params[1] * near ** -params[2],
            [(1.0, 2.5), (0.5,), (0.1, 0.5)],
            5.0,
        ),
    ]


def size_and_data_tasks(num_replicates: int) -> list[Task]:
    """250 runs: 25 sizes by 10 budgets of tokens, from the parameters of Hoffmann et al. 2022."""
    n, d = (grid.ravel() for grid in np.meshgrid(np.geomspace(5e7, 1.6e10, SIZES), np.geomspace(1e9, 5e11, BUDGETS)))
    losses = [replicated(1.69 + 406.4 * n**-0.34 + 410.7 * d**-0.28, num_replicates=num_replicates, seed=0)]
    near_n, near_d = n / 1e9, d / 2e10
    return [
        Task(
            f"E + A*N^-alpha + B*D^-beta, {len(n)} points",
            losses,
            lambda loss_RP: fit_sum_law(n, d, loss_RP),
            lambda params: params[0] + params[1] * near_n ** -params[2] + params[3] * near_d ** -params[4],
            [(1.0, 2.5), (0.5,), (0.2, 0.6), (0.5,), (0.2, 0.6)],
            20.0,
        ),
        Task(
            f"the joint form, {len(n)} points",
            losses,
            lambda loss_RP: fit_joint_law(n, d, loss_RP),
            lambda params: np.exp(
                params[1] * np.logaddexp((params[2] - params[0] * np.log(near_n)) / params[1], params[3] / params[1] - np.log(near_d))
            ),
            [(0.1, 0.3), (0.1, 0.3), (0.6,), (0.6,)],
            None,
        ),
    ]


def position_task(num_replicates: int) -> Task:
    """60 models, 40 log bins each."""
    bins = log_bins(CONTEXT_TOKENS, bins_per_octave=BINS_PER_OCTAVE)
    assert len(bins) == NUM_BINS, len(bins)
    t = np.arange(1, bins[-1][1] + 1.0)
    firsts = np.array([first - 1 for first, _ in bins])
    widths = np.diff([*firsts, len(t)])

    def means(l_inf: float, a: float, alpha: float) -> np.ndarray:
        return l_inf + a * np.add.reduceat(t**-alpha, firsts) / widths

    truths = [means(2.3 + m / 40, 5.4 - m / 40, 0.62 - m / 400) for m in range(NUM_MODELS)]
    return Task(
        f"L_inf + A*t^-alpha, {NUM_MODELS} models × {NUM_BINS} bins",
        [replicated(truth_P, num_replicates=num_replicates, seed=m) for m, truth_P in enumerate(truths)],
        lambda loss_RW: fit_position_law(bins, loss_RW),
        lambda params: means(*params),
        [(1.0, 3.0), (3.0,), (0.2, 1.0)],
        5.0,
    )


def plain_loop(task: Task, loss_RP: np.ndarray) -> None:
    """Every row from every start; parameters are searched as logs, so they stay above 0."""

    def residuals(logs: np.ndarray, loss_P: np.ndarray) -> np.ndarray:
        return task.model(np.exp(logs)) / loss_P - 1

    # Steps from a bad start may leave what a float holds; they are then taken back.
    with np.errstate(all="ignore"):
        for loss_P, start in product(loss_RP, product(*task.starts)):
            least_squares(residuals, np.log(start), x_scale="jac", max_nfev=200, args=(loss_P,))


def main() -> None:
    """Times every law and prints the medians beside the plain loop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--plain-replicates", type=int, default=5, help="of one data set; scaled to all")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    tasks = [*size_tasks(arguments.replicates), *size_and_data_tasks(arguments.replicates), position_task(arguments.replicates)]
    table = Table(
        "law",
        "seconds",
        "asked",
        "plain loop, scaled",
        "ratio",
        title=f"{arguments.replicates} replicates, median of {arguments.rounds}; plain loop on {arguments.plain_replicates} replicates",
    )
    for task in tasks:
        spent, plain, ratios = _race(task, rounds=arguments.rounds, plain_replicates=arguments.plain_replicates)
        asked = (
            "" if task.at_most_seconds is None else f"{'under' if spent < task.at_most_seconds else 'NOT under'} {task.at_most_seconds:g}"
        )
        table.add_row(task.name, f"{spent:.2f}", asked, f"{plain:.0f}", f"{ratios:.0f}")
    Console(width=160).print(table)


def _race(task: Task, *, rounds: int, plain_replicates: int) -> tuple[float, float, float]:
    """Median seconds of the package and of the plain loop, which take turns, and the median of their ratios."""
    few_RP = task.losses[0][:plain_replicates]
    scale = sum(len(loss_RP) for loss_RP in task.losses) / len(few_RP)
    task.fit(task.losses[0])  # what only the first call pays
    ours, plain = [], []
    for _ in range(rounds):
        ours.append(_seconds(lambda: [task.fit(loss_RP) for loss_RP in task.losses]))
        plain.append(scale * _seconds(lambda: plain_loop(task, few_RP)))
    return statistics.median(ours), statistics.median(plain), statistics.median(slow / fast for slow, fast in zip(plain, ours, strict=True))


def _seconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
