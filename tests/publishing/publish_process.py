"""`hf-ctxscale publish` and scripts without the package, in processes of their own that talk to the stand-in for the Hub alone."""

import json
import subprocess
import sys
from pathlib import Path

from tests.hub_stand_in import HubStandIn

COMMAND = (sys.executable, "-c", "from hf_ctxscale.cli import main; main()", "publish")
# Importing the package, or anything in it, fails in such a process.
WITHOUT_THE_PACKAGE = 'import json, sys\nsys.modules["hf_ctxscale"] = None\n'


def environment(hub: HubStandIn, folder: Path, *, token: str | None = "") -> dict[str, str]:
    """The stand-in's environment, wide enough for tables."""
    return {**hub.environment(folder, token=token), "COLUMNS": "200"}


def publish(hub: HubStandIn, folder: Path, *arguments: object, token: str | None = "") -> subprocess.CompletedProcess:
    """The command line, from anywhere but the checkout.

    Args:
        folder: Its caches, and what it remembers between two calls.
        token: As in :meth:`HubStandIn.environment`.
    """
    return _run([*COMMAND, *map(str, arguments)], environment(hub, folder, token=token), folder)


def without_the_package(script: str, hub: HubStandIn, folder: Path, *arguments: str) -> dict:
    """What a script prints in a clean process that cannot import the package."""
    done = _run([sys.executable, "-c", WITHOUT_THE_PACKAGE + script, *arguments], environment(hub, folder), folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _run(command: list[str], known: dict[str, str], folder: Path) -> subprocess.CompletedProcess:
    # Nobody is there to answer a question.
    return subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=known, cwd=folder, check=False, timeout=300
    )
