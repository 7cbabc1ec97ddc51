"""Seconds that planned runs will take, from a probe of real steps; and which precision is the faster one here."""

import torch

from hf_ctxscale.study import Precision, RunRecord
from hf_ctxscale.training.probe import probe_seconds_per_step, processor_has_bfloat16


def choose_precision(records: list[RunRecord], *, vocab_size: int) -> Precision:
    """bfloat16 where the processor has it and the study's runs together train faster in it, otherwise float32."""
    if not processor_has_bfloat16():
        return "float32"
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    seconds = {
        precision: sum(estimate_seconds([r.model_copy(update={"precision": precision}) for r in records], vocab_size=vocab_size).values())
        for precision in precisions
    }
    return min(seconds, key=lambda precision: seconds[precision])


def estimate_seconds(records: list[RunRecord], *, vocab_size: int) -> dict[str, float]:
    """Expected training seconds of each run, by run id, on one thread as a worker has it; runs of one shape are probed once."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        by_shape: dict[tuple[object, ...], float] = {}
        seconds = {}
        for record in records:
            shape = (record.architecture, record.num_layers, record.hidden_size, record.embedding_size, record.mlp_size, record.precision)
            if shape not in by_shape:
                by_shape[shape] = probe_seconds_per_step(record, vocab_size=vocab_size)
            seconds[record.run_id] = by_shape[shape] * record.train_steps
        return seconds
    finally:
        torch.set_num_threads(num_threads)


def makespan_seconds(seconds: list[float], *, workers: int) -> float:
    """Time until the last run is done, when each worker takes the longest run that is left."""
    loads = [0.0] * workers
    for run in sorted(seconds, reverse=True):
        loads[loads.index(min(loads))] += run
    return max(loads)
