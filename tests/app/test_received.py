"""receive: in a process of its own, within its time, without logins; messages name no folder of this machine, and nothing is left behind."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from given_results import CSV, packed, write_small_study

from hf_ctxscale.app import received, received_work
from hf_ctxscale.app.received import PREFIX, receive, remove_leftovers
from hf_ctxscale.app.received_work import Answer, Task, work
from hf_ctxscale.study import UserError
from tests.hub_stand_in import HubStandIn

SECONDS = 300.0  # on however slow a machine


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def task_of(path: Path, kind: str = "csv", **more: object) -> Task:
    return Task(kind, str(path), path.name, "", **more)  # type: ignore[arg-type]


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def answered(task: Task, folder: Path) -> Answer:
    """The same without a process of its own."""
    folder.mkdir()
    return work(Task(**{**vars(task), "folder": str(folder)}))


def test_a_table_becomes_a_study_that_only_its_owner_can_read(tmp_path: Path, own_temporary_folder: Path) -> None:
    found = receive(task_of(written(tmp_path / "mine.csv", CSV)), seconds=SECONDS)
    assert found.notes[0] == "Fitted to 5 rows of a table."
    assert found.study.fits_file.is_file()
    assert found.study.table_file.read_text().startswith("N,loss\n")
    assert [found.study.folder] == list(own_temporary_folder.iterdir())
    assert found.study.folder.stat().st_mode & 0o077 == 0


def test_a_zip_file_becomes_a_study(tmp_path: Path, own_temporary_folder: Path) -> None:
    given = packed(write_small_study(tmp_path / "small").folder, to=tmp_path / "small.zip", inside="small/")
    found = receive(task_of(given, "zip", megabytes=50), seconds=SECONDS)
    assert len(found.study.run_records()) == 2
    assert found.study.fits_file.is_file()
    assert not list(found.study.folder.rglob("*.tmp"))
    assert [found.study.folder] == list(own_temporary_folder.iterdir())


def test_a_zip_file_of_fits_of_a_table_is_fitted_again(tmp_path: Path) -> None:
    (tmp_path / "fits").mkdir()
    written(tmp_path / "fits" / "table.csv", CSV)
    given = packed(tmp_path / "fits", to=tmp_path / "fits.zip")
    assert answered(task_of(given, "zip", megabytes=1), tmp_path / "work").notes[0] == "Fitted to 5 rows of a table."


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "N;loss\n1;2\n",
            "a.csv has one column, 'N;loss'; separate the columns by commas, and write numbers with a decimal point.",
        ),
        (
            "a.csv",
            "N,loss\n1,<script>\n",
            "loss is '<script>' in row 1 of a.csv, which is no number; write numbers such as 124000000, 1.24e8 or 3.05.",
        ),
        ("a.csv", "", "a.csv is empty, and not a table of comma-separated values with one line of names."),
        ("<b>.csv", "PAR1", "<b>.csv is a Parquet file, and not a table of comma-separated values; save it as CSV in UTF-8."),
    ],
)
def test_messages_name_the_file_as_the_visitor_knows_it(tmp_path: Path, name: str, content: str, message: str) -> None:
    assert answered(task_of(written(tmp_path / name, content)), tmp_path / "work").error == message


def test_messages_about_a_study_name_no_folder_of_this_machine(tmp_path: Path) -> None:
    study = write_small_study(tmp_path / "small")
    written(study.run_file(study.run_records()[0].run_id), "{}")
    error = answered(task_of(packed(study.folder, to=tmp_path / "small.zip"), "zip", megabytes=50), tmp_path / "work").error
    assert error is not None
    assert error.startswith("runs/")
    assert str(tmp_path) not in error


def test_a_study_without_finished_runs_is_refused_in_its_own_name(tmp_path: Path) -> None:
    study = write_small_study(tmp_path / "small")
    for run in study.run_records():
        study.run_file(run.run_id).write_text(run.model_copy(update={"state": "failed", "reason": "broke"}).model_dump_json())
    error = answered(task_of(packed(study.folder, to=tmp_path / "small.zip"), "zip", megabytes=50), tmp_path / "work").error
    assert error is not None
    assert error.startswith("no run of small.zip has finished (2 have a record; ")


def test_what_takes_too_long_is_ended_and_said(tmp_path: Path, own_temporary_folder: Path) -> None:
    with pytest.raises(
        UserError, match=r"'mine\.csv' took longer than 0\.01 seconds; show it on your own computer with `hf-ctxscale space`"
    ):
        receive(task_of(written(tmp_path / "mine.csv", CSV)), seconds=0.01)
    assert not list(own_temporary_folder.iterdir())


def test_what_breaks_its_reader_breaks_no_more_than_that(
    tmp_path: Path, own_temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(received, "PACKAGE_PARENT", tmp_path)
    (tmp_path / "hf_ctxscale" / "app").mkdir(parents=True)
    written(tmp_path / "hf_ctxscale" / "app" / "received_work.py", "import os\nos.abort()\n")
    for package in ("hf_ctxscale", "hf_ctxscale/app"):
        written(tmp_path / package / "__init__.py", "")
    with pytest.raises(UserError, match=r"^'mine\.csv' cannot be read: it is damaged, or needs more memory than there is here\.$"):
        receive(task_of(written(tmp_path / "mine.csv", CSV)), seconds=SECONDS)
    assert not list(own_temporary_folder.iterdir())


def test_a_fault_of_ours_is_logged_without_a_word_of_the_visitors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(task: Task, study: object) -> None:
        raise KeyError("a secret")

    monkeypatch.setattr(received_work, "_open_csv", break_down)
    answer = answered(task_of(written(tmp_path / "mine.csv", CSV)), tmp_path / "work")
    assert answer.fault is not None
    assert answer.fault.startswith("KeyError in test_received.py, line ")
    monkeypatch.setattr(received, "_answer_of", lambda task, *, seconds: answer)
    with pytest.raises(UserError, match=r"^'mine\.csv' cannot be read: it is damaged"):
        receive(task_of(tmp_path / "mine.csv"), seconds=SECONDS)
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text


def test_a_process_that_is_no_more_leaves_nothing_and_a_living_one_keeps_its_own(own_temporary_folder: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in (f"{PREFIX}{ended.pid}-abc", f"{PREFIX}{ended.pid}-abc-study", f"{PREFIX}{os.getpid()}-def", "somebody-elses"):
        (own_temporary_folder / name).mkdir()
    remove_leftovers()
    assert {path.name for path in own_temporary_folder.iterdir()} == {f"{PREFIX}{os.getpid()}-def", "somebody-elses"}


def received_from(hub: HubStandIn, repo_id: str, *, tmp_path: Path, revision: str = "", megabytes: int = 50) -> received.Received:
    with pytest.MonkeyPatch.context() as patch:
        # A login that the machine has is not used: the stand-in would let the owner see more than everybody may.
        for name, value in hub.environment(tmp_path).items():
            patch.setenv(name, value)
        return receive(Task("hub", repo_id, repo_id, "", revision=revision, megabytes=megabytes), seconds=SECONDS)


def dataset_files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_results_dataset_is_fetched_without_what_else_it_holds(tmp_path: Path) -> None:
    study = write_small_study(tmp_path / "small")
    others = {"app.py": b"raise SystemExit", "runs/a/model/model.bin": b"x" * 1000, "README.md": b"# card"}
    with HubStandIn() as hub:
        commit = hub.add_commit("me/results", dataset_files(study.folder) | others, repo_type="dataset")
        hub.add_commit("me/results", {"study.yaml": b"something: else"}, repo_type="dataset")
        found = received_from(hub, "me/results", tmp_path=tmp_path, revision=commit.id)
        assert not [path for _, path in hub.requests if "app.py" in path or "model.bin" in path]
        assert not [path for _, path in hub.requests if "whoami" in path]
        assert not hub.unanswered
    assert found.notes == (f"Fetched at commit {commit.id[:12]}.",)
    assert found.study.run_records() == study.run_records()
    assert found.study.fits_file.is_file()


def test_what_cannot_be_fetched_is_said_in_a_sentence(tmp_path: Path) -> None:
    with HubStandIn() as hub:
        hub.add_commit("me/private", {"scores/a/score.json": b"{}"}, repo_type="dataset", private=True)
        hub.add_commit("me/other", {"data.csv": b"a,b"}, repo_type="dataset")
        hub.add_commit("me/large", {"scores/a/score.json": b"x" * 1_200_000}, repo_type="dataset")
        for repo_id, revision, sentence in (
            ("me/private", "", "there is no dataset 'me/private' on the Hugging Face Hub that everybody may read; check the spelling"),
            ("me/other", "", "dataset 'me/other' holds no study: there is no scores/SCORE/score.json in it."),
            ("me/other", "nowhere", "dataset 'me/other' has no such revision; give one of its branches, tags or commits"),
            ("me/large", "", "the study in dataset 'me/large' has 1 MB; at most 1 MB are fetched here"),
            ("../../etc/passwd", "", "'../../etc/passwd' is no id of the Hugging Face Hub; write it as OWNER/NAME."),
        ):
            with pytest.raises(UserError) as caught:
                received_from(hub, repo_id, tmp_path=tmp_path, revision=revision, megabytes=1)
            assert str(caught.value).startswith(sentence)
        hub.fail("GET .*/api/datasets/.*", status=500, times=20)
        with pytest.raises(UserError, match="the Hugging Face Hub cannot be reached for dataset 'me/other'; try again later"):
            received_from(hub, "me/other", tmp_path=tmp_path)
