"""A private model in the stand-in for the Hub, made by huggingface_hub; for the tests of the stand-in itself."""

import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from tests.hub_stand_in import HubStandIn

CARD = b"---\nlicense: mit\ntags: [tests]\n---\n# A card\n"
# A large file, a small text, a file in a folder: every way of sending one.
FILES = {"README.md": CARD, "model.safetensors": bytes(range(256)) * 40, "data/part one.txt": "naïve\n".encode(), "empty.txt": b""}


def added(files: dict[str, bytes]) -> list[CommitOperationAdd]:
    """What a commit takes to add files."""
    return [CommitOperationAdd(path, content) for path, content in files.items()]


def fill(hub: HubStandIn) -> HfApi:
    """Makes me/tiny, and gives the client that made it."""
    api = hub.api()
    api.create_repo("me/tiny", private=True)
    api.create_commit("me/tiny", added(FILES), commit_message="files")
    return api


def status_of(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    """The status that the client was answered."""
    return error.value.response.status_code
