"""push against the stand-in: one commit, nobody's change overwritten, faults of the Hub and of the way to it."""

import json
import re
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import _http as client_waits

from hf_ctxscale.publishing import connection
from hf_ctxscale.publishing.published import last_published, published_file
from hf_ctxscale.publishing.upload import Pushed, Upload, push
from hf_ctxscale.study import StageError, UserError
from tests.hub_stand_in import HubStandIn

ID = "me/small"
CARD = b"---\nlicense: apache-2.0\nsdk: gradio\n---\n\n# small\n"
COMMIT = "POST .*/commit/main"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A stand-in, and this process logged in to it; waits take no time."""
    with HubStandIn() as hub:
        monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "hf_home"))
        monkeypatch.setenv("HF_TOKEN", hub.token)
        monkeypatch.setattr(connection.time, "sleep", hub_waits.append)
        monkeypatch.setattr(client_waits.time, "sleep", hub_waits.append)
        hub_waits.clear()
        yield hub


hub_waits: list[float] = []


def upload_of(repo_type: str = "model", **files: bytes) -> Upload:
    """A card, a small file, and one that the Hub stores as a large one; ``files`` name others, dots as two underscores."""
    named = {name.replace("__", "."): content for name, content in files.items()}
    contents = {"README.md": CARD, "deep/settings.json": b"{}\n", "model.safetensors": bytes(range(256)) * 64}
    return Upload(ID, repo_type, contents | named, "Upload small", "gradio" if repo_type == "space" else None)


def pushed_to(hub: HubStandIn, upload: Upload, **options) -> tuple[Pushed, list[str]]:
    lines: list[str] = []
    return push(upload, endpoint=hub.url, show=lines.append, **options), lines


def held(hub: HubStandIn, repo_type: str = "model") -> dict[str, bytes]:
    return {path: content for path, content in hub.files(ID, repo_type).items() if path != ".gitattributes"}


def count(hub: HubStandIn, pattern: str) -> int:
    return sum(bool(re.search(pattern, f"{method} {path}")) for method, path in hub.requests)


@pytest.mark.parametrize(("repo_type", "prefix"), [("model", ""), ("dataset", "datasets/"), ("space", "spaces/")])
def test_a_new_repository_is_private_and_gets_everything_in_one_commit(hub, repo_type, prefix):
    upload = upload_of(repo_type)
    pushed, lines = pushed_to(hub, upload)
    assert held(hub, repo_type) == dict(upload.files)
    assert hub.repository(ID, repo_type).private
    assert len(hub.commits(ID, repo_type)) == 2  # the Hub's own first one
    assert pushed == Pushed(f"{hub.url}/{prefix}{ID}", hub.commits(ID, repo_type)[0].id, changed=True)
    assert lines == [f"new {repo_type} repository, private: {pushed.url}"]
    assert not hub.unanswered


def test_public_makes_a_new_repository_public(hub):
    _, lines = pushed_to(hub, upload_of(), public=True)
    assert not hub.repository(ID).private
    assert lines == [f"new model repository, public: {hub.url}/{ID}"]


def test_files_are_taken_from_the_disk_too(hub, tmp_path):
    (tmp_path / "weights").write_bytes(b"\0\1" * 5000)
    pushed_to(hub, upload_of(model__safetensors=tmp_path / "weights"))
    assert held(hub)["model.safetensors"] == b"\0\1" * 5000
    assert not pushed_to(hub, upload_of(model__safetensors=tmp_path / "weights"))[0].changed


def test_the_same_upload_again_changes_nothing(hub):
    first, _ = pushed_to(hub, upload_of())
    hub.requests.clear()
    again, _ = pushed_to(hub, upload_of())
    assert again == Pushed(first.url, first.commit, changed=False)
    assert not count(hub, "POST|PUT|DELETE")


def test_a_later_upload_changes_and_deletes_files_in_one_commit(hub):
    first = upload_of(old__json=b"{}", notes__txt=b"some")
    pushed_to(hub, first)
    later = upload_of(model__safetensors=b"\5" * 999)
    pushed, _ = pushed_to(hub, later)
    assert pushed.changed
    assert held(hub) == dict(later.files)
    assert len(hub.commits(ID)) == 3
    assert ".gitattributes" in hub.files(ID)


@pytest.mark.parametrize("change", [{"README.md": b"# theirs"}, {"theirs.txt": b"1"}, {"deep/settings.json": None}])
def test_what_somebody_else_changed_is_refused_until_overwrite_is_given(hub, change):
    pushed_to(hub, upload_of())
    theirs = hub.add_commit(ID, change)
    before = hub.files(ID)
    with pytest.raises(
        UserError, match=rf"{hub.url}/{ID} has commits that came after the last one pushed from here \(newest: {theirs.id[:7]}\)"
    ) as told:
        pushed_to(hub, upload_of(new__txt=b"1"))
    assert "--overwrite replaces its files by these" in str(told.value)
    assert hub.files(ID) == before
    later = upload_of(new__txt=b"1")
    pushed_to(hub, later, overwrite=True)
    assert held(hub) == dict(later.files)
    assert theirs.id in [commit.id for commit in hub.commits(ID)]


def test_a_repository_that_was_not_pushed_from_here_is_refused(hub):
    hub.add_commit(ID, {"theirs.txt": b"1"})
    with pytest.raises(UserError, match="holds commits that were not pushed from here"):
        pushed_to(hub, upload_of())
    assert held(hub).keys() == {"theirs.txt"}


def test_a_repository_with_the_same_content_is_taken_as_ones_own(hub):
    hub.add_commit(ID, dict(upload_of().files))
    pushed, _ = pushed_to(hub, upload_of())
    assert not pushed.changed
    pushed_to(hub, upload_of(new__txt=b"1"))
    assert "new.txt" in held(hub)


def test_a_repository_that_holds_only_what_its_creation_made_is_filled(hub):
    hub.api().create_repo(ID, private=True)
    assert pushed_to(hub, upload_of())[0].changed


def test_a_card_that_somebody_wrote_into_an_empty_repository_is_not_overwritten(hub):
    hub.add_commit(ID, {"README.md": b"# theirs, written by hand"})
    with pytest.raises(UserError, match="--overwrite"):
        pushed_to(hub, upload_of())


def test_a_public_repository_stays_public_and_this_is_said(hub):
    pushed_to(hub, upload_of(), public=True)
    _, lines = pushed_to(hub, upload_of(new__txt=b"1"))
    assert lines == [f"{hub.url}/{ID} is public and stays so: everybody sees what is pushed"]
    assert not hub.repository(ID).private


def test_a_private_repository_is_not_made_public_and_the_way_is_said(hub):
    pushed_to(hub, upload_of())
    _, lines = pushed_to(hub, upload_of(new__txt=b"1"), public=True)
    assert lines == [
        f"{hub.url}/{ID} is private and stays so, since --public is for new repositories; `hf repos settings {ID} --type model --public` makes it public"
    ]
    assert hub.repository(ID).private


def test_nothing_is_pushed_where_a_new_repository_came_out_public(hub, monkeypatch):
    create = connection.HfApi.create_repo
    monkeypatch.setattr(connection.HfApi, "create_repo", lambda api, *given, **named: create(api, *given, **named | {"private": False}))
    with pytest.raises(
        UserError, match=f"was to be private and is public, so nothing was pushed; `hf repos settings {ID} --type model --private`"
    ):
        pushed_to(hub, upload_of())
    assert len(hub.commits(ID)) == 1


def test_a_repository_without_any_commit_is_a_sentence(hub, monkeypatch):
    look = connection.HfApi.repo_info

    def without_commit(api, *given, **named):
        info = look(api, *given, **named)
        info.sha = None
        return info

    hub.api().create_repo(ID, private=True)
    monkeypatch.setattr(connection.HfApi, "repo_info", without_commit)
    with pytest.raises(UserError, match="has no commit at all"):
        pushed_to(hub, upload_of())


@pytest.mark.parametrize("kind", [RuntimeError, OSError, ValueError])
def test_whatever_breaks_an_upload_is_said_without_the_token(hub, monkeypatch, kind):
    def breaks(api, *given, **named):
        raise kind(f"the data did not pass with {hub.token}")

    monkeypatch.setattr(connection.HfApi, "create_commit", breaks)
    with pytest.raises(StageError, match=rf"{ID} was not written: the data did not pass with hf_\*\*\*\.$"):
        pushed_to(hub, upload_of())


def test_a_commit_in_between_is_neither_overwritten_nor_lost(hub, monkeypatch):
    pushed_to(hub, upload_of())
    send = connection.HfApi.create_commit

    def after_somebody_else(api, *given, **named):
        hub.add_commit(ID, {"theirs.txt": b"1"})
        return send(api, *given, **named)

    monkeypatch.setattr(connection.HfApi, "create_commit", after_somebody_else)
    with pytest.raises(UserError, match="changed by somebody else during the upload, and their change was not overwritten"):
        pushed_to(hub, upload_of(new__txt=b"1"))
    assert "theirs.txt" in held(hub)
    assert "new.txt" not in held(hub)


@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_a_hub_that_is_busy_for_a_while_is_waited_for(hub, status):
    hub.fail(COMMIT, status=status, times=2)
    pushed, lines = pushed_to(hub, upload_of())
    assert pushed.changed
    assert held(hub) == dict(upload_of().files)
    assert [line for line in lines if "again" in line] == [f"the Hub answered {status}; trying again in {wait} s" for wait in (1, 2)]


@pytest.mark.parametrize(
    "path", ["POST /api/repos/create", "GET /api/models/", "POST /api/validate-yaml", "POST .*preupload", "POST .*info/lfs", "PUT "]
)
@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 429, "retry_after": 3}, {"cut": "before"}, {"cut": "after"}, {"cut": "answer"}]
)
def test_a_fault_at_any_request_is_got_over(hub, path, fault):
    hub.fail(path, **fault)
    pushed, _ = pushed_to(hub, upload_of())
    assert held(hub) == dict(upload_of().files)
    assert len(hub.commits(ID)) == 2
    assert pushed.commit == hub.commits(ID)[0].id
    assert not any(fault.times for fault in hub.faults.ordered)


@pytest.mark.parametrize("cut", ["request", "before", "after", "answer"])
def test_a_commit_whose_answer_is_lost_is_made_once(hub, cut):
    hub.fail(COMMIT, cut=cut)
    pushed, _ = pushed_to(hub, upload_of())
    assert held(hub) == dict(upload_of().files)
    assert [commit.title for commit in hub.commits(ID)].count("Upload small") == 1
    assert pushed.commit == hub.commits(ID)[0].id == last_published(ID, repo_type="model", endpoint=hub.url)


def test_the_hubs_own_wait_is_kept(hub):
    hub.fail(COMMIT, status=429, retry_after=40)
    pushed_to(hub, upload_of())
    assert 40 in hub_waits


def test_a_hub_that_asks_for_too_long_a_wait_is_not_waited_for(hub):
    hub.fail(COMMIT, status=429, retry_after=7200)
    with pytest.raises(StageError, match=r"too many requests and asks to wait 7200 s .* Repeat the same command later"):
        pushed_to(hub, upload_of())
    assert not hub_waits


@pytest.mark.parametrize("fault", [{"status": 500}, {"cut": "before"}])
def test_a_hub_that_stays_broken_ends_in_a_sentence_and_the_same_push_later_does_the_rest(hub, fault):
    hub.fail(COMMIT, times=connection.TRIES, **fault)
    with pytest.raises(StageError, match="Repeat the same command later"):
        pushed_to(hub, upload_of())
    assert len(hub.commits(ID)) == 1
    assert pushed_to(hub, upload_of())[0].changed
    assert held(hub) == dict(upload_of().files)


def test_no_token_is_said_with_the_way_to_one(hub, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"no Hugging Face token was found.*`hf auth login`, or set HF_TOKEN"):
        pushed_to(hub, upload_of())
    assert not hub.requests


def test_a_token_that_the_hub_does_not_know_is_said_and_not_shown(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_unknown_token_of_mine")
    with pytest.raises(UserError, match=r"token.*`hf auth login`|`hf auth whoami`") as told:
        pushed_to(hub, upload_of())
    assert "hf_unknown" not in str(told.value)


def test_a_token_that_only_reads_may_not_write(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.add_user("reader", role="read"))
    with pytest.raises(UserError, match="this token may not write to"):
        push(Upload("reader/small", "model", {"a.txt": b"1"}, "m"), endpoint=hub.url)


def test_another_owner_is_refused_with_who_one_is(hub):
    with pytest.raises(UserError, match=r"this token may not write to .*/other/small .*`hf auth whoami`"):
        push(Upload("other/small", "model", {"a.txt": b"1"}, "m"), endpoint=hub.url)


def test_no_network_is_a_sentence(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_some_token")
    monkeypatch.setattr(connection.time, "sleep", lambda seconds: None)
    with HubStandIn() as gone:
        url = gone.url
    with pytest.raises(StageError, match=f"{url} cannot be reached for {url}/{ID} .*is there a network"):
        push(upload_of(), endpoint=url)


@pytest.mark.parametrize(
    "repo_id", ["small", "me/small/model", "me/sm all", "me/-small", "../small", "me/a--b", "me/a.git", "", "me/" + "x" * 97]
)
def test_a_malformed_id_is_refused_before_anything_is_asked(hub, repo_id):
    with pytest.raises(UserError, match="is no repository on the Hub; give OWNER/NAME"):
        push(Upload(repo_id, "model", {"a.txt": b"1"}, "m"), endpoint=hub.url)
    assert not hub.requests


def test_the_token_stands_in_no_error_line_or_file(hub, tmp_path):
    hub.fail("POST /api/repos/create", status=400, message=f"bad header Bearer {hub.token} and hf_abcdefghijklmnop")
    with pytest.raises(StageError) as told:
        pushed_to(hub, upload_of())
    assert "Bearer *** and hf_***" in str(told.value)
    assert told.value.__suppress_context__
    _, lines = pushed_to(hub, upload_of())
    assert not any(hub.token in line for line in lines)
    assert not any(hub.token.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not any(hub.token.encode() in content for content in hub.files(ID).values())


def test_what_was_pushed_is_noted_by_endpoint_type_and_id(hub):
    pushed, _ = pushed_to(hub, upload_of())
    assert json.loads(published_file().read_text()) == {hub.url: {"model": {ID: pushed.commit}}}


def test_a_note_that_cannot_be_written_does_not_fail_the_push(hub, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "file"))
    pushed, lines = pushed_to(hub, upload_of())
    assert pushed.changed
    assert "the next push of this repository will need --overwrite" in lines[-1]


def test_sizes_are_those_of_the_files_in_order(tmp_path):
    (tmp_path / "b").write_bytes(b"12345")
    upload = Upload(ID, "model", {"z.bin": b"123", "a.bin": Path(tmp_path / "b")}, "m")
    assert list(upload.sizes().items()) == [("a.bin", 5), ("z.bin", 3)]
