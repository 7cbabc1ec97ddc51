"""The app starts in every layout that it is delivered in, and loads torch only when a text is read."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from served import clean_environment, command_line, free_port, served, space_layout, wheel_layout

# Serves the shipped study, asks it for charts and then for a text, and says after each whether torch is loaded. The hook names who asks for it.
SCRIPT = """
import importlib.abc
import os
import sys

HEAVY = ("torch", "transformers", "datasets", "evaluate", "accelerate")


class Watch(importlib.abc.MetaPathFinder):
    allowed = False

    def find_spec(self, name, path=None, target=None):
        if name in HEAVY and not self.allowed:
            raise AssertionError(f"{name} was imported before a text was read")
        return None


watch = Watch()
sys.meta_path.insert(0, watch)


def ask(line):
    from gradio_client import Client

    try:
        client = Client(line.split()[1], verbose=False)
        for name in ("/size_chart", "/position_chart", "/compare", "/training", "/claims"):
            print(name, bool(client.predict(api_name=name)))
        print("loaded before:", [name for name in HEAVY if name in sys.modules])
        watch.allowed = True
        read = client.predict("import os\\nimport sys\\n" * 4, NAME, api_name="/read_along")
        print("read:", len(read["models"][0]["tokens"]) > 8)
        print("loaded after:", "torch" in sys.modules)
    except BaseException as error:
        print("failed:", repr(error))
    os._exit(0)


from hf_ctxscale.app.launch import serve
from hf_ctxscale.app.settings import SpaceSettings
from hf_ctxscale.app.shipped import shipped_checkpoints, shipped_study

NAME = next(iter(shipped_checkpoints()))
serve(shipped_study(), name="shipped", models=shipped_checkpoints(), settings=SpaceSettings(), port=int(sys.argv[1]), show=ask)
"""


def test_charts_are_answered_without_torch_which_comes_with_the_first_text(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(tmp_path), cwd=tmp_path, check=False)
    # Before them, gradio says where it serves the Model Context Protocol.
    said = done.stdout.splitlines()
    assert said[-8:] == [
        "/size_chart True",
        "/position_chart True",
        "/compare True",
        "/training True",
        "/claims True",
        "loaded before: []",
        "read: True",
        "loaded after: True",
    ], done.stderr


def test_gradio_writes_no_type_stubs_when_the_app_starts(tmp_path):
    code = "import hf_ctxscale.app.build; import gradio.component_meta as meta; print(meta.create_or_modify_pyi.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean_environment(tmp_path), check=True)
    assert done.stdout.strip() == "hf_ctxscale.app.without_stubs"


def test_statistics_that_the_first_sight_does_not_need_are_not_loaded(tmp_path):
    code = (
        "import sys; import hf_ctxscale.app.build; "
        "print([name for name in ('scipy.stats', 'scipy.optimize', 'scipy.interpolate', 'matplotlib.pyplot') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean_environment(tmp_path), check=True)
    assert done.stdout.strip() == "[]"


def assert_answers(url: str) -> None:
    assert httpx.get(url, trust_env=False).status_code == 200
    assert Client(url, verbose=False).predict(api_name="/size_chart")["rows"]


def test_app_starts_from_the_layout_of_a_space(tmp_path):
    folder, port = space_layout(tmp_path / "space"), free_port()
    # As the Hub sets it; PYTHONSAFEPATH and the checkout are out of the way, so that the package beside app.py is the one that runs.
    environment = {"SYSTEM": "spaces", "SPACE_ID": "somebody/space", "GRADIO_SERVER_PORT": str(port)}
    with served([sys.executable, "app.py"], folder=tmp_path, cwd=folder, port=port, **environment) as app:
        assert_answers(app.url)
        assert loaded_from(folder, cwd=folder, folder_of_process=tmp_path)


def test_app_starts_from_the_layout_of_the_wheel(tmp_path):
    site, port, elsewhere = wheel_layout(tmp_path / "site"), free_port(), tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = command_line("space", "--no-browser", "--port", str(port))
    with served(command, folder=tmp_path, cwd=elsewhere, port=port, PYTHONPATH=str(site)) as app:
        assert_answers(app.url)
        assert loaded_from(site, cwd=elsewhere, folder_of_process=tmp_path, PYTHONPATH=str(site))


def loaded_from(folder: Path, *, cwd: Path, folder_of_process: Path, **environment: str) -> bool:
    """Whether the package and the Space's files that a process there finds are those of the folder."""
    code = "import hf_ctxscale.app.shipped as shipped; print(shipped.__file__); print(shipped.shipped_study().folder)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=clean_environment(folder_of_process, **environment),
        cwd=cwd,
        check=True,
    )
    return all(Path(line).is_relative_to(folder) for line in done.stdout.splitlines())


def test_mistake_in_the_settings_of_a_space_is_a_sentence_in_its_log(tmp_path):
    folder = space_layout(tmp_path / "space")
    (folder / "settings.json").write_text('{"model": []}')
    done = subprocess.run(
        [sys.executable, "app.py"], capture_output=True, text=True, env=clean_environment(tmp_path), cwd=folder, check=False
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "error: unknown key 'model' in settings.json; did you mean 'models'?"


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """The app as a Space runs it."""
    folder, port = tmp_path_factory.mktemp("running"), free_port()
    layout = space_layout(folder / "space")
    with served([sys.executable, "app.py"], folder=folder, cwd=layout, port=port, GRADIO_SERVER_PORT=str(port)) as app:
        yield app


@pytest.mark.parametrize("name", ["settings.json", "app.py", "hf_ctxscale/study.py", "reference/study.yaml", "/etc/passwd", "../log.txt"])
def test_no_file_of_the_disk_is_served(space, name):
    for route in ("file=", "file/"):
        answer = httpx.get(f"{space.url}gradio_api/{route}{name}", trust_env=False)
        assert answer.status_code in (403, 404), f"{name} was served: {answer.text[:200]}"


def test_what_gradio_records_of_visitors_is_off(space):
    assert httpx.get(f"{space.url}monitoring", trust_env=False, follow_redirects=True).status_code in (403, 404)
    config = httpx.get(f"{space.url}config", trust_env=False).json()
    assert config["analytics_enabled"] is False
    assert config["run_history"] is False


def test_file_beyond_the_limit_is_refused(space):
    # 50 MB, which gradio counts as 50 times 1024 times 1024 bytes.
    large = b"0" * (50 * 1024**2 + 1)
    answer = httpx.post(f"{space.url}gradio_api/upload", files={"files": ("large.csv", large)}, trust_env=False, timeout=60)
    assert answer.status_code == 413
