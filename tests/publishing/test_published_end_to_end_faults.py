"""Uploads of the command line that are killed, disturbed by somebody else, or meet a Hub that fails in every way; in processes of their own."""

import subprocess
import threading
from pathlib import Path

import pytest

from tests.hub_stand_in import HubStandIn
from tests.publishing.publish_process import COMMAND, environment, publish

ID = "me/model"
COMMIT = f"POST /api/models/{ID}/commit/main"


@pytest.fixture
def hub():
    with HubStandIn() as hub:
        yield hub


@pytest.fixture
def run(finished) -> Path:
    """The folder of a trained LSTM."""
    [record] = [record for record in finished[1].run_records() if record.architecture == "lstm"]
    return finished[1].folder / "runs" / record.run_id


def test_an_upload_that_was_killed_leaves_nothing_half_done_and_is_finished_by_the_same_command(hub, run, tmp_path):
    arrived, released = threading.Event(), threading.Event()

    def wait() -> None:
        arrived.set()
        released.wait(timeout=300)

    # Every large file is there, and the commit never arrives.
    hub.fail(COMMIT, cut="before", first=wait)
    command = [*COMMAND, "model", str(run), "--repo", ID]
    with subprocess.Popen(
        command, env=environment(hub, tmp_path), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as killed:
        assert arrived.wait(timeout=300)
        killed.kill()
    released.set()
    assert [commit.title for commit in hub.commits(ID)] == ["initial commit"]
    hub.requests.clear()
    again = publish(hub, tmp_path, "model", run, "--repo", ID)
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(hub.commits(ID)) == 2
    assert hub.files(ID)["model.safetensors"] == (run / "model" / "model.safetensors").read_bytes()
    assert [path for method, path in hub.requests if method == "PUT"] == []


def test_a_commit_by_somebody_else_during_the_upload_stays_until_overwrite_is_given(hub, run, tmp_path):
    hub.meanwhile("POST /api/models/.*/preupload/", lambda: hub.add_commit(ID, {"note.txt": b"by somebody else"}))
    refused = publish(hub, tmp_path, "model", run, "--repo", ID)
    assert refused.returncode == 2
    assert "was changed by somebody else during the upload" in " ".join(refused.stderr.split())
    assert hub.commits(ID)[0].author == "somebody-else"
    assert "model.safetensors" not in hub.files(ID)
    still = publish(hub, tmp_path, "model", run, "--repo", ID)
    assert (still.returncode, len(hub.commits(ID))) == (2, 2)
    assert "--overwrite" in still.stderr
    forced = publish(hub, tmp_path, "model", run, "--repo", ID, "--overwrite")
    assert forced.returncode == 0, forced.stdout + forced.stderr
    assert "note.txt" not in hub.files(ID)
    assert hub.commits(ID)[1].files["note.txt"].content == b"by somebody else"


def test_an_upload_gets_through_a_hub_that_fails_at_every_step_and_is_made_once(hub, run, tmp_path):
    hub.fail(f"GET /api/models/{ID}", cut="before")
    hub.fail("POST /api/repos/create", cut="after")
    hub.fail("POST /api/models/.*/preupload/", status=500)
    hub.fail("POST .*/lfs/objects/batch", status=429, retry_after=1)
    hub.fail("PUT /lfs-storage/", cut="request")
    hub.fail("POST .*/lfs/verify", cut="answer")
    for status in (500, 409, 412):
        hub.fail(COMMIT, status=status)
    hub.fail(COMMIT, cut="after")
    done = publish(hub, tmp_path, "model", run, "--repo", ID)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [fault.times for fault in hub.faults.ordered] == [0] * 10
    assert len(hub.commits(ID)) == 2
    assert hub.files(ID)["model.safetensors"] == (run / "model" / "model.safetensors").read_bytes()
    assert hub.token not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("fault", "returncode", "words"),
    [
        ({"status": 403}, 2, "this token may not write to"),
        ({"status": 429, "retry_after": 100_000}, 1, "has had too many requests and asks to wait 100000 s"),
        ({"status": 400, "message": "Bearer {token} is not for this"}, 1, "is not for this"),
    ],
)
def test_a_commit_that_is_refused_ends_in_a_sentence_without_the_token(fault, returncode, words, hub, run, tmp_path):
    fault = {**fault, **({"message": fault["message"].format(token=hub.token)} if "message" in fault else {})}
    hub.fail(COMMIT, **fault)
    done = publish(hub, tmp_path, "model", run, "--repo", ID)
    assert done.returncode == returncode, done.stdout + done.stderr
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert hub.token not in done.stdout + done.stderr
    assert [commit.title for commit in hub.commits(ID)] == ["initial commit"]
