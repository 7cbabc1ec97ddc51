"""`hf ctxscale ...`: the hf command finds the extension, hands everything on, and ends as it ends. Its installation: run_extension_test.py."""

import json
import os
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from huggingface_hub.cli.extensions import ExtensionManifest

ROOT = Path(__file__).parents[2]
HF = Path(sys.executable).with_name("hf")
SCRIPT = Path(sys.executable).with_name("hf-ctxscale")


@pytest.fixture
def extension(tmp_path):
    """Installs an executable as the extension `ctxscale` of an hf command with a home of its own, and gives that command."""

    def install(executable: Path):
        ExtensionManifest(
            owner="somebody",
            repo="hf-ctxscale",
            repo_id="somebody/hf-ctxscale",
            short_name="ctxscale",
            executable_path=str(executable),
            type="python",
            installed_at=datetime.now(UTC),
            description="a description",
        ).save(tmp_path / ".local/share/hf/extensions/hf-ctxscale")
        quiet = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_UPDATE_CHECK": "1", "HF_HUB_OFFLINE": "1"}
        environment = {**os.environ, **quiet, "HOME": str(tmp_path), "COLUMNS": "200"}

        def hf(*arguments: str) -> subprocess.CompletedProcess:
            return subprocess.run([HF, *arguments], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)

        return hf

    return install


def test_the_hf_command_runs_the_installed_script(extension):
    hf = extension(SCRIPT)
    through_hf = hf("ctxscale", "condense", "--help")
    alone = subprocess.run(
        [SCRIPT, "condense", "--help"], capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}, check=False
    )
    assert (through_hf.returncode, through_hf.stdout) == (0, alone.stdout), through_hf.stderr
    assert "Usage: hf-ctxscale condense" in through_hf.stdout
    assert "a description [extension somebody/hf-ctxscale]" in hf("--help").stdout


def test_a_mistake_is_the_same_sentence_with_the_same_exit_code(extension):
    hf = extension(SCRIPT)
    done = hf("ctxscale", "condense", "no such study", "--out", "copy")
    assert done.returncode == 2
    assert done.stderr.startswith("error: 'no such study' does not exist")
    assert hf("ctxscale", "no-such-command").returncode == 2


@pytest.mark.parametrize("code", [0, 1, 2, 130])
def test_arguments_arrive_intact_and_the_exit_code_comes_back(extension, tmp_path, code):
    echo = tmp_path / "echo"
    echo.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\nsys.exit({code})\n")
    echo.chmod(0o755)
    arguments = [
        "score",
        "two words",
        "",
        "ü'\"$HOME",
        "--out=a b",
        "*.csv",
        "-v",
        "--version",
        "--help",
        "--json",
        "-q",
        "--",
        "--format",
        "x",
    ]
    done = extension(echo)("ctxscale", *arguments)
    assert json.loads(done.stdout) == arguments
    assert done.returncode == code


def test_the_repository_is_what_the_installer_expects_of_a_python_extension():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] in project["scripts"], "the script must have the repository's name"
    assert not (ROOT / "hf-ctxscale").exists(), "a file of that name would be installed in place of the package"
