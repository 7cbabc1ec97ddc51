"""The lines under a chart's title: what was trained, how often, what the intervals cover, and what is not drawn."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

import pyarrow as pa

from hf_ctxscale.charts.series import Row
from hf_ctxscale.study import size_label


def subtitle(runs: Sequence[Row], *, intervals: Literal["bars", "bands"] | None, num_failed: int, note: str | None = None) -> str:
    """Says what a reader must know who sees the chart alone.

    Args:
        runs: rows of the table of runs that are drawn.
        intervals: how the chart shows them; None where it shows none.
        num_failed: runs that are missing because they failed.
        note: one more line, such as which of the lines are labelled.
    """
    tokens = {run["train_tokens"] for run in runs if run["train_tokens"] is not None}
    seeds = {run["seed"] for run in runs if run["seed"] is not None}
    documents = {run["num_documents"] for run in runs if run["num_documents"] is not None}
    setup = []
    if tokens:
        setup.append(f"{_span(tokens)} training tokens")
    if seeds:
        setup.append(seeds_in_words(runs))
    if num_failed:
        setup.append(f"not drawn: {_counted(num_failed, 'failed run')}")
    lines = [" · ".join(setup)] if setup else []
    if intervals and documents:
        held_out = f"{_span(documents)} test document{'' if documents == {1} else 's'}"
        measured = any(run["loss_nats_low"] is not None for run in runs)
        lines.append(f"{intervals}: 95 % intervals over {held_out}" if measured else f"no intervals: {held_out}")
    if note:
        lines.append(note)
    return "\n".join(lines)


def seeds_in_words(runs: Sequence[Row]) -> str:
    """``3 seeds``, or ``1 to 3 seeds`` where some models have fewer than others."""
    by_model: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    for run in runs:
        if run["seed"] is not None:
            by_model[run["architecture"], run["num_layers"], run["body_params"], run["train_tokens"]].add(run["seed"])
    fewest, most = (choose(map(len, by_model.values()), default=0) for choose in (min, max))
    return _counted(most, "seed") if fewest == most else f"{fewest} to {_counted(most, 'seed')}"


def num_failed(runs: pa.Table) -> int:
    """How many runs of the table failed."""
    return sum(state == "failed" for state in runs["state"].to_pylist())


def _span(counts: set[int]) -> str:
    low, high = size_label(min(counts)), size_label(max(counts))
    return low if low == high else f"{low} to {high}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
