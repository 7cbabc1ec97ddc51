"""Two ways of doing the same work against each other: short slices of them alternate, and the ratio of their speeds is taken round by round."""

import ctypes
import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

MAX_SLICES = 12
# Of mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


@dataclass(frozen=True)
class Step:
    """Something to be timed.

    Attributes:
        run: does it once.
        tokens: how many tokens that is.
    """

    run: Callable[[], object]
    tokens: int


@dataclass(frozen=True)
class Comparison:
    """Which two steps a row compares, and what is asked of it.

    Attributes:
        name: of the row.
        ours: name of the step whose speed is the ratio's upper part.
        bare: name of the other one.
        at_least: the ratio that is asked for; None where the row is for information.
    """

    name: str
    ours: str
    bare: str
    at_least: float | None = None


@dataclass(frozen=True)
class Row:
    """What came out.

    Attributes:
        name: what was compared.
        unit: of ``ours`` and ``bare``.
        ours: one value a round; empty where it failed.
        bare: one value a round.
        at_least: what the median ratio ours/bare has to reach; None where nothing is asked.
        at_most: what it must not exceed, where less is better.
        note: whatever else was found; the reason, where it failed.
    """

    name: str
    unit: str
    ours: Sequence[float]
    bare: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        """Round by round."""
        return [ours / bare for ours, bare in zip(self.ours, self.bare, strict=True)]

    @property
    def is_met(self) -> bool | None:
        """None where nothing is asked."""
        if self.at_least is None and self.at_most is None:
            return None
        median = statistics.median(self.ratios) if self.ratios else math.nan
        return median >= self.at_least if self.at_least is not None else median <= (self.at_most or 0)


@dataclass(frozen=True)
class Setting:
    """What all rows of a run share.

    Attributes:
        device: where the work is done.
        precision: "float32", or "bfloat16" for autocast to it.
        rounds: how often each step is timed.
        segment_seconds: a step is repeated until it has taken about so long, in slices.
        only: rows are wanted whose name holds this text.
    """

    device: torch.device
    precision: str
    rounds: int
    segment_seconds: float
    only: str

    def wanted(self, *comparisons: Comparison) -> list[Comparison]:
        """Those that were asked for."""
        return [comparison for comparison in comparisons if self.only in comparison.name]

    def autocast(self) -> torch.autocast:
        """A context of this precision."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16")

    def synchronize(self) -> None:
        """Waits until the device has done all that it was asked to."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def race(steps: Mapping[str, Step], setting: Setting) -> dict[str, list[float]]:
    """Tokens per second of every step, once a round; slices of them take turns, and the one that is first changes."""

    def seconds(step: Step, repeats: int) -> float:
        setting.synchronize()
        started = time.perf_counter()
        for _ in range(repeats):
            step.run()
        setting.synchronize()
        return time.perf_counter() - started

    names = list(steps)
    once = {}
    for name, step in steps.items():
        seconds(step, 1)  # warm-up
        once[name] = seconds(step, 1)
    # A machine that is slow for half a second is then slow for all of them.
    slices = min(MAX_SLICES, math.ceil(setting.segment_seconds / max(once.values())))
    repeats = {name: math.ceil(setting.segment_seconds / slices / once[name]) for name in names}
    rates: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(setting.rounds):
        spent = dict.fromkeys(names, 0.0)
        for first in range(slices):
            for name in names[first % len(names) :] + names[: first % len(names)]:
                spent[name] += seconds(steps[name], repeats[name])
        for name in names:
            rates[name].append(slices * repeats[name] * steps[name].tokens / spent[name])
        names = names[1:] + names[:1]
    return rates


def compare(
    comparisons: Sequence[Comparison], steps: Mapping[str, Step], setting: Setting, *, notes: Mapping[str, str] | None = None
) -> list[Row]:
    """A row for each comparison, from one race of all the steps that they name; a race that fails gives rows that say why.

    Args:
        comparisons: the rows.
        steps: what they compare, by name; others are left out.
        setting: as for ``race``.
        notes: what else there is to say, by the rows' names.
    """
    named = {name for comparison in comparisons for name in (comparison.ours, comparison.bare)}
    rates: dict[str, list[float]] = {name: [] for name in named}
    failure = ""
    try:
        rates = race({name: step for name, step in steps.items() if name in named}, setting)
    except (RuntimeError, ValueError) as error:
        failure = f"failed: {error}".splitlines()[0]
    return [
        Row(row.name, "tokens/s", rates[row.ours], rates[row.bare], row.at_least, note=failure or (notes or {}).get(row.name, ""))
        for row in comparisons
    ]


def keep_freed_memory() -> None:
    """Tells glibc's malloc to keep what is freed, and to use it again; does nothing where the C library is another one.

    By itself it now and then returns memory to the system, which then has to be zeroed anew, page by page, at the next step: for minutes up to a
    quarter of a training step, or not at all. Which of two steps meets with it is chance.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 2**30)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def machine(device: torch.device) -> dict[str, str]:
    """What the numbers depend on."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    processor = f"{names[0]}, {len(names)} cores" if names else platform.processor() or platform.machine()
    return {
        "torch": torch.__version__,
        "processor": processor,
        "threads": str(torch.get_num_threads()),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def print_rows(rows: Sequence[Row], *, title: str) -> None:
    """The table."""
    table = Table(title=title)
    for column in ("name", "ours", "bare", "unit", "ratio, median", "lowest", "highest", "target", "met", "note"):
        table.add_column(column, justify="left" if column in ("name", "unit", "note") else "right")
    for row in rows:
        asked = f">= {row.at_least}" if row.at_least is not None else f"<= {row.at_most}" if row.at_most is not None else ""
        if row.ratios:
            ratios = [f"{value:.3f}" for value in (statistics.median(row.ratios), min(row.ratios), max(row.ratios))]
            sides = [f"{statistics.median(side):,.0f}" for side in (row.ours, row.bare)]
        else:
            ratios, sides = [""] * 3, [""] * 2
        table.add_row(row.name, *sides, row.unit, *ratios, asked, {None: "", True: "yes", False: "NO"}[row.is_met], row.note)
    Console(width=200).print(table)


def write_rows(rows: Sequence[Row], path: Path, *, about: Mapping[str, Any]) -> None:
    """The same as JSON, every round of it."""
    written = [{**asdict(row), "ratios": row.ratios, "is_met": row.is_met} for row in rows]
    path.write_text(json.dumps({**about, "rows": written}, indent=1) + "\n")
