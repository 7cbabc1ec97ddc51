"""Faults that are ordered of the stand-in for the Hub, and processes that see nothing but it."""

import subprocess
import sys
from pathlib import Path

import pytest
from httpx2 import TransportError
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from tests.hub_stand_in import HubStandIn
from tests.publishing.filled_hub import FILES, added, fill, status_of


@pytest.fixture
def hub():
    with HubStandIn() as hub:
        yield hub


@pytest.fixture
def filled(hub) -> HfApi:
    return fill(hub)


@pytest.mark.parametrize("status", [409, 412, 429, 500])
def test_an_ordered_error_is_answered_as_often_as_ordered(status, hub, filled):
    hub.fail("POST .*/commit/main", status=status, times=2, skip=1, retry_after=0)
    for number, fails in enumerate((False, True, True, False)):
        if fails:
            with pytest.raises(HfHubHTTPError) as error:
                filled.create_commit("me/tiny", added({"a.txt": b"%d" % number}), commit_message="try")
            assert status_of(error) == status
            assert error.value.response.headers["Retry-After"] == "0"
        else:
            filled.create_commit("me/tiny", added({"a.txt": b"%d" % number}), commit_message="try")
    assert [commit.title for commit in hub.commits("me/tiny")] == ["try", "try", "files", "initial commit"]


@pytest.mark.parametrize(("cut", "done"), [("request", False), ("before", False), ("after", True), ("answer", True)])
def test_a_connection_breaks_before_or_after_the_change(cut, done, hub, filled):
    hub.fail("POST .*/commit/main", cut=cut)
    with pytest.raises(TransportError):
        filled.create_commit("me/tiny", added({"a.txt": b"a" * 100_000}), commit_message="cut")
    assert ("a.txt" in hub.files("me/tiny")) is done


def test_somebody_else_commits_while_a_request_is_on_its_way(hub, filled):
    hub.meanwhile("POST .*/commit/main", lambda: hub.add_commit("me/tiny", {"note.txt": b"mine"}))
    with pytest.raises(HfHubHTTPError) as error:
        filled.create_commit("me/tiny", added({"a.txt": b"a"}), commit_message="late", parent_commit=filled.model_info("me/tiny").sha)
    assert status_of(error) == 412
    assert hub.commits("me/tiny")[0].author == "somebody-else"


def test_a_download_that_breaks_off_is_taken_up_where_it_stopped(hub, filled, tmp_path):
    hub.fail("GET /lfs-storage/", cut="answer")
    path = filled.hf_hub_download("me/tiny", "model.safetensors", cache_dir=tmp_path)
    assert Path(path).read_bytes() == FILES["model.safetensors"]
    assert hub.faults.ordered[0].times == 0


def test_the_hf_command_makes_fills_and_reads_repositories(hub, tmp_path):
    """In processes of their own, with nothing but the environment."""
    environment = hub.environment(tmp_path)
    folder = tmp_path / "files"
    (folder / "data").mkdir(parents=True)
    for path, content in FILES.items():
        (folder / path).write_bytes(content)

    def hf(*arguments: str, token: bool = True) -> subprocess.CompletedProcess:
        command = [str(Path(sys.executable).with_name("hf")), *arguments]
        known = environment if token else {name: value for name, value in environment.items() if name != "HF_TOKEN"}
        return subprocess.run(command, capture_output=True, text=True, env=known, check=False, timeout=120)

    who = hf("auth", "whoami")
    assert "me" in who.stdout, who.stderr
    assert hf("repos", "create", "me/by-hand", "--type", "dataset", "--private").returncode == 0
    uploaded = hf("upload", "me/by-hand", str(folder), ".", "--repo-type", "dataset")
    assert uploaded.returncode == 0, uploaded.stderr
    assert {path: content for path, content in hub.files("me/by-hand", "dataset").items() if path != ".gitattributes"} == FILES
    loaded = hf("download", "me/by-hand", "--repo-type", "dataset", "--local-dir", str(tmp_path / "loaded"))
    assert loaded.returncode == 0, loaded.stderr
    assert {path: (tmp_path / "loaded" / path).read_bytes() for path in FILES} == FILES
    refused = hf("download", "me/by-hand", "--repo-type", "dataset", "--local-dir", str(tmp_path / "refused"), token=False)
    assert refused.returncode == 1
    assert "not found" in refused.stderr.lower()
    assert hf("repos", "delete", "me/by-hand", "--type", "dataset", "--yes").returncode == 0
    assert ("dataset", "me/by-hand") not in hub.contents.repositories
    assert hub.unanswered == []
    assert hub.elsewhere == []


def test_a_process_that_would_reach_another_host_is_stopped_and_noted(hub, tmp_path):
    script = """
import httpx, requests
for get in (httpx.get, requests.get):
    for address in ("https://huggingface.co/api/models", "http://example.com/"):
        try:
            print(get(address).status_code)
        except (httpx.ProxyError, requests.exceptions.ProxyError):
            print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=hub.environment(tmp_path), check=True, timeout=120
    )
    assert done.stdout.split() == ["refused", "403"] * 2
    assert hub.elsewhere == ["huggingface.co:443", "example.com"] * 2
