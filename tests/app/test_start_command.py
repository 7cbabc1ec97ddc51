"""`hf-ctxscale space`: what it opens, what it lists, and the sentence for each mistake."""

import contextlib
import shutil
import socket
import subprocess
import threading

import pytest
import typer
from gradio_client import Client
from served import clean_environment, command_line, free_port, served
from typer.testing import CliRunner

from hf_ctxscale.app import chosen_results, launch
from hf_ctxscale.app.shipped import shipped_checkpoints, shipped_study
from hf_ctxscale.cli.space import space
from hf_ctxscale.study import Study, UserError


@pytest.fixture
def asked(monkeypatch) -> dict:
    """What the command asks to be served, in place of a server."""
    given: dict = {}
    monkeypatch.setattr(launch, "serve", lambda study, **options: given.update(study=study, **options))
    return given


def run_space_command(*arguments: str) -> None:
    command = typer.Typer()
    command.command()(space)
    result = CliRunner().invoke(command, [*arguments])
    if result.exception is not None:
        raise result.exception


def test_without_a_study_the_shipped_reference_and_its_checkpoints_are_opened(asked):
    run_space_command()
    assert asked["study"] == shipped_study()
    assert asked["models"] == shipped_checkpoints()
    assert asked["open_browser"]
    assert asked["port"] is None
    assert not asked["settings"].any_model


def test_models_of_a_study_are_listed_and_those_given_beside_them(asked, finished):
    _, study, _ = finished
    given = study.model_folder(study.run_records()[0].run_id)
    run_space_command(
        str(study.folder), "--model", str(given), "--model", "somebody/model", "--no-browser", "--port", "7999", "--any-model"
    )
    assert asked["study"] == study
    assert len(asked["models"]) == len(study.run_records()) + 2
    assert asked["models"][str(given)] == given
    assert asked["models"]["somebody/model"] == "somebody/model"
    assert asked["port"] == 7999
    assert not asked["open_browser"]
    assert asked["settings"].any_model


def test_study_without_models_lists_the_shipped_checkpoints(asked):
    run_space_command(str(shipped_study().folder))
    assert asked["models"] == shipped_checkpoints()


def test_id_of_a_dataset_is_downloaded_at_its_revision(asked, monkeypatch, tmp_path):
    downloads = []

    def snapshot_download(repo_id: str, **options) -> str:
        downloads.append((repo_id, options["revision"], options["repo_type"]))
        return str(shipped_study().folder)

    monkeypatch.setattr(chosen_results, "snapshot_download", snapshot_download)
    monkeypatch.chdir(tmp_path)
    run_space_command("somebody/results", "--revision", "abc")
    assert downloads == [("somebody/results", "abc", "dataset")]
    assert asked["study"] == shipped_study()
    assert asked["name"] == "somebody/results"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-folder"], "'no-such-folder' does not exist"),
        (["./no/folder"], "'no/folder' does not exist"),
        (["--model", "../secret"], "neither a folder that is there nor an id of the Hub"),
        (["--revision", "main"], "--revision is for a results dataset of the Hub"),
    ],
)
def test_mistakes_are_sentences(asked, monkeypatch, tmp_path, arguments, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        run_space_command(*arguments)
    assert not asked


def test_dataset_without_results_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(chosen_results, "snapshot_download", lambda repo_id, **options: str(tmp_path))
    with pytest.raises(UserError, match="holds no study with results"):
        chosen_results.download_results("somebody/other")


def test_dataset_whose_records_lead_out_of_it_is_refused(monkeypatch, tmp_path):
    study = Study(shutil.copytree(shipped_study().folder, tmp_path / "study"))
    run = study.run_records()[0]
    study.run_file(run.run_id).write_text(run.model_copy(update={"run_id": "../../elsewhere"}).model_dump_json())
    monkeypatch.setattr(chosen_results, "snapshot_download", lambda repo_id, **options: str(study.folder))
    with pytest.raises(UserError, match=r"holds the record of '\.\./\.\./elsewhere' in another folder than its own"):
        chosen_results.download_results("somebody/results")


def test_dataset_that_cannot_be_reached_is_a_sentence(asked, tmp_path):
    environment = clean_environment(tmp_path)
    done = subprocess.run(
        command_line("space", "somebody/results", "--no-browser"),
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "error: there is no folder 'somebody/results', and the Hugging Face Hub cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_port_that_is_taken_is_a_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            command_line("space", "--no-browser", "--port", str(port)),
            capture_output=True,
            text=True,
            env=clean_environment(tmp_path),
            cwd=tmp_path,
            check=False,
        )
    assert done.returncode == 2, done.stderr
    assert f"port {port} is taken; name another one with --port" in done.stderr


def test_app_starts_behind_a_proxy_and_asks_nobody_for_anything(tmp_path):
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = proxy.accept()
                    asked.append(connection.recv(200))
                    connection.close()

        threading.Thread(target=answer, daemon=True).start()
        port, address = free_port(), f"http://127.0.0.1:{proxy.getsockname()[1]}"
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), address)
        command = command_line("space", "--no-browser", "--port", str(port))
        with served(command, folder=tmp_path, cwd=tmp_path, port=port, **proxies, HF_HUB_OFFLINE="0") as app:
            assert Client(app.url, verbose=False, httpx_kwargs={"trust_env": False}).predict(api_name="/claims")
    assert not asked, "the app asked for something when it started"
