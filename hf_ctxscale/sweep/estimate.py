"""Seconds that planned runs will take, from a probe of real steps under the load of all workers; and which precision is the faster one here."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import torch

from hf_ctxscale.records import Precision, RunRecord
from hf_ctxscale.training.probe import probe_seconds_per_step, processor_has_bfloat16


def possible_precisions() -> tuple[Precision, ...]:
    """What ``precision: auto`` chooses from: bfloat16 only where the processor has it."""
    return ("float32", "bfloat16") if processor_has_bfloat16() else ("float32",)


def estimate_seconds(records: Sequence[RunRecord], *, vocab_size: int, workers: int) -> list[float]:
    """Expected training seconds of each run, in the order given.

    Every worker's share of the machine depends on what the others do: as many processes as there will be workers probe at the same time, one thread
    each, and their mean counts. Runs of one shape are probed once.
    """
    shapes: dict[tuple[object, ...], RunRecord] = {}
    for record in records:
        shapes.setdefault(_shape(record), record)
    to_probe = list(shapes.values())
    # Spawned, as the workers are: a fork would share this process's threads and locks.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        per_worker = list(pool.map(_probe_all, [to_probe] * workers, [vocab_size] * workers))
    seconds_per_step = {shape: sum(seconds) / workers for shape, seconds in zip(shapes, zip(*per_worker, strict=True), strict=True)}
    return [seconds_per_step[_shape(record)] * record.train_steps for record in records]


def _shape(record: RunRecord) -> tuple[object, ...]:
    widths = (record.hidden_size, record.embedding_size, record.mlp_size)
    return (record.architecture, record.num_layers, *widths, record.batch_blocks, record.context_tokens, record.precision)


def _probe_all(records: list[RunRecord], vocab_size: int) -> list[float]:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as train_run does
    return [probe_seconds_per_step(record, vocab_size=vocab_size) for record in records]


def makespan_seconds(seconds: Sequence[float], *, workers: int) -> float:
    """Time until the last run is done, when each worker takes the longest run that is left."""
    loads = [0.0] * workers
    for run in sorted(seconds, reverse=True):
        loads[loads.index(min(loads))] += run
    return max(loads)
