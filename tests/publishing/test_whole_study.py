"""A whole study against the stand-in for the Hub: models, results, Space and collection, resumed after a failure."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from hf_ctxscale.publishing.upload import Upload
from hf_ctxscale.publishing.whole_study import PublishedStudy, publish_study, study_uploads
from hf_ctxscale.study import StageError, Study, UserError
from tests.hub_stand_in import HubStandIn


@pytest.fixture(scope="module")
def study(finished) -> Study:
    return finished[1]


@pytest.fixture(scope="module")
def uploads(study: Study) -> tuple[Upload, ...]:
    return study_uploads(study, repo_id="me/tiny")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    with HubStandIn() as hub:
        monkeypatch.setenv("HF_TOKEN", hub.token)
        monkeypatch.setattr(constants, "HF_HOME", str(tmp_path))
        yield hub
        assert hub.unanswered == []


def publish(uploads: tuple[Upload, ...], hub: HubStandIn, **options) -> PublishedStudy:
    return publish_study(uploads, title="tiny", endpoint=hub.url, **options)


def items(hub: HubStandIn, published: PublishedStudy) -> list[tuple[str, str, str | None]]:
    collection = hub.api().get_collection(published.collection.partition("/collections/")[2])
    return [(item.item_type, item.item_id, item.note) for item in collection.items]


def test_a_study_becomes_its_models_its_results_and_a_space_that_names_them(study: Study, uploads: tuple[Upload, ...]) -> None:
    runs = [run.run_id for run in study.run_records()]
    assert [(upload.repo_type, upload.repo_id) for upload in uploads] == [
        *(("model", f"me/tiny-{run_id}") for run_id in runs),
        ("dataset", "me/tiny-results"),
        ("space", "me/tiny"),
    ]
    card = uploads[-1].files["README.md"].decode()
    for upload in uploads[:-1]:
        assert f"- {upload.repo_id}\n" in card


def test_only_the_runs_that_are_asked_for_are_published(study: Study) -> None:
    first, second = (run.run_id for run in study.run_records())
    chosen = study_uploads(study, repo_id="me/tiny", runs=[second])
    assert [upload.repo_id for upload in chosen] == [f"me/tiny-{second}", "me/tiny-results", "me/tiny"]
    with pytest.raises(UserError, match=f"has no run '{first[:-1]}'; did you mean '{first}'\\? Its runs: {first}, {second}"):
        study_uploads(study, repo_id="me/tiny", runs=[first[:-1]])


def test_a_prefix_that_is_too_long_is_refused_before_anything_is_made(study: Study) -> None:
    with pytest.raises(UserError, match="is no repository on the Hub; give OWNER/NAME"):
        study_uploads(study, repo_id=f"me/{'x' * 90}")


def test_everything_is_pushed_privately_and_tied_in_a_collection(hub: HubStandIn, uploads: tuple[Upload, ...]) -> None:
    published = publish(uploads, hub)
    assert [pushed.changed for _, pushed in published.repositories] == [True] * len(uploads)
    for upload in uploads:
        assert hub.repository(upload.repo_id, upload.repo_type).private
        assert set(upload.files) <= set(hub.files(upload.repo_id, upload.repo_type))
    assert items(hub, published) == [(upload.repo_type, upload.repo_id, upload.message) for upload in uploads]


def test_the_same_command_again_changes_nothing(hub: HubStandIn, uploads: tuple[Upload, ...]) -> None:
    first, again = publish(uploads, hub), publish(uploads, hub)
    assert [pushed.changed for _, pushed in again.repositories] == [False] * len(uploads)
    assert again.collection == first.collection
    assert items(hub, again) == items(hub, first)


def test_a_failure_says_what_was_done_and_the_next_try_goes_on(hub: HubStandIn, uploads: tuple[Upload, ...]) -> None:
    first, second, *_ = uploads
    hub.fail(f"POST .*{second.repo_id}/commit/main", status=403)
    with pytest.raises(UserError, match="this token may not write") as refused:
        publish(uploads, hub)
    assert f"Done before: {hub.url}/{first.repo_id}. The same command again skips what is done." in str(refused.value)
    assert hub.token not in str(refused.value)
    published = publish(uploads, hub)
    assert [pushed.changed for _, pushed in published.repositories] == [False] + [True] * (len(uploads) - 1)
    assert len(items(hub, published)) == len(uploads)


def test_a_collection_that_was_half_filled_is_filled_up(hub: HubStandIn, uploads: tuple[Upload, ...]) -> None:
    hub.fail("POST /api/collections/.*/items", status=400, skip=2)
    with pytest.raises(StageError, match="Done before: ") as broken:
        publish(uploads, hub)
    assert all(upload.repo_id in str(broken.value) for upload in uploads)
    published = publish(uploads, hub)
    assert items(hub, published) == [(upload.repo_type, upload.repo_id, upload.message) for upload in uploads]


def test_a_lost_answer_while_an_item_is_added_adds_it_once(hub: HubStandIn, uploads: tuple[Upload, ...]) -> None:
    hub.fail("POST /api/collections/.*/items", cut="answer")
    assert len(items(hub, publish(uploads, hub))) == len(uploads)
