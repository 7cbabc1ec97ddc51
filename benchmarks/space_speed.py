"""How fast is the Space? Asked for: the page within 5 s of its process starting, the first chart within 1 s of the page, 512 tokens read along within 2 s.

And: fifty people at once, against one alone.

``python benchmarks/space_speed.py``

The page is timed until its address answers; charts in a headless Chromium (one on the PATH, or the variable CHROMIUM) from the tabs being there to both
charts being drawn; readings and visitors over HTTP, as programs ask. Without a Chromium the charts are left out, and the table says so.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from gradio_client import Client
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer

from hf_ctxscale.app.shipped import shipped_checkpoints

PAGE_SECONDS, CHART_SECONDS, READ_SECONDS = 5.0, 1.0, 2.0
READ_TOKENS, VISITORS = 512, 50
WARM_READINGS = 4  # with the cold one within what a visitor may ask for in a minute
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
# Times in milliseconds at which the page's tabs and then both charts were there, by the browser's own clock.
WATCH = """
window.seen = {};
const look = () => {
  const drawn = (name) => document.querySelector(`#${name}-chart .js-plotly-plot .scatterlayer path`);
  if (!seen.tabs && document.querySelector("[role=tab]")) seen.tabs = performance.now();
  if (!seen.charts && drawn("size") && drawn("position")) seen.charts = performance.now();
  if (!seen.charts) requestAnimationFrame(look);
};
look();
"""
HANGS_SECONDS = 300


@dataclass(frozen=True)
class Measured:
    """One line of the table; seconds, one a round."""

    name: str
    seconds: Sequence[float]
    asked: float | None = None
    note: str = ""


def main() -> None:
    """Measures all of it and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    starts: list[float] = []
    cold: list[float] = []
    lines: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        for place in range(rounds):
            with _served(Path(folder)) as (url, seconds):
                starts.append(seconds)
                client = Client(url, verbose=False)
                cold.append(_seconds(lambda client=client: _read(client, number=0)))  # type: ignore[misc]
                if place == rounds - 1:
                    lines = [*_charts(url, rounds=rounds), *_warm(client), *_visitors(url, rounds=rounds)]
    lines = [
        Measured("page, from the start of the process", starts, PAGE_SECONDS),
        Measured(f"{READ_TOKENS} tokens under two models, the first time (torch and models are loaded)", cold),
        *lines,
    ]
    table = Table("", "seconds, median", "lowest", "highest", "asked", "note", title=f"The Space on {os.cpu_count()} cores")
    for line in lines:
        numbers = (
            [f"{value:.2f}" for value in (statistics.median(line.seconds), min(line.seconds), max(line.seconds))]
            if line.seconds
            else [""] * 3
        )
        table.add_row(line.name, *numbers, _asked(line), line.note)
    Console(width=160).print(table)


def _asked(line: Measured) -> str:
    if line.asked is None or not line.seconds:
        return ""
    return f"{'under' if statistics.median(line.seconds) < line.asked else 'NOT under'} {line.asked:g} s"


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, float]]:
    """The app in a process of its own, and the seconds after which its page was answered."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "hf_ctxscale", "space", "--no-browser", "--port", str(port)]
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(folder), "HF_HUB_OFFLINE": "1"}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        while not _answers(url):
            if process.poll() is not None or time.perf_counter() - started > HANGS_SECONDS:
                raise RuntimeError("the app did not start; its message stands above")
            time.sleep(0.02)
        yield url, time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=HANGS_SECONDS).is_success
    except httpx.ConnectError:
        return False


def _charts(url: str, *, rounds: int) -> list[Measured]:
    """Both charts in a browser that has never seen the page: everything it needs is sent to it."""
    name = "both charts of the first sight, from the page being there"
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        return [Measured(name, [], CHART_SECONDS, "not measured: no Chromium was found")]
    after_tabs, after_address = [], []
    with sync_playwright() as playwright:
        for _ in range(rounds):
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            page = browser.new_page()
            page.add_init_script(WATCH)
            page.goto(url)
            page.wait_for_function("window.seen.charts", timeout=HANGS_SECONDS * 1000)
            seen = page.evaluate("window.seen")
            after_tabs.append((seen["charts"] - seen["tabs"]) / 1000)
            after_address.append(seen["charts"] / 1000)
            browser.close()
    return [
        Measured(name, after_tabs, CHART_SECONDS),
        Measured("the same, from the address being entered", after_address, note="in a browser without a cache"),
    ]


def _warm(client: Client) -> list[Measured]:
    """Texts that were not read before, with the models loaded."""
    spent = [_seconds(lambda number=number: _read(client, number=number)) for number in range(1, 1 + WARM_READINGS)]  # type: ignore[misc]
    return [Measured(f"{READ_TOKENS} tokens under two models, later", spent, READ_SECONDS)]


def _read(client: Client, *, number: int) -> None:
    """A text of 512 tokens, another one for each number, under both shipped models."""
    client.predict(_text(number), *shipped_checkpoints(), api_name="/read_along")


def _text(number: int) -> str:
    """Lines of code, cut after 512 tokens."""
    tokenizer = Tokenizer.from_file(str(next(iter(shipped_checkpoints().values())) / "tokenizer.json"))
    lines = "".join(f"value_{number}_{line} = values[{line * number}] + offset_{line % 7}\n" for line in range(READ_TOKENS))
    return lines[: tokenizer.encode(lines).offsets[READ_TOKENS - 1][1]]


def _visitors(url: str, *, rounds: int) -> list[Measured]:
    """A chart for one visitor, and for each of fifty who ask at the same moment."""
    clients = [Client(url, verbose=False, httpx_kwargs={"timeout": HANGS_SECONDS}) for _ in range(VISITORS)]

    def visit(client: Client) -> float:
        return _seconds(lambda: client.predict(api_name="/size_chart"))

    alone = [visit(clients[0]) for _ in range(rounds)]
    at_once: list[float] = []
    for _ in range(rounds):
        with ThreadPoolExecutor(VISITORS) as visitors:
            at_once += visitors.map(visit, clients)
    return [
        Measured("a chart's numbers, for one visitor alone", alone),
        Measured(
            f"the same, for each of {VISITORS} at once", at_once, note="answers come one after another: no visitor waits for a reading"
        ),
    ]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
