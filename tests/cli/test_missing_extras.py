"""What a command says where a package of an extra is missing: the package, the extra, and how to add it to the very environment."""

import json
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.main import get_command

from hf_ctxscale.cli import missing_extras
from hf_ctxscale.cli.main import CommandsWithExtras, app
from hf_ctxscale.cli.missing_extras import missing_extra_in_words
from hf_ctxscale.study import UserError

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
ARCHIVE = "https://github.com/somebody/hf-ctxscale/archive/HEAD.zip"
# Command lines that need an extra, and which one.
NEED_EXTRAS = {
    ("run", "smoke", "--out", "new"): "train",
    ("sweep", "smoke", "--out", "new"): "train",
    ("score", "some/model", "--corpus", "text", "--out", "new"): "train",
    ("read-along", "some/model", "--text", "text", "--out", "new"): "train",
    ("space",): "app",
}


# The extras of a made-up installation. Of their packages only pytest exists.
NEEDS = ["absent-core>=1", 'absent-torch>=2; extra == "train"', 'pytest; extra == "train"', 'absent_gradio>=6; extra == "app"']


def _write_record(folder: Path, *, origin: dict | None, needs: list[str]) -> None:
    """What pip leaves of an installation: the package's metadata, and the address that it came from."""
    info = folder / "hf_ctxscale-0.1.0.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.4", "Name: hf-ctxscale", "Version: 0.1.0", "Provides-Extra: app", "Provides-Extra: train"]
    (info / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs), ""]))
    if origin is not None:
        (info / "direct_url.json").write_text(json.dumps(origin))


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Makes the package look as if it had been installed from an address."""

    def install(origin: dict | None) -> None:
        _write_record(tmp_path, origin=origin, needs=NEEDS)
        monkeypatch.syspath_prepend(tmp_path)

    return install


def _sentence(package: str) -> str:
    sentence = missing_extra_in_words(ModuleNotFoundError(f"No module named {package!r}", name=package), command="hf-ctxscale score")
    assert sentence is not None
    return sentence


def _command(sentence: str) -> list[str]:
    return shlex.split(sentence.partition("Add it with: ")[2])


def test_the_sentence_names_command_package_and_extra_and_installs_into_this_environment(installed):
    installed(None)
    sentence = _sentence("absent_torch.nn")
    assert sentence.startswith(
        "`hf-ctxscale score` needs the package absent-torch, which is not installed here; it comes with the extra 'train'. "
    )
    assert _command(sentence) == [sys.executable, "-m", "pip", "install", "hf-ctxscale[train]"]
    assert _command(_sentence("absent_gradio"))[-1] == "hf-ctxscale[app]"


@pytest.mark.parametrize(
    ("origin", "address"),
    [
        ({"url": ARCHIVE, "archive_info": {"hash": "sha256=00"}}, ARCHIVE),
        ({"url": "file:///home/me/a%20b", "dir_info": {}}, "file:///home/me/a%20b"),
        (
            {"url": "https://github.com/me/hf-ctxscale.git", "vcs_info": {"vcs": "git", "requested_revision": "main", "commit_id": "0" * 40}},
            "git+https://github.com/me/hf-ctxscale.git@main",
        ),
        ({"url": "ssh://git@github.com/me/hf-ctxscale", "vcs_info": {"vcs": "git", "commit_id": "0" * 40}}, "git+ssh://git@github.com/me/hf-ctxscale"),
        ({"url": ARCHIVE, "archive_info": {}, "subdirectory": "package"}, f"{ARCHIVE}#subdirectory=package"),
    ],
)  # fmt: skip
def test_what_came_from_an_address_gets_its_extra_from_there(installed, origin, address):
    installed(origin)
    requirement = Requirement(_command(_sentence("absent_torch"))[-1])
    assert (requirement.name, requirement.extras, requirement.url) == ("hf-ctxscale", {"train"}, address)


def test_an_editable_installation_stays_editable(installed):
    installed({"url": "file:///home/me/a%20b", "dir_info": {"editable": True}})
    assert _command(_sentence("absent_torch"))[-2:] == ["--editable", "/home/me/a b[train]"]


@pytest.mark.parametrize("account", ["token", "me:token", "git:token"])
def test_a_token_in_the_address_is_not_printed(installed, account):
    installed({"url": f"https://{account}@example.org/a.zip", "archive_info": {}})
    sentence = _sentence("absent_torch")
    assert "token" not in sentence
    assert Requirement(_command(sentence)[-1]).url == "https://example.org/a.zip"


def test_an_environment_without_pip_is_filled_by_uv(installed, monkeypatch):
    installed(None)
    monkeypatch.setattr(missing_extras, "find_spec", lambda name: None)
    assert _command(_sentence("absent_torch")) == ["uv", "pip", "install", "--python", sys.executable, "hf-ctxscale[train]"]


def test_a_missing_package_behind_an_error_of_a_library_is_found(installed):
    installed(None)
    wrapped = ModuleNotFoundError("Could not import module 'AutoTokenizer'.")
    wrapped.__cause__ = ModuleNotFoundError("No module named 'absent_torch'", name="absent_torch")
    assert "absent-torch" in (missing_extra_in_words(wrapped, command="hf-ctxscale score") or "")


def test_a_command_inside_a_group_is_named_in_full(installed):
    installed(None)
    outer, inner = typer.Typer(cls=CommandsWithExtras), typer.Typer(cls=CommandsWithExtras)
    outer.add_typer(inner, name="publish")
    outer.callback()(lambda: None)

    @inner.command()
    def model() -> None:
        raise ModuleNotFoundError("No module named 'absent_torch'", name="absent_torch")

    @inner.command()
    def results() -> None:
        raise ModuleNotFoundError("No module named 'misspelt'", name="misspelt")

    with pytest.raises(UserError, match=r"^`hf-ctxscale publish model` needs the package absent-torch"):
        outer(["publish", "model"], prog_name="hf-ctxscale", standalone_mode=False)
    with pytest.raises(ModuleNotFoundError, match="misspelt"):
        outer(["publish", "results"], prog_name="hf-ctxscale", standalone_mode=False)


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'absent_core'", name="absent_core"),  # no extra brings it
        ModuleNotFoundError("No module named 'misspelt'", name="misspelt"),
        ModuleNotFoundError("No module named 'pytest.misspelt'", name="pytest.misspelt"),  # the package is there
        ImportError("cannot import name 'misspelt' from 'pytest'", name="pytest"),
        ImportError("said without a name"),
    ],
    ids=str,
)
def test_other_import_errors_stay_errors(installed, error):
    installed(None)
    assert missing_extra_in_words(error, command="hf-ctxscale score") is None


def test_without_a_record_of_the_installation_the_error_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    error = ModuleNotFoundError("No module named 'absent_torch'", name="absent_torch")
    assert missing_extra_in_words(error, command="hf-ctxscale score") is None


def _absent_without_extras() -> set[str]:
    """What can be imported here and is neither needed without an extra, nor needed by what is."""
    waiting, present = list(PROJECT["dependencies"]), {"hf-ctxscale", "pip"}
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name not in present and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            present.add(name)
            waiting += distribution(name).requires or []
    return {module for module, names in packages_distributions().items() if not present & set(map(canonicalize_name, names))}


@pytest.fixture
def without_extras(tmp_path):
    """Runs command lines in one process that has what is installed without extras; gives exit code, output and errors of each."""
    extras = {extra: PROJECT["optional-dependencies"][extra] for extra in ("train", "app")}
    needs = [f'{line}; extra == "{extra}"' for extra, lines in extras.items() for line in lines]
    _write_record(tmp_path, origin={"url": ARCHIVE, "archive_info": {}}, needs=needs)
    absent = _absent_without_extras()
    assert {"torch", "transformers", "gradio"} <= absent
    script = tmp_path / "script.py"
    script.write_text(
        "import contextlib, io, json, sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Finder(PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        f"        return None if name.partition('.')[0] in {absent!r} else PathFinder.find_spec(name, path, target)\n"
        "sys.meta_path[sys.meta_path.index(PathFinder)] = Finder\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from hf_ctxscale.cli import main\n"
        "for arguments in json.load(sys.stdin):\n"
        "    sys.argv = ['hf-ctxscale', *arguments]\n"
        "    out, err, code = io.StringIO(), io.StringIO(), 0\n"
        "    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):\n"
        "        try:\n"
        "            main()\n"
        "        except SystemExit as ended:\n"
        "            code = ended.code or 0\n"
        "    print(json.dumps([code, out.getvalue(), err.getvalue()]))\n"
    )

    def run(command_lines: list[list[str]]) -> list[tuple[int, str, str]]:
        (tmp_path / "text").write_text("a text")
        done = subprocess.run(
            [sys.executable, str(script)], input=json.dumps(command_lines), capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == 0, done.stderr
        return [tuple(json.loads(line)) for line in done.stdout.splitlines()]

    return run


def _commands(command: Any, *names: str) -> Iterator[tuple[str, ...]]:
    """The names of a command and of all below it, as they are typed."""
    yield names
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, *names, name)


def test_every_help_works_without_extras(without_extras):
    commands = list(_commands(get_command(app)))
    assert {("run",), ("score",), ("read-along",), ("space",), ("publish", "model")} <= set(commands)
    command_lines = [[*names, "--help"] for names in commands]
    for arguments, (code, out, err) in zip(command_lines, without_extras(command_lines), strict=True):
        assert code == 0, (arguments, err)
        assert "Usage: hf-ctxscale" in out, arguments


def test_every_command_that_needs_an_extra_says_which(without_extras):
    outcomes = without_extras([list(arguments) for arguments in NEED_EXTRAS])
    for (arguments, extra), (code, _, err) in zip(NEED_EXTRAS.items(), outcomes, strict=True):
        assert code == 2, (arguments, err)
        assert err.startswith(f"error: `hf-ctxscale {arguments[0]}` needs the package "), err
        assert err.rstrip().endswith(f"-m pip install 'hf-ctxscale[{extra}] @ {ARCHIVE}'"), err
        assert "Traceback" not in err


def test_the_space_and_the_metric_are_published_without_extras(without_extras):
    outcomes = without_extras([["publish", what, "--repo", "somebody/something", "--dry-run"] for what in ("space", "metric")])
    for code, out, err in outcomes:
        assert code == 0, err
        assert "README.md:" in out
