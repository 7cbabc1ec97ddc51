"""What a run's repository is to hold, and which runs are refused."""

import json
import shutil
from pathlib import Path

import pytest
from synthetic_scores import write_ablated_study
from synthetic_study import write_synthetic_study

from hf_ctxscale.publishing.model import model_upload
from hf_ctxscale.study import Study, UserError
from tests.publishing.made_up_models import AUTO_MAP, CODE, add_model

LSTM, GPT2 = "lstm-1-222k-s0", "gpt2-2-222k-s0"
ID = "me/small"
PLAIN = {
    "README.md",
    "config.json",
    "context_use.png",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    """Scored models with an ablation; one of them failed and one is still training."""
    folder = tmp_path_factory.mktemp("published") / "study"
    study = write_ablated_study(folder, failed=("lstm-4-26k-s0",), unfinished=("lstm-4-76k-s0",))
    for run_id in (LSTM, GPT2):
        add_model(study, run_id)
    return study


def contents(files, name: str) -> bytes:
    return files[name] if isinstance(files[name], bytes) else files[name].read_bytes()


def test_a_transformer_has_no_code_and_nothing_else_of_its_folder(study):
    upload = model_upload(study.run_folder(GPT2), repo_id=ID)
    assert (upload.repo_id, upload.repo_type, upload.space_sdk) == (ID, "model", None)
    assert upload.message == f"Upload {GPT2} with hf-ctxscale"
    assert set(upload.files) == PLAIN
    assert contents(upload.files, "README.md") != b"a note to myself"
    assert contents(upload.files, "context_use.png").startswith(b"\x89PNG")


def test_an_lstm_carries_its_code(study):
    upload = model_upload(study.run_folder(LSTM), repo_id=ID)
    assert set(upload.files) == PLAIN | set(CODE)
    assert upload.files["config.json"] == study.model_folder(LSTM) / "config.json"


def test_an_lstm_saved_without_its_code_gets_that_of_the_package(tmp_path):
    from hf_ctxscale.models.lstm import modeling_lstm

    study = write_synthetic_study(tmp_path)
    folder = add_model(study, LSTM, code=False)
    upload = model_upload(study.run_folder(LSTM), repo_id=ID)
    assert contents(upload.files, "modeling_lstm.py") == Path(modeling_lstm.__file__).read_bytes()
    config = json.loads(contents(upload.files, "config.json"))
    assert config["auto_map"] == AUTO_MAP | {"AutoModel": "modeling_lstm.LSTMModel"}
    assert {"model_type": config["model_type"], "hidden_size": config["hidden_size"]} == json.loads((folder / "config.json").read_text())
    package = Path(modeling_lstm.__file__).parent
    assert {name for name in upload.files if name.endswith(".py")} == {path.name for path in package.glob("*.py")} - {"__init__.py"}


def test_the_same_run_gives_the_same_bytes_and_the_study_stays_as_it_is(study):
    before = {path: path.stat().st_mtime_ns for path in study.folder.rglob("*")}
    first, again = (model_upload(study.run_folder(LSTM), repo_id=ID).files for _ in range(2))
    assert {name: contents(first, name) for name in first} == {name: contents(again, name) for name in again}
    assert {path: path.stat().st_mtime_ns for path in study.folder.rglob("*")} == before


def test_a_run_is_found_from_inside_its_study_too(study, monkeypatch):
    monkeypatch.chdir(study.run_folder(GPT2))
    assert set(model_upload(Path(), repo_id=ID).files) == PLAIN
    monkeypatch.chdir(study.folder)
    assert set(model_upload(Path("runs") / GPT2, repo_id=ID).files) == PLAIN


def test_a_run_without_results_is_published_without_a_chart(study, tmp_path):
    copy = Study(tmp_path / "copy")
    shutil.copytree(study.folder, copy.folder)
    shutil.rmtree(copy.results)
    assert set(model_upload(copy.run_folder(GPT2), repo_id=ID).files) == PLAIN - {"context_use.png"}


@pytest.mark.parametrize(
    ("run_id", "words"),
    [
        ("lstm-4-76k-s0", "is not finished but training; `hf-ctxscale run STUDY/study.yaml --out STUDY` takes it up again"),
        ("lstm-4-26k-s0", r"is not finished but failed \(the loss is nan \| step 1200 of <2930>\)"),
    ],
)
def test_a_run_that_is_not_finished_is_refused(study, run_id, words):
    with pytest.raises(UserError, match=words):
        model_upload(study.run_folder(run_id), repo_id=ID)


def test_a_finished_run_whose_model_is_not_there_is_refused(study):
    with pytest.raises(UserError, match=r"holds no model \(config.json is missing\).*a condensed one has no models"):
        model_upload(study.run_folder("lstm-1-26k-s0"), repo_id=ID)


def test_pickled_weights_are_refused(tmp_path):
    study = write_synthetic_study(tmp_path)
    weights = add_model(study, GPT2) / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(UserError, match="holds no weights as safetensors"):
        model_upload(study.run_folder(GPT2), repo_id=ID)


def test_a_link_inside_a_model_folder_publishes_nothing(tmp_path):
    study = write_synthetic_study(tmp_path / "study")
    (tmp_path / "secret").write_text("{}")
    (add_model(study, GPT2) / "linked.json").symlink_to(tmp_path / "secret")
    assert "linked.json" not in model_upload(study.run_folder(GPT2), repo_id=ID).files


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_config_is_named(tmp_path, text):
    study = write_synthetic_study(tmp_path)
    (add_model(study, LSTM) / "config.json").write_text(text)
    with pytest.raises(UserError, match=r"config.json (is not valid JSON|holds a list, not an object)"):
        model_upload(study.run_folder(LSTM), repo_id=ID)


def test_a_study_in_place_of_a_run_is_refused_with_its_runs(study):
    with pytest.raises(UserError, match=f"is no run; name the folder of one, STUDY/runs/RUN. It is a study; its runs are .*{LSTM}"):
        model_upload(study.folder, repo_id=ID)
    with pytest.raises(UserError, match=r"is no run; name the folder of one, STUDY/runs/RUN\.$"):
        model_upload(study.folder / "nothing", repo_id=ID)


def test_a_malformed_id_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(UserError, match="give OWNER/NAME"):
        model_upload(tmp_path, repo_id="small")
