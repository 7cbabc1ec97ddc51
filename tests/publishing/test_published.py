"""What is noted of pushes: one file, by endpoint, type and id, which two commands at once may write."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from huggingface_hub import constants

from hf_ctxscale.publishing.published import last_published, published_file, remember_published

HERE = {"repo_type": "model", "endpoint": "https://hub.example"}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty HF_HOME."""
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path))


def test_nothing_is_known_before_anything_was_pushed():
    assert last_published("me/small", **HERE) is None
    assert not published_file().exists()


def test_a_commit_is_known_for_its_endpoint_type_and_id_alone():
    remember_published("me/small", **HERE, commit="a" * 40)
    remember_published("me/small", repo_type="dataset", endpoint="https://hub.example", commit="b" * 40)
    assert last_published("me/small", **HERE) == "a" * 40
    assert last_published("me/large", **HERE) is None
    assert last_published("me/small", repo_type="model", endpoint="https://other.example") is None
    remember_published("me/small", **HERE, commit="c" * 40)
    assert last_published("me/small", **HERE) == "c" * 40
    assert last_published("me/small", repo_type="dataset", endpoint="https://hub.example") == "b" * 40


@pytest.mark.parametrize("text", ["", "{", "[]", '{"https://hub.example": []}', '{"https://hub.example": {"model": 3}}'])
def test_a_broken_file_says_nothing_and_is_written_anew(text):
    published_file().parent.mkdir(parents=True)
    published_file().write_text(text)
    assert last_published("me/small", **HERE) is None
    remember_published("me/small", **HERE, commit="a" * 40)
    assert json.loads(published_file().read_text())["https://hub.example"] == {"model": {"me/small": "a" * 40}}


def test_pushes_at_once_drop_nothing():
    names = [f"me/run-{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: remember_published(name, **HERE, commit="a" * 40), names))
    assert [last_published(name, **HERE) for name in names] == ["a" * 40] * len(names)
