"""Stage: a named part of a command that prints what it does and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(highlight=False)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Prints the stage's name when it starts and its seconds when it has ended well."""
    started = time.perf_counter()
    console.print(f"[bold]{name}[/bold]")
    yield
    console.print(f"  [dim]{name}: {time.perf_counter() - started:.1f} s[/dim]")


def show(text: str) -> None:
    """Prints one line of a stage as it is."""
    console.print(f"  {text}", markup=False, soft_wrap=True)
