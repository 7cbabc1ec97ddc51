"""Installs this checkout as an extension of the hf command, without extras and by huggingface_hub's own code, and runs what it should be able to do.

``python tests/cli/run_extension_test.py``

``hf extensions install OWNER/hf-ctxscale`` asks GitHub for a zip of the repository. Here a server on this machine stands in for GitHub: it has
the files of this checkout, committed or not. All else is real: a home of its own, its virtual environment, pip, and an index that pip knows.
"""

import io
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import httpx2
from huggingface_hub import set_client_factory
from huggingface_hub.cli import extensions, hf
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
REPOSITORY = "somebody/hf-ctxscale"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = ("train", "app")
INSTALL = "--install-from"  # of this script, in the process that installs
# Where pip's settings and downloads lie, which are no part of the test.
PIP_FOLDERS = {"XDG_CONFIG_HOME": ".config", "XDG_CACHE_HOME": ".cache"}


def checkout_files() -> list[str]:
    """Every file of the checkout that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return sorted({name for name in listed.stdout.split("\0") if (ROOT / name).is_file()})


def zipped(names: list[str]) -> bytes:
    """The checkout as GitHub zips it: everything in one folder."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(ROOT / name, f"hf-ctxscale-HEAD/{name}")
    return content.getvalue()


@contextmanager
def github_stand_in(archive: bytes) -> Iterator[str]:
    """A server that answers what the installer asks of GitHub's hosts, and 404 to all else; gives its address."""
    answers = {
        f"/{REPOSITORY}": b"",
        f"/{REPOSITORY}/archive/HEAD.zip": archive,
        f"/{REPOSITORY}/HEAD/pyproject.toml": (ROOT / "pyproject.toml").read_bytes(),
        f"/{REPOSITORY}.git/info/refs": b"0" * 40 + b" HEAD\0",
    }

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get(self.path.partition("?")[0])
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        do_HEAD = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def install(address: str) -> None:
    """`hf extensions install`, with the stand-in's address in place of GitHub's for the hf command itself and for the pip that it starts."""

    class ToStandIn(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            request.url = httpx2.URL(address).join(request.url.raw_path.decode())
            return super().handle_request(request)

    run = subprocess.run

    def run_with_stand_in(command: list[str], **options: object) -> subprocess.CompletedProcess:
        return run([part.replace("https://github.com", address) for part in command], **options)

    set_client_factory(lambda: httpx2.Client(transport=ToStandIn()))
    sys.argv = ["hf", "extensions", "install", REPOSITORY]
    with mock.patch.object(extensions.subprocess, "run", run_with_stand_in):
        hf.main()


class Extension:
    """The hf command of a home of its own, and what is wrong with the extension so far."""

    def __init__(self, home: Path):
        self.home = home
        self.wrong: list[str] = []
        self.folder = home / ".local/share/hf/extensions/hf-ctxscale"
        theirs = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTHON"))}
        pip = {name: os.environ.get(name, str(Path.home() / folder)) for name, folder in PIP_FOLDERS.items()}
        own = {
            "HOME": str(home),
            "HF_HOME": str(home / "hf"),
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "NO_PROXY": "127.0.0.1",
            "COLUMNS": "200",
        }
        self.environment = {**theirs, **pip, **own}

    def run(self, *command: str | Path, code: int = 0) -> str:
        """What a command prints; another exit code is noted."""
        done = subprocess.run(command, env=self.environment, cwd=self.home, capture_output=True, text=True, check=False)
        printed = done.stdout + done.stderr
        shown = shlex.join(map(str, command[1:]))
        print(f"{done.returncode}  {shown}", flush=True)
        self.check(done.returncode == code, f"`{shown}` ended with {done.returncode} instead of {code} and said:\n{printed}")
        return printed

    def hf(self, *arguments: str | Path, code: int = 0) -> str:
        """What the hf command prints."""
        return self.run(Path(sys.executable).with_name("hf"), *arguments, code=code)

    def check(self, right: bool, otherwise: str) -> None:
        """Notes what is wrong."""
        if not right:
            self.wrong.append(otherwise)


def check_installed(extension: Extension, *, names: list[str]) -> Path:
    """No extra is there, and every file of the package, its configs and the Space is; gives the package's folder."""
    python = extension.folder / "venv/bin/python"
    packages = [Requirement(line).name for extra in EXTRAS for line in PROJECT["optional-dependencies"][extra]]
    packages.remove("filelock")  # huggingface_hub brings it
    found = f"import importlib.util as i; print([name for name in {packages} if i.find_spec(name)])"
    extension.check(extension.run(python, "-c", found) == "[]\n", "packages of extras were installed")
    package = Path(extension.run(python, "-c", "import hf_ctxscale; print(hf_ctxscale.__path__[0])").strip())
    for name in names:
        top, _, rest = name.partition("/")
        if top in ("hf_ctxscale", "configs", "space"):
            place = package / rest if top == "hf_ctxscale" else package / name
            extension.check(place.is_file(), f"{name} was not installed")
    return package


def check_commands(extension: Extension, *, package: Path) -> None:
    """Results are drawn and published without extras; what needs one says so, with a line that pip takes."""
    extension.check(PROJECT["description"] in extension.hf("--help"), "`hf --help` does not describe the extension")
    extension.check("condense" in extension.hf("ctxscale", "--help"), "`hf ctxscale --help` lists no commands")
    study = shutil.copytree(package / "space/reference", extension.home / "study")
    extension.hf("ctxscale", "draw", study)
    for name in ("charts/loss_vs_parameters.png", "charts/loss_vs_position.svg", "report.html"):
        extension.check((study / name).is_file(), f"`hf ctxscale draw` left no {name}")
    extension.hf("ctxscale", "publish", "results", study, "--repo", "somebody/results", "--dry-run")
    needing = {"train": ("score", "some/model", "--corpus", study / "study.yaml", "--out", "scored"), "app": ("space",)}
    for extra, arguments in needing.items():
        said = extension.hf("ctxscale", *arguments, code=2)
        extension.check(f"error: `hf-ctxscale {arguments[0]}` needs the package " in said, f"no sentence, but: {said}")
        line = shlex.split(said.partition("Add it with: ")[2])
        extension.check(line[-1:] != [] and f"hf-ctxscale[{extra}] @ http" in line[-1], f"no address in: {said}")
        if line:
            added = extension.run(*line, "--dry-run", "--no-deps")
            extension.check("does not" not in added, f"the line that it gives does not add the extra {extra!r}: {added}")


def main() -> None:
    """Installs and checks; exits with 1 if anything is wrong."""
    if sys.argv[1:2] == [INSTALL]:
        install(sys.argv[2])
        return
    names = checkout_files()
    with tempfile.TemporaryDirectory() as home, github_stand_in(zipped(names)) as address:
        extension = Extension(Path(home))
        extension.run(sys.executable, Path(__file__), INSTALL, address)
        if not extension.wrong:
            check_commands(extension, package=check_installed(extension, names=names))
    if extension.wrong:
        sys.exit("\n".join(["", *extension.wrong]))
    print("The extension of this checkout installs without extras and does what it should.")


if __name__ == "__main__":
    main()
