"""The app in a process of its own, for the tests that ask it over HTTP: from a checkout, from an installed package, and as a Space runs it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
LONGEST_START_SECONDS = 180  # after which it is taken to hang, on however slow a machine
# What the machine that runs the tests may have set, and what must not decide a test.
UNSET = ("HF_TOKEN", "GRADIO_SERVER_PORT", "GRADIO_SERVER_NAME", "SYSTEM", "SPACE_ID")


@dataclass(frozen=True)
class Served:
    """An app that answers: its address, and what it has printed so far."""

    url: str
    log: Path

    def printed(self) -> str:
        return self.log.read_text()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def clean_environment(folder: Path, **more: str) -> dict[str, str]:
    """Of a process without login, cache and network, but for loopback."""
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    own = {"HF_HOME": str(folder / "hf"), "GRADIO_TEMP_DIR": str(folder / "gradio"), "HF_HUB_OFFLINE": "1"}
    return {**kept, **own, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "200", **more}


@contextmanager
def served(command: Sequence[str | Path], *, folder: Path, cwd: Path, port: int, **environment: str) -> Iterator[Served]:
    """Runs a command until it has printed the app's address, and ends it afterwards.

    Args:
        command: that serves the app at ``port``.
        folder: for its cache and its log.
        cwd: where it runs.
        port: free.
        environment: what is set beside a clean environment.
    """
    log = folder / "log.txt"
    url = f"http://127.0.0.1:{port}/"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*map(str, command)], cwd=cwd, env=clean_environment(folder, **environment), stdout=out, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(LONGEST_START_SECONDS * 10):
            if url in log.read_text() or process.poll() is not None:
                break
            time.sleep(0.1)
        assert url in log.read_text(), f"the app has not answered:\n{log.read_text()}"
        yield Served(url, log)
    finally:
        process.terminate()
        process.wait(timeout=30)


def command_line(*arguments: str | Path) -> list[str | Path]:
    """`hf-ctxscale` of this checkout."""
    return [sys.executable, "-m", "hf_ctxscale", *arguments]


def space_layout(folder: Path, *, checkout: Path = CHECKOUT) -> Path:
    """A folder as the repository of a published Space: the Space's files, the package beside them."""
    shutil.copytree(checkout / "space", folder)
    _copy_package(checkout, folder / "hf_ctxscale")
    return folder


def wheel_layout(folder: Path, *, checkout: Path = CHECKOUT) -> Path:
    """A folder as site-packages where the wheel is installed: the Space's files and the configs inside the package."""
    _copy_package(checkout, folder / "hf_ctxscale")
    shutil.copytree(checkout / "space", folder / "hf_ctxscale" / "space")
    shutil.copytree(checkout / "configs", folder / "hf_ctxscale" / "configs")
    return folder


def _copy_package(checkout: Path, folder: Path) -> None:
    shutil.copytree(checkout / "hf_ctxscale", folder, ignore=shutil.ignore_patterns("__pycache__"))
