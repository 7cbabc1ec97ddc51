"""What a reader sees who points at a mark of the interactive chart: a value with its interval and unit, and what it belongs to."""


def loss_text(value: float, low: float | None = None, high: float | None = None, *, unit: str = "nats") -> str:
    """``3.041 nats [2.940, 3.142]``; without the brackets where there is no interval."""
    interval = "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"
    return f"{value:.3f} {unit}{interval}"


def position_text(position_from: int, position_to: int) -> str:
    """``token 3``, ``tokens 129 to 256``."""
    return f"token {position_from}" if position_from == position_to else f"tokens {position_from} to {position_to}"


def hover_text(*parts: str | None) -> str:
    """The parts that there are, in one line."""
    return " · ".join(part for part in parts if part)
