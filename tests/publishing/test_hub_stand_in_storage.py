"""Large files in the stand-in for the Hub: uploads, addresses that are signed, parts of a file."""

import hashlib

import huggingface_hub
import pytest
from huggingface_hub import HfApi

from tests.hub_stand_in import HubStandIn
from tests.publishing.filled_hub import FILES, added, fill


@pytest.fixture
def hub():
    with HubStandIn() as hub:
        yield hub


@pytest.fixture
def filled(hub) -> HfApi:
    return fill(hub)


def test_a_large_file_goes_through_the_storage_once_and_in_parts(hub, filled):
    assert hub.repository("me/tiny").branches["main"].files["model.safetensors"].lfs
    hub.contents.part_bytes = 1000
    content = bytes(range(251)) * 13
    hub.requests.clear()
    filled.create_commit("me/tiny", added({"big.bin": content}), commit_message="big")
    assert hub.files("me/tiny")["big.bin"] == content
    assert [method for method, path in hub.requests if path.startswith("/lfs-storage/")] == ["PUT"] * 4
    hub.requests.clear()
    filled.create_commit("me/tiny", added({"again.bin": content}), commit_message="the same again")
    assert hub.files("me/tiny")["again.bin"] == content
    assert [path for _, path in hub.requests if path.startswith("/lfs-storage/")] == []


def test_the_storage_wants_a_signed_address_and_no_token(hub, filled):
    known = {"authorization": f"Bearer {hub.token}"}
    head = huggingface_hub.get_session().head(f"{hub.url}/me/tiny/resolve/main/model.safetensors", headers=known, follow_redirects=False)
    assert (head.status_code, head.headers["X-Linked-Size"]) == (302, "10240")
    assert head.headers["X-Linked-Etag"] == f'"{hashlib.sha256(FILES["model.safetensors"]).hexdigest()}"'
    address = head.headers["Location"]
    get = huggingface_hub.get_session().get
    assert get(address).content == FILES["model.safetensors"]
    assert get(address, headers=known).status_code == 400
    assert get(address.replace("signature=", "signature=0")).status_code == 403


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=2-4", 206, slice(2, 5)),
        ("bytes=10200-", 206, slice(10200, None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=10240-", 416, slice(0)),
    ],
)
def test_a_part_of_a_file_is_answered_alone(asked, status, part, hub, filled):
    headers = {"authorization": f"Bearer {hub.token}", "range": asked}
    answer = huggingface_hub.get_session().get(f"{hub.url}/me/tiny/resolve/main/model.safetensors", headers=headers, follow_redirects=True)
    assert (answer.status_code, answer.content) == (status, FILES["model.safetensors"][part])
