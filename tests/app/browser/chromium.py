"""open_chromium: a headless Chromium for the browser tests; watched_page: a page of it that keeps what must not happen on it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# A browser that talks to nobody but the app.
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
DESKTOP, PHONE = (1280, 900), (360, 740)
# How long a page may take on a machine with other work: a limit against hanging, not a measurement.
PATIENCE_MS = 60_000


def chromium_path() -> str:
    """Where Chromium is: the variable CHROMIUM, or one of its names on the PATH."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert found, (
        f"no Chromium was found ({', '.join(NAMES)}); install one (`apt-get install chromium`), or name its file in the variable CHROMIUM"
    )
    return found


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """A headless Chromium with an empty profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), headless=True, args=[*FLAGS])
        expect.set_options(timeout=PATIENCE_MS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and what went wrong on it.

    Attributes:
        page: to be driven.
        errors: what its console said as errors, and exceptions that nothing caught.
        elsewhere: addresses on other hosts that it asked for.
        failed: of its own address: status and address of answers that are errors.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def assert_clean(self) -> None:
        assert not self.elsewhere, f"the page asked other hosts: {self.elsewhere}"
        assert not self.failed, f"requests failed: {self.failed}"
        assert not self.errors, f"the console shows errors: {self.errors}"


@contextmanager
def watched_page(browser: Browser, url: str, *, size: tuple[int, int] = DESKTOP, dark: bool = False, query: str = "") -> Iterator[Watched]:
    """The app's page, opened in a context of its own, with its charts there; at the end nothing may have gone wrong on it."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        has_touch=size == PHONE,
        permissions=["clipboard-read", "clipboard-write"],
        accept_downloads=True,
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    watched = Watched(page)
    host = urlsplit(url).netloc
    page.on("console", lambda message: watched.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: watched.errors.append(str(error)))
    page.on("request", lambda request: watched.elsewhere.append(request.url) if _is_elsewhere(request.url, host) else None)
    page.on("response", lambda answer: watched.failed.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    try:
        page.goto(url + query)
        yield watched
        watched.assert_clean()
    finally:
        context.close()


def _is_elsewhere(address: str, host: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != host
