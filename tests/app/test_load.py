"""Many visitors at once: each gets the chart that was asked for, while a text is still being read along."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice, product

import pytest
from gradio_client import Client

from hf_ctxscale.app.build import build_app
from hf_ctxscale.app.opened import Library
from hf_ctxscale.app.reading_models import ReadingModels
from hf_ctxscale.app.settings import SpaceSettings
from hf_ctxscale.app.shipped import shipped_study
from hf_ctxscale.study import UserError

VISITORS = 50
AT_MOST_SECONDS = 300  # against hanging, not a measurement


class HeldModels(ReadingModels):
    """Reading begins, and ends when the test lets it."""

    def __init__(self) -> None:
        super().__init__({"held": shipped_study().folder})
        self.begun, self.let_go = threading.Event(), threading.Event()

    def read(self, name: str, text: str, *, short_context_tokens: int):
        self.begun.set()
        assert self.let_go.wait(AT_MOST_SECONDS)
        raise UserError("the reading was let go")


@pytest.fixture(scope="module")
def held() -> HeldModels:
    return HeldModels()


@pytest.fixture(scope="module")
def address(held) -> Iterator[str]:
    app = build_app(Library(shipped_study(), name="shipped"), reading=held, settings=SpaceSettings())
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, enable_monitoring=False, run_history=False)
    yield url
    held.let_go.set()
    app.close(verbose=False)


def wishes() -> list[dict]:
    """What each visitor asks for; neighbours ask for different charts."""
    runs = shipped_study().run_records()
    architectures = sorted({run.architecture for run in runs})
    every = product(("body", "total", "flops", "seconds"), ("nats", "bits"), architectures)
    return [{"x": x, "unit": unit, "families": [family]} for x, unit, family in islice(cycle(every), VISITORS)]


def test_fifty_visitors_get_their_own_charts_while_a_text_is_read(address, held):
    first = Client(address, verbose=False, httpx_kwargs={"timeout": AT_MOST_SECONDS})
    reading = first.submit("x = 1\n" * 20, "held", api_name="/read_along")
    assert held.begun.wait(AT_MOST_SECONDS)

    def visit(wish: dict) -> dict:
        client = Client(address, verbose=False, download_files=False, httpx_kwargs={"timeout": AT_MOST_SECONDS})
        return client.predict(**wish, api_name="/size_chart")

    asked = wishes()
    with ThreadPoolExecutor(VISITORS) as visitors:
        answers = list(visitors.map(visit, asked, timeout=AT_MOST_SECONDS))
    assert not reading.done(), "the charts had to wait for the text"
    alone = {repr(wish): first.predict(**wish, api_name="/size_chart") for wish in {repr(wish): wish for wish in asked}.values()}
    assert answers == [alone[repr(wish)] for wish in asked]
    # Answers of all kinds are different, so that one visitor's chart cannot have been another's.
    assert len({repr(answer) for answer in alone.values()}) == len(alone)

    held.let_go.set()
    with pytest.raises(Exception, match="the reading was let go"):
        reading.result(timeout=AT_MOST_SECONDS)
