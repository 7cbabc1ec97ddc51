"""The Space's own files: the header of its card, its requirements, its settings and its three lines."""

import ast
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from huggingface_hub import SpaceCard
from packaging.requirements import Requirement

from hf_ctxscale.app.settings import SpaceSettings, load_settings
from hf_ctxscale.app.shipped import shipped_checkpoints, shipped_study, space_folder, trained_models
from hf_ctxscale.app.thumbnail import NAME, draw_thumbnail
from hf_ctxscale.study import Study, UserError

# https://huggingface.co/docs/hub/spaces-config-reference
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
# Of the package's own dependencies: the command line is no part of a Space.
COMMAND_LINE = {"packaging", "typer"}


@pytest.fixture(scope="module")
def header() -> dict:
    return SpaceCard.load(space_folder() / "README.md").data.to_dict()


def requirements() -> dict[str, Requirement]:
    lines = (space_folder() / "requirements.txt").read_text().splitlines()
    return {found.name: found for line in lines if line and not line.startswith("#") for found in [Requirement(line)]}


def declared() -> tuple[dict[str, Requirement], dict[str, Requirement]]:
    """What pyproject.toml asks for: the package itself, and its extra for training and scoring."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    own, train = (map(Requirement, lines) for lines in (project["dependencies"], project["optional-dependencies"]["train"]))
    return {found.name: found for found in own}, {found.name: found for found in train}


def test_header_is_what_the_hub_asks_of_a_gradio_space(header):
    assert header["sdk"] == "gradio"
    assert header["app_file"] == "app.py"
    assert (space_folder() / header["app_file"]).is_file()
    assert {header["colorFrom"], header["colorTo"]} <= COLOURS
    assert len(header["short_description"]) <= 60
    assert header["license"] == "apache-2.0"
    assert isinstance(header["pinned"], bool)
    assert header["thumbnail"] == NAME
    assert {"title", "emoji", "models", "datasets", "tags"} <= header.keys()


def test_header_names_the_versions_that_the_tests_run_with(header):
    assert header["sdk_version"] == version("gradio")
    # Text: YAML would read 3.10 as the number 3.1.
    assert isinstance(header["python_version"], str)
    assert re.fullmatch(r"3\.\d+", header["python_version"])
    # The lowest version that the package runs on.
    assert header["python_version"] == "3.11"


def test_app_is_three_lines():
    tree = ast.parse((space_folder() / "app.py").read_text())
    assert [type(line).__name__ for line in tree.body] == ["Expr", "ImportFrom", "Expr"]


def test_requirements_are_those_of_the_package_and_of_read_along():
    needed, (own, train) = requirements(), declared()
    assert needed.keys() == (own.keys() - COMMAND_LINE) | (needed.keys() & train.keys())
    assert {"torch", "transformers", "tokenizers", "safetensors"} <= needed.keys()
    assert {name: found.specifier for name, found in needed.items()} == {name: (own | train)[name].specifier for name in needed}, (
        "the bounds in space/requirements.txt and in pyproject.toml differ"
    )


def test_requirements_name_no_gradio_and_no_file():
    text = (space_folder() / "requirements.txt").read_text()
    # The Space installs the version of sdk_version, and before the repository's files are there.
    assert "gradio" not in requirements()
    assert not re.search(r"^(-|\.|/|file:|.*@)", text, flags=re.MULTILINE)


def test_shipped_settings_are_the_defaults():
    assert load_settings(space_folder()) == SpaceSettings()


def test_settings_name_a_dataset_and_models(tmp_path):
    (tmp_path / "settings.json").write_text('{"results": "somebody/results", "models": ["somebody/lstm"], "limits": {"text_tokens": 64}}')
    settings = load_settings(tmp_path)
    assert settings.results == "somebody/results"
    assert settings.models == ("somebody/lstm",)
    assert settings.limits.text_tokens == 64
    assert not settings.any_model


def test_folder_without_settings_has_every_default(tmp_path):
    assert load_settings(tmp_path) == SpaceSettings()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('{"modles": []}', "unknown key 'modles' in settings.json; did you mean 'models'?"),
        ('{"any_model": "yes"}', "any_model"),
        ('{"results": "../../etc/passwd"}', "'../../etc/passwd' is no id of the Hub; write it as OWNER/NAME"),
        ('{"limits": {"text_tokens": 0}}', "limits.text_tokens"),
        ("{", "is not JSON"),
    ],
)
def test_mistakes_in_settings_are_sentences(tmp_path, written, said):
    (tmp_path / "settings.json").write_text(written)
    with pytest.raises(UserError, match=re.escape(said)):
        load_settings(tmp_path)


def test_shipped_checkpoints_are_runs_of_the_reference_and_small():
    folders = shipped_checkpoints()
    run_ids = {run.run_id for run in shipped_study().run_records()}
    assert {folder.name for folder in folders.values()} <= run_ids
    assert any("LSTM, 1 layer" in name for name in folders)
    assert any("Transformer, " in name for name in folders)
    files = [path for folder in folders.values() for path in folder.rglob("*")]
    assert all(path.suffix in (".json", ".safetensors") for path in files)
    assert sum(path.stat().st_size for path in files) <= 10_000_000


def test_trained_models_are_those_whose_folder_is_there(finished):
    _, study, _ = finished
    models = trained_models(study)
    assert sorted(path.parent.name for path in models.values()) == sorted(run.run_id for run in study.run_records())
    assert sorted(name.split(",")[0].split()[1] for name in models) == ["LSTM", "Transformer"]
    assert trained_models(shipped_study()) == {}


def test_models_that_would_be_called_alike_are_told_apart_by_their_seeds(tmp_path):
    study = Study(tmp_path)
    for run in shipped_study().run_records():
        folder = study.model_folder(run.run_id)
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        study.run_file(run.run_id).write_text(run.model_dump_json())
    models = trained_models(study)
    assert len(models) == len(study.run_records())
    assert "26K LSTM, 1 layer, seed 2" in models
    assert "222K LSTM, 1 layer" in models


def test_thumbnail_is_a_picture_of_the_size_that_shared_addresses_ask_for(header):
    picture = draw_thumbnail(shipped_study(), title=header["title"])
    assert picture.startswith(b"\x89PNG")
    assert (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])) == (1200, 630)
    assert picture == draw_thumbnail(shipped_study(), title=header["title"])


def test_thumbnail_of_a_study_without_charts_is_refused(tmp_path):
    (tmp_path / "table.csv").write_text("N,loss\n")
    with pytest.raises(UserError, match="no chart of trained models"):
        draw_thumbnail(Study(tmp_path), title="none")
