"""The stand-in for the Hub itself: the unmodified huggingface_hub writes to its repositories and reads them again."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationCopy, CommitOperationDelete, HfApi, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

from tests.hub_stand_in import HubStandIn
from tests.publishing.filled_hub import CARD, FILES, added, fill, status_of


@pytest.fixture
def hub():
    with HubStandIn() as hub:
        yield hub


@pytest.fixture
def filled(hub) -> HfApi:
    return fill(hub)


@pytest.mark.parametrize("repo_type", ["model", "dataset", "space"])
def test_what_is_committed_is_listed_and_downloaded_again(repo_type, hub, tmp_path):
    api = hub.api()
    files = FILES | ({"README.md": b"---\nsdk: gradio\n---\n"} if repo_type == "space" else {})
    url = api.create_repo("me/tiny", repo_type=repo_type, private=True, space_sdk="gradio" if repo_type == "space" else None)
    assert url == f"{hub.url}/{'' if repo_type == 'model' else repo_type + 's/'}me/tiny"
    first = api.repo_info("me/tiny", repo_type=repo_type).sha
    made = api.create_commit("me/tiny", added(files), repo_type=repo_type, commit_message="files", parent_commit=first)
    info = api.repo_info("me/tiny", repo_type=repo_type, files_metadata=True)
    assert (info.sha, info.private, info.author) == (made.oid, True, "me")
    assert {entry.rfilename: entry.size for entry in info.siblings} == {
        ".gitattributes": len(hub.files("me/tiny", repo_type)[".gitattributes"]),
        **{path: len(content) for path, content in files.items()},
    }
    folder = Path(snapshot_download("me/tiny", repo_type=repo_type, endpoint=hub.url, token=hub.token, cache_dir=tmp_path))
    assert folder.name == made.oid
    assert {path: (folder / path).read_bytes() for path in files} == files
    assert [commit.title for commit in api.list_repo_commits("me/tiny", repo_type=repo_type)] == ["files", "initial commit"]
    assert hub.unanswered == []


def test_every_name_of_git_is_the_one_that_git_gives(hub, tmp_path):
    """The same commits made by git itself."""

    def git(*arguments: str, **settings) -> str:
        done = subprocess.run(["git", "-C", str(tmp_path), *arguments], capture_output=True, text=True, check=True, **settings)
        return done.stdout.strip()

    hub.add_commit("me/tiny", {"model.bin": b"\0" * 1000, "a/b/c.txt": b"deep\n", "a.txt": b"beside\n", "a-b": b"x"}, author="me")
    git("init", "--quiet")
    for commit in reversed(hub.commits("me/tiny")):
        for path, file in commit.files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(file.pointer if file.lfs else file.content)
        git("-c", "core.autocrlf=false", "add", "--all", "--force")
        when = f"{int(commit.when.timestamp())} +0000"
        roles = [(f"GIT_{role}_NAME", f"GIT_{role}_EMAIL", f"GIT_{role}_DATE") for role in ("AUTHOR", "COMMITTER")]
        who = {
            name: value
            for role in roles
            for name, value in zip(role, (commit.author, f"{commit.author}@users.noreply.hf.co", when), strict=True)
        }
        git("commit", "--quiet", "--cleanup=verbatim", "-m", commit.title, env={**os.environ, "HOME": str(tmp_path), **who})
        assert git("rev-parse", "HEAD^{tree}") == commit.trees[""]
    api = hub.api()
    entries = {entry.path: entry for entry in api.list_repo_tree("me/tiny", recursive=True)}
    assert {path: getattr(entry, "blob_id", None) or entry.tree_id for path, entry in entries.items()} == {
        path: git("rev-parse", f"HEAD:{path}") for path in (".gitattributes", "model.bin", "a", "a/b", "a/b/c.txt", "a.txt", "a-b")
    }
    assert entries["model.bin"].lfs.sha256 == hashlib.sha256(b"\0" * 1000).hexdigest()
    assert entries["model.bin"].lfs.pointer_size == int(git("cat-file", "-s", "HEAD:model.bin"))
    assert api.model_info("me/tiny").sha == git("rev-parse", "HEAD") == hub.commits("me/tiny")[0].id


def test_files_are_replaced_copied_and_deleted_in_one_commit(hub, filled):
    operations = [
        *added({"README.md": CARD + b"more\n"}),
        CommitOperationCopy("model.safetensors", "copy.safetensors"),
        CommitOperationDelete("empty.txt"),
        CommitOperationDelete("data/", is_folder=True),
    ]
    filled.create_commit("me/tiny", operations, commit_message="change")
    held = hub.files("me/tiny")
    assert sorted(held) == [".gitattributes", "README.md", "copy.safetensors", "model.safetensors"]
    assert held["copy.safetensors"] == FILES["model.safetensors"]
    assert held["README.md"].endswith(b"more\n")
    with pytest.raises(EntryNotFoundError, match="A file with this name doesn't exist"):
        filled.create_commit("me/tiny", [CommitOperationDelete("none.txt")], commit_message="nothing")
    assert hub.commits("me/tiny")[0].title == "change"


def test_long_listings_come_page_by_page(hub, filled):
    hub.contents.page_size = 2
    hub.requests.clear()
    assert {entry.path for entry in filled.list_repo_tree("me/tiny", recursive=True, expand=True)} == {*FILES, ".gitattributes", "data"}
    assert len(hub.requests) == 3
    assert {entry.path for entry in filled.list_repo_tree("me/tiny")} == {
        ".gitattributes",
        "README.md",
        "data",
        "empty.txt",
        "model.safetensors",
    }
    assert [entry.path for entry in filled.list_repo_tree("me/tiny", "data")] == ["data/part one.txt"]
    [entry] = filled.get_paths_info("me/tiny", ["data/part one.txt", "none.txt"], expand=True)
    assert (entry.size, entry.last_commit.title) == (7, "files")


def test_branches_and_tags_stand_for_commits(hub, filled, tmp_path):
    filled.create_tag("me/tiny", tag="v1")
    filled.create_branch("me/tiny", branch="try/this")
    filled.create_commit("me/tiny", added({"a.txt": b"a"}), commit_message="aside", revision="try/this")
    filled.create_commit("me/tiny", added({"README.md": CARD + b"new\n"}), commit_message="onward")
    refs = filled.list_repo_refs("me/tiny")
    assert {ref.name for ref in refs.branches} == {"main", "try/this"}
    assert [ref.target_commit for ref in refs.tags] == [hub.commits("me/tiny")[1].id]
    assert Path(filled.hf_hub_download("me/tiny", "README.md", revision="v1", cache_dir=tmp_path)).read_bytes() == CARD
    assert "a.txt" in hub.files("me/tiny", revision="try/this")
    assert "a.txt" not in hub.files("me/tiny")
    for make in (filled.create_tag, filled.create_branch):
        with pytest.raises(HfHubHTTPError) as error:
            make("me/tiny", **({"tag": "v1"} if make == filled.create_tag else {"branch": "try/this"}))
        assert status_of(error) == 409
    filled.delete_repo("me/tiny")
    assert not filled.repo_exists("me/tiny")


@pytest.mark.parametrize(
    ("repo_type", "card", "words"),
    [
        ("model", "---\ntags: [a\n---\n", "YAML Metadata Error"),
        ("model", "---\nmodel-index:\n- results: []\n---\n", r'"model-index.name" is required'),
        ("dataset", "---\nconfigs:\n- data_files: a.parquet\n---\n", r'"configs\[0\].config_name" is required'),
        ("space", "---\ntitle: x\n---\n", r'"sdk" must be one of'),
        ("space", "---\nsdk: gradio\ncolorFrom: orange\n---\n", r'"colorFrom" must be one of'),
        ("space", f"---\nsdk: gradio\nshort_description: {'x' * 61}\n---\n", "length must be less than or equal to 60"),
    ],
)
def test_a_card_with_wrong_metadata_is_refused(repo_type, card, words, hub):
    api = hub.api()
    api.create_repo("me/carded", repo_type=repo_type, space_sdk="gradio" if repo_type == "space" else None)
    with pytest.raises(ValueError, match=words):
        api.create_commit("me/carded", added({"README.md": card.encode()}), repo_type=repo_type, commit_message="card")
    assert len(hub.commits("me/carded", repo_type)) == 1


def test_collections_hold_each_repository_once(hub, filled):
    made = filled.create_collection("Context, at scale", description="all of it", private=True)
    assert (made.title, made.private, made.items) == ("Context, at scale", True, [])
    assert filled.create_collection("Context, at scale", exists_ok=True).slug == made.slug
    filled.add_collection_item(made.slug, "me/tiny", "model", note="the model")
    with pytest.raises(HfHubHTTPError) as error:
        filled.add_collection_item(made.slug, "me/tiny", "model")
    assert status_of(error) == 409
    [item] = filled.add_collection_item(made.slug, "me/tiny", "model", exists_ok=True).items
    assert (item.item_id, item.item_type, item.note) == ("me/tiny", "model", "the model")
    with pytest.raises(HfHubHTTPError) as error:
        filled.add_collection_item(made.slug, "me/tiny", "dataset")
    assert status_of(error) == 404
    filled.update_collection_item(made.slug, item.item_object_id, note="another")
    assert filled.update_collection_metadata(made.slug, title="Another").title == "Another"
    assert filled.get_collection(made.slug).items[0].note == "another"
    with pytest.raises(HfHubHTTPError):
        hub.api(token=hub.add_user("stranger")).get_collection(made.slug)
    filled.delete_collection_item(made.slug, item.item_object_id)
    filled.delete_collection(made.slug)
    assert hub.contents.collections == {}
