"""peak_bytes: how much memory a call needs at its worst, beyond what is there before it."""

from collections.abc import Callable
from pathlib import Path

import torch


def peak_bytes(call: Callable[[], object], device: torch.device) -> int | None:
    """Peak bytes of one call; None where the system does not tell. On a CPU it wants a fresh process, which has freed nothing before."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    # Not getrusage: its ru_maxrss begins with what the parent had when this process was started.
    if not Path("/proc/self/clear_refs").exists():
        call()
        return None
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    before = _resident_peak_bytes()
    call()
    return _resident_peak_bytes() - before


def _resident_peak_bytes() -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
