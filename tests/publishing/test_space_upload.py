"""The Space's repository holds all that it needs to start, its own checkpoints within the limit, and names what it uses."""

import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import RepoCard

import hf_ctxscale
from hf_ctxscale.app.settings import SpaceSettings, load_settings
from hf_ctxscale.app.shipped import shipped_study
from hf_ctxscale.publishing import space
from hf_ctxscale.publishing.space import MOST_CHECKPOINT_BYTES, space_upload
from hf_ctxscale.publishing.upload import Upload
from hf_ctxscale.study import Study, UserError

PACKAGE = Path(hf_ctxscale.__file__).parent


@pytest.fixture(scope="module")
def shipped() -> Upload:
    return space_upload(repo_id="you/space")


@pytest.fixture(scope="module")
def study(finished) -> Study:
    return finished[1]


@pytest.fixture(scope="module")
def of_study(study: Study) -> Upload:
    models = tuple(f"you/tiny-{run.run_id}" for run in study.run_records())
    return space_upload(repo_id="you/tiny", results_id="you/tiny-results", study=study, models=(*models, "you/another"))


def written(upload: Upload, folder: Path) -> Path:
    for path, content in upload.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    return folder


def checkpoints(upload: Upload) -> set[str]:
    return {path.split("/")[1] for path in upload.files if path.startswith("checkpoints/")}


def test_the_whole_package_travels_and_nothing_else_that_lies_in_its_folder(shipped: Upload) -> None:
    inside = {path.removeprefix("hf_ctxscale/") for path in shipped.files if path.startswith("hf_ctxscale/")}
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."], cwd=PACKAGE, capture_output=True, text=True, check=True
    )
    assert inside == {path for path in tracked.stdout.splitlines() if (PACKAGE / path).is_file()}
    assert {"py.typed", "reporting/templates/report.css", "publishing/templates/results_card.md.j2"} <= inside


def test_an_installed_packages_copies_of_configs_and_space_stay_out_of_its_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in ("app/x.py", "space/app.py", "configs/README.md", "__pycache__/x.cpython-311.pyc", "notes.key"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    monkeypatch.setattr(space, "PACKAGE", tmp_path)
    assert list(space.package_sources()) == [tmp_path / "app" / "x.py"]


def test_the_repository_finds_its_results_and_checkpoints_beside_its_app(shipped: Upload, tmp_path: Path) -> None:
    folder = written(shipped, tmp_path)
    code = (
        "from hf_ctxscale.app.shipped import *; from hf_ctxscale.app.settings import load_settings;"
        "print(space_folder()); print(len(shipped_study().run_records())); print(sorted(str(path) for path in shipped_checkpoints().values()));"
        "import sys; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, num_runs, models, torch = done.stdout.splitlines()
    assert Path(found) == folder
    assert int(num_runs) == len(shipped_study().run_records())
    assert models == str(sorted(str(folder / "checkpoints" / run_id) for run_id in checkpoints(shipped)))
    assert torch == "False"
    assert {"app.py", "requirements.txt", "README.md", "settings.json", "thumbnail.png"} <= set(shipped.files)


def test_the_settings_are_those_that_the_app_reads(shipped: Upload, of_study: Upload, tmp_path: Path) -> None:
    assert load_settings(written(shipped, tmp_path / "shipped")) == SpaceSettings()
    # What travels as a checkpoint is not listed a second time; the study's results travel too.
    assert load_settings(written(of_study, tmp_path / "study")) == SpaceSettings(models=("you/another",))


def test_with_a_results_dataset_the_space_fetches_it_and_ships_none() -> None:
    upload = space_upload(repo_id="you/space", results_id="you/results")
    assert SpaceSettings.model_validate_json(upload.files["settings.json"]).results == "you/results"
    assert not [path for path in upload.files if path.startswith("reference/")]
    assert checkpoints(upload)
    assert RepoCard(upload.files["README.md"].decode()).data.datasets == ["you/results"]


def test_a_folder_in_place_of_a_results_dataset_is_a_sentence_that_says_how_to_publish_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out" / "demo").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"is a folder here; .* publish results out/demo --repo"):
        space_upload(repo_id="you/space", results_id="out/demo")


def test_the_licence_goes_where_the_code_goes(shipped: Upload) -> None:
    assert Path(shipped.files["LICENSE"]).read_text().lstrip().startswith("Apache License")


def test_a_studys_space_ships_its_results_and_the_best_model_of_each_family(study: Study, of_study: Upload, tmp_path: Path) -> None:
    copy = Study(written(of_study, tmp_path) / "reference")
    assert [run.run_id for run in copy.run_records()] == [run.run_id for run in study.run_records()]
    assert copy.results_file("runs").read_bytes() == study.results_file("runs").read_bytes()
    assert not list(copy.folder.rglob("*.safetensors"))
    assert checkpoints(of_study) == {run.run_id for run in study.run_records()}
    card = RepoCard(of_study.files["README.md"].decode())
    assert card.data.datasets == ["you/tiny-results"]
    assert card.data.models == [f"you/tiny-{run.run_id}" for run in study.run_records()] + ["you/another"]
    assert card.data.thumbnail.endswith("/spaces/you/tiny/resolve/main/thumbnail.png")
    assert card.data.sdk == "gradio"


def test_checkpoints_stay_within_the_limit_and_bring_no_code(shipped: Upload, of_study: Upload) -> None:
    for upload in (shipped, of_study):
        sizes = {path: size for path, size in upload.sizes().items() if path.startswith("checkpoints/")}
        assert 0 < sum(sizes.values()) <= MOST_CHECKPOINT_BYTES
        assert not [path for path in sizes if path.endswith(".py")]
        for run_id in checkpoints(upload):
            assert {f"checkpoints/{run_id}/{name}" for name in ("config.json", "model.safetensors", "tokenizer.json")} <= set(sizes)


def test_models_that_are_too_large_stay_behind_and_the_shipped_ones_serve(
    study: Study, shipped: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {
        run.run_id: sum(path.stat().st_size for path in study.model_folder(run.run_id).iterdir() if path.suffix != ".py")
        for run in study.run_records()
    }
    largest = max(sizes, key=lambda run_id: sizes[run_id])
    assert len(set(sizes.values())) == len(sizes) == 2
    monkeypatch.setattr(space, "MOST_CHECKPOINT_BYTES", 2 * sizes[largest] - 1)
    assert checkpoints(space_upload(repo_id="you/tiny", study=study)) == set(sizes) - {largest}
    monkeypatch.setattr(space, "MOST_CHECKPOINT_BYTES", 2 * min(sizes.values()) - 1)
    assert checkpoints(space_upload(repo_id="you/tiny", study=study)) == checkpoints(shipped)


@pytest.mark.parametrize("ids", [{"results_id": "results"}, {"models": ("you/a b",)}, {"repo_id": "../space"}])
def test_a_malformed_id_is_refused(ids: dict) -> None:
    with pytest.raises(UserError, match="is no repository on the Hub; give OWNER/NAME"):
        space_upload(**{"repo_id": "you/space", **ids})
