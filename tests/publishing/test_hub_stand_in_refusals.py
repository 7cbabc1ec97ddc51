"""What the stand-in for the Hub refuses, and to whom."""

from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from tests.hub_stand_in import HubStandIn
from tests.publishing.filled_hub import CARD, added, fill, status_of


@pytest.fixture
def hub():
    with HubStandIn() as hub:
        yield hub


@pytest.fixture
def filled(hub) -> HfApi:
    return fill(hub)


def test_a_missing_name_is_refused_in_the_words_that_clients_know(hub, filled):
    with pytest.raises(RepositoryNotFoundError) as error:
        filled.model_info("me/none")
    assert status_of(error) == 404
    with pytest.raises(RevisionNotFoundError):
        filled.model_info("me/tiny", revision="v9")
    with pytest.raises(EntryNotFoundError):
        filled.hf_hub_download("me/tiny", "none.txt")
    with pytest.raises(EntryNotFoundError):
        list(filled.list_repo_tree("me/tiny", "none"))
    assert not filled.file_exists("me/tiny", "none.txt")
    assert filled.file_exists("me/tiny", "data/part one.txt")
    assert not filled.repo_exists("me/tiny", repo_type="dataset")


def test_a_private_repository_is_there_for_its_owners_alone(hub, filled):
    for token, status in ((None, 401), (hub.add_user("stranger"), 404)):
        with pytest.raises(RepositoryNotFoundError) as error:
            hub.api(token=token).model_info("me/tiny")
        assert status_of(error) == status
    filled.update_repo_settings("me/tiny", private=False)
    assert hub.api(token=None).model_info("me/tiny").private is False


def test_only_its_owners_write_to_a_repository(hub, filled):
    filled.update_repo_settings("me/tiny", private=False)
    for token, words in (
        (hub.add_user("stranger"), "create a Pull Request"),
        (hub.add_user("me", role="read"), "you must use a write token"),
    ):
        with pytest.raises(HfHubHTTPError, match=words) as error:
            hub.api(token=token).create_commit("me/tiny", added({"a.txt": b"a"}), commit_message="mine")
        assert status_of(error) == 403
    with pytest.raises(HfHubHTTPError, match="rights to create a dataset under the namespace") as error:
        filled.create_repo("somebody/else", repo_type="dataset")
    assert status_of(error) == 403
    with pytest.raises(HfHubHTTPError, match="Invalid user token") as error:
        hub.api(token="hf_made_up").whoami()
    assert status_of(error) == 401
    assert filled.create_repo("org/tiny").repo_id == "org/tiny"
    assert hub.commits("me/tiny")[0].title == "files"


def test_a_gated_repository_gives_its_files_to_its_owners_alone(hub, filled, tmp_path):
    filled.update_repo_settings("me/tiny", private=False, gated="auto")
    for token, status in ((None, 401), (hub.add_user("stranger"), 403)):
        api = hub.api(token=token)
        assert api.model_info("me/tiny").gated == "auto"
        with pytest.raises(GatedRepoError) as error:
            api.hf_hub_download("me/tiny", "README.md", cache_dir=tmp_path)
        assert status_of(error) == status
    assert Path(filled.hf_hub_download("me/tiny", "README.md", cache_dir=tmp_path)).read_bytes() == CARD


def test_a_repository_that_is_there_is_not_made_twice(hub, filled):
    with pytest.raises(HfHubHTTPError, match="You already created this model repo") as error:
        filled.create_repo("me/tiny")
    assert status_of(error) == 409
    assert filled.create_repo("me/tiny", exist_ok=True).repo_id == "me/tiny"
    assert hub.repository("me/tiny").private


def test_a_commit_on_an_old_parent_is_refused_and_changes_nothing(hub, filled):
    seen = filled.model_info("me/tiny").sha
    other = hub.add_commit("me/tiny", {"note.txt": b"mine"})
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as error:
        filled.create_commit("me/tiny", added({"a.txt": b"a"}), commit_message="late", parent_commit=seen)
    assert status_of(error) == 412
    assert hub.commits("me/tiny")[0] is other
    assert (
        filled.create_commit("me/tiny", added({"a.txt": b"a"}), commit_message="late", parent_commit=other.id).oid
        == hub.commits("me/tiny")[0].id
    )
