"""The app in a process of its own, and a Chromium that looks at it, once for all browser tests."""

from collections.abc import Iterator

import pytest
from chromium import open_chromium
from playwright.sync_api import Browser
from served import Served, command_line, free_port, served


@pytest.fixture(scope="session")
def app(tmp_path_factory) -> Iterator[Served]:
    """The app on the shipped reference."""
    folder, port = tmp_path_factory.mktemp("app"), free_port()
    with served(command_line("space", "--no-browser", "--port", str(port)), folder=folder, cwd=folder, port=port) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with open_chromium() as opened:
        yield opened
