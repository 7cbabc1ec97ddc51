"""Simulated studies whose laws are known: runs of several sizes, budgets and seeds, all measured on the same documents.

Documents are crossed with runs: what a document adds to the loss is shared by all runs, and every run adds something of its own.

Letters: P models, D documents, T context positions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hf_ctxscale.analysis.measured import Measured, MeasuredRun
from hf_ctxscale.analysis.sums import PositionLosses
from hf_ctxscale.records import ParameterGroups, RunRecord, ScoreRecord

MEDIAN_WINDOWS = 6
LENGTH_SIGMA = 1.0
MAX_WINDOWS = 32
TOKENS_PER_WINDOW = 256  # where a window is one position, the mean over this many tokens
# Standard deviations: of the factor by which a document is harder for every run alike, and in nats of what comes to it.
LEVEL_SD = 0.12
FAMILY_DOCUMENT_SD = 0.10  # what a family makes of a document
RUN_DOCUMENT_SD = 0.05  # what one run makes of it
WINDOW_SD = 0.20  # a window's level, shared by all runs
TOKEN_SD = 2.0
SEED_SD = 0.02  # between training seeds: Kaplan et al. 2020, section 4
DOCUMENT_SLOPE_SD = 0.05  # how much more one document gains over the whole context than another

# A law gives the expected loss in nats of a size and a number of training tokens; a curve that at every position.
Law = Callable[[float, float], float]
Family = tuple[str, int]  # architecture and number of layers


@dataclass(frozen=True)
class Design:
    """What a simulated study trains: every family at every size with every budget and seed."""

    laws: Mapping[Family, Law]
    sizes: Sequence[float]
    num_seeds: int
    budgets: Sequence[float] = (1e9,)


def draw_study(rng: np.random.Generator, design: Design, *, num_documents: int) -> Measured:
    """One study; a window is one position, so that a loss is the mean over a window."""
    windows_D = draw_windows(rng, num_documents)
    level_D = 1 + rng.normal(0, LEVEL_SD, num_documents)
    window_D = rng.normal(0, WINDOW_SD, num_documents) / np.sqrt(windows_D)
    documents = tuple(map(str, range(num_documents)))
    runs = []
    for (architecture, num_layers), law in design.laws.items():
        family_D = rng.normal(0, FAMILY_DOCUMENT_SD, num_documents)
        for size in design.sizes:
            for budget in design.budgets:
                for seed in range(design.num_seeds):
                    own_D = rng.normal(0, RUN_DOCUMENT_SD, num_documents) + family_D + window_D
                    own_D += rng.normal(0, TOKEN_SD, num_documents) / np.sqrt(TOKENS_PER_WINDOW * windows_D)
                    expected = law(size, budget)
                    loss_D = expected * level_D + own_D + rng.normal(0, SEED_SD)
                    record = _record(architecture, num_layers, int(size), int(budget), seed, validation_loss=expected)
                    runs.append(_measured_run(record, _losses(documents, windows_D, loss_D[:, None])))
    return Measured(tuple(runs), tuple(run.record for run in runs), documents, ())


def draw_curve(rng: np.random.Generator, curve_T: np.ndarray, *, num_documents: int) -> PositionLosses:
    """One model's losses by position, with this expected curve."""
    return next(draw_curves(rng, curve_T[None], num_documents=num_documents))


def draw_curves(rng: np.random.Generator, curves_PT: np.ndarray, *, num_documents: int) -> Iterator[PositionLosses]:
    """Losses by position of models with these expected curves, on the same documents."""
    num_positions = curves_PT.shape[1]
    windows_D = draw_windows(rng, num_documents)
    along_T = np.log(np.arange(1, num_positions + 1)) / np.log(num_positions) - 0.5
    level_D = 1 + rng.normal(0, LEVEL_SD, num_documents)
    slope_D = rng.normal(0, DOCUMENT_SLOPE_SD, num_documents)
    window_D = rng.normal(0, WINDOW_SD, num_documents) / np.sqrt(windows_D)
    documents = tuple(map(str, range(num_documents)))
    for model, curve_T in enumerate(curves_PT):
        # What the others make of a document is set against the first.
        own_D = rng.normal(0, RUN_DOCUMENT_SD, num_documents) if model else np.zeros(num_documents)
        loss_DT = curve_T * level_D[:, None]
        loss_DT += slope_D[:, None] * along_T
        loss_DT += (window_D + own_D)[:, None]
        loss_DT += rng.normal(0, TOKEN_SD, (num_documents, num_positions)) / np.sqrt(windows_D)[:, None]
        yield _losses(documents, windows_D, loss_DT)


def draw_windows(rng: np.random.Generator, num_documents: int) -> np.ndarray:
    """Windows of each document, (D,): lognormal, rounded, from one to as many as `score` takes."""
    return np.rint(MEDIAN_WINDOWS * np.exp(rng.normal(0, LENGTH_SIGMA, num_documents))).clip(1, MAX_WINDOWS).astype(np.int64)


def _losses(documents: tuple[str, ...], windows_D: np.ndarray, loss_DT: np.ndarray) -> PositionLosses:
    tokens_DT = np.repeat(windows_D[:, None], loss_DT.shape[1], axis=1)
    return PositionLosses(documents, windows_D, tokens_DT, 3 * tokens_DT, tokens_DT * loss_DT)


def _record(architecture: str, num_layers: int, size: int, budget: int, seed: int, *, validation_loss: float) -> RunRecord:
    return RunRecord.model_construct(
        run_id=f"{architecture}-{num_layers}-{size}-{budget}-s{seed}",
        state="finished",
        architecture=architecture,
        num_layers=num_layers,
        hidden_size=1,
        target_body_params=size,
        params=ParameterGroups(token_embedding=0, position_embedding=0, output_head=0, body=size),
        seed=seed,
        learning_rate=1e-3,
        train_tokens=budget,
        train_flops=6.0 * size * budget,
        train_seconds=None,
        # By it the best depth is chosen; measured on other documents than the test loss, and here without noise.
        validation_loss_nats=validation_loss,
    )


def _measured_run(record: RunRecord, losses: PositionLosses) -> MeasuredRun:
    score = ScoreRecord.model_construct(
        score_id=record.run_id, run_id=record.run_id, context_tokens=losses.context_tokens, carry_state=False
    )
    return MeasuredRun(record, score, losses)
