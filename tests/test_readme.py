"""The README's commands, code and file tree are true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    """The fenced blocks of a language; "" for those that name none."""
    # Opening and closing fences alternate, so every second part is the inside of a block, its language first.
    inside = re.split(r"^```", README, flags=re.MULTILINE)[1::2]
    return [block.split("\n", 1)[1] for block in inside if block.split("\n", 1)[0] == language]


def test_every_make_target_named_exists():
    named = set(re.findall(r"\bmake ((?:PYTHON=\S+ )?[a-z][a-z-]+)`?", README))
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert len(named) >= 6
    assert {name.split()[-1] for name in named} <= targets


def test_every_command_named_exists_with_its_options():
    lines = [line.split("#")[0].split() for block in _blocks("bash") for line in block.splitlines() if ".venv/bin/hf-ctxscale" in line]
    assert len(lines) >= 3
    for words in lines:
        command, *arguments = words[1:]
        # `publish` has commands of its own.
        commands = [command, *arguments[:1]] if command == "publish" else [command]
        shown = subprocess.run(
            [sys.executable, "-c", "from hf_ctxscale.cli import main; main()", *commands, "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert shown.returncode == 0, (words, shown.stderr)
        for option in (word for word in arguments if word.startswith("--")):
            assert option in shown.stdout, (words, option)


def test_every_path_of_the_file_tree_exists():
    tree = next(block for block in _blocks("") if block.startswith("hf_ctxscale/"))
    folder = None
    seen = 0
    for line in tree.splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            folder = name
            path = ROOT / name
        else:
            path = ROOT / folder / name
        assert path.exists(), line
        seen += 1
    assert seen >= 15


def test_the_layers_are_those_that_import_linter_checks():
    drawn = next(block for block in _blocks("") if block.startswith("cli\n"))
    contract = (ROOT / "pyproject.toml").read_text().split("layers = [")[1].split("]")[0]
    checked = [layer for layer in re.findall(r'"([^"]+)"', contract) if not layer.startswith("(")]
    assert drawn.splitlines() == checked


@pytest.mark.parametrize("index", range(len(_blocks("python"))))
def test_the_python_of_the_readme_runs(index, finished):
    _, study, _ = finished
    code = _blocks("python")[index].replace("out/demo", str(study.folder)).replace("hf_ctxscale/metrics", str(ROOT / "hf_ctxscale/metrics"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_every_picture_and_linked_file_exists():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert len(links) >= 3
    for link in links:
        assert (ROOT / link).is_file(), link
