"""missing_extra_in_words: which package a command lacks, which extra holds it, and how to add that here."""

import json
import os
import shlex
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import url2pathname

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NAME = "hf-ctxscale"


def missing_extra_in_words(error: ImportError, *, command: str) -> str | None:
    """What to install for a command that an import has ended; None where the cause is no missing package of an extra.

    Args:
        error: what the command raised. Libraries wrap failed imports, so the errors that caused it count too.
        command: as typed, such as ``hf-ctxscale score``.
    """
    try:
        installed = distribution(NAME)
    except PackageNotFoundError:  # the folder alone, as in a Space: nothing says what the extras are
        return None
    for package in _missing_packages(error):
        for extra in installed.metadata.get_all("Provides-Extra") or []:
            if package in _packages_of(extra, installed=installed):
                return (
                    f"`{command}` needs the package {package}, which is not installed here; it comes with the extra {extra!r}. "
                    f"Add it with: {_install_command(extra, installed=installed)}"
                )
    return None


def _missing_packages(error: BaseException) -> list[str]:
    """Packages that an import asked for and that are not there at all."""
    missing: list[str] = []
    behind: BaseException | None = error
    while behind is not None:
        package = (behind.name or "").partition(".")[0] if isinstance(behind, ModuleNotFoundError) else ""
        if package and find_spec(package) is None:
            missing.append(canonicalize_name(package))
        behind = behind.__cause__
    return missing


def _packages_of(extra: str, *, installed: Distribution) -> set[str]:
    requirements = [Requirement(line) for line in installed.requires or []]
    # A dependency that needs no extra has no extra to add.
    return {canonicalize_name(one.name) for one in requirements if _needed(one, extra) and not _needed(one, "")}


def _needed(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _install_command(extra: str, *, installed: Distribution) -> str:
    """The shell's line that adds an extra to the environment of this process, from where the package itself came."""
    # Environments that uv makes have no pip of their own.
    pip = [sys.executable, "-m", "pip", "install"] if find_spec("pip") else ["uv", "pip", "install", "--python", sys.executable]
    command = [*pip, *_requirement(extra, origin=json.loads(installed.read_text("direct_url.json") or "{}"))]
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)


def _requirement(extra: str, *, origin: dict[str, Any]) -> list[str]:
    """What pip is given, for the record of an installation's address (PyPA's direct_url.json); of the index, where there is none.

    Source: https://packaging.python.org/en/latest/specifications/direct-url-data-structure/
    """
    if not origin:
        return [f"{NAME}[{extra}]"]
    url = urlsplit(origin["url"])
    if origin.get("dir_info", {}).get("editable"):
        return ["--editable", f"{url2pathname(url.path)}[{extra}]"]
    # A name before the host may be somebody's token.
    account, _, host = url.netloc.rpartition("@")
    address = urlunsplit(url._replace(netloc=url.netloc if account == "git" else host))
    if "vcs_info" in origin:
        revision = origin["vcs_info"].get("requested_revision")
        address = f"{origin['vcs_info']['vcs']}+{address}" + (f"@{revision}" if revision else "")
    if "subdirectory" in origin:
        address += f"#subdirectory={origin['subdirectory']}"
    return [f"{NAME}[{extra}] @ {address}"]
