"""YourResults and its tab: a visitor's study is opened for that visitor alone, replaced, and removed; files elsewhere cannot be had."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from given_results import CSV, REFERENCE, packed, write_small_study

from hf_ctxscale.app import your_results
from hf_ctxscale.app.opened import Library
from hf_ctxscale.app.received import PREFIX, Received
from hf_ctxscale.app.received_work import Task
from hf_ctxscale.app.settings import Limits, SpaceSettings
from hf_ctxscale.app.your_results import OpenedResults, YourResults
from hf_ctxscale.study import Study, UserError

MARKUP = "<img src=x onerror=alert(1)>"


def asker(session: str) -> Any:
    return SimpleNamespace(session_hash=session, client=None, headers={})


@pytest.fixture
def library() -> Library:
    return Library(REFERENCE, name="the shipped results")


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """What is given to `receive`, which is stood in for: it makes an empty folder."""
    given: list[Task] = []

    def stand_in(task: Task, *, seconds: float) -> Received:
        assert Path(task.given).is_file() or task.kind == "hub"
        given.append(task)
        folder = tmp_path / f"received-{len(given)}"
        folder.mkdir()
        return Received(Study(folder), ("A note.",))

    monkeypatch.setattr(your_results, "receive", stand_in)
    return given


def uploaded(tmp_path: Path, name: str = "mine.csv", content: str = CSV) -> str:
    path = tmp_path / name
    path.write_text(content)
    return str(path)


def test_a_visitor_has_one_study_and_it_goes_when_the_next_is_opened_or_the_visitor_leaves(
    library: Library, tmp_path: Path, tasks: list[Task]
) -> None:
    answers = YourResults(library, limits=Limits())
    first = answers.open_csv(uploaded(tmp_path), "", request=asker("a"))
    others = answers.open_csv(uploaded(tmp_path), "", request=asker("b"))
    assert first == OpenedResults(first.key, "mine.csv", ("A note.",))
    assert library.open(first.key).own
    second = answers.open_dataset("me/results", " main ", request=asker("a"))
    assert (tasks[-1].given, tasks[-1].revision, tasks[-1].megabytes) == ("me/results", "main", Limits().upload_megabytes)
    with pytest.raises(UserError, match="no longer here"):
        library.open(first.key)
    assert not (tmp_path / "received-1").exists()
    answers.forget(asker("a"))
    with pytest.raises(UserError, match="no longer here"):
        library.open(second.key)
    answers.forget(asker("a"))
    assert library.open(others.key).name == "mine.csv"


def test_a_study_whose_visitor_leaves_while_it_is_read_is_removed(
    library: Library, tmp_path: Path, tasks: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = YourResults(library, limits=Limits())
    stand_in = your_results.receive

    def leave_meanwhile(task: Task, *, seconds: float) -> Received:
        answers.forget(asker("a"))
        return stand_in(task, seconds=seconds)

    monkeypatch.setattr(your_results, "receive", leave_meanwhile)
    with pytest.raises(UserError, match=r"the page was left while 'mine\.csv' was being read"):
        answers.open_csv(uploaded(tmp_path), "", request=asker("a"))
    assert not (tmp_path / "received-1").exists()
    monkeypatch.setattr(your_results, "receive", stand_in)
    assert library.open(answers.open_csv(uploaded(tmp_path), "", request=asker("a")).key).own


def test_an_uploaded_file_is_gone_whether_it_could_be_read_or_not(
    library: Library, tmp_path: Path, tasks: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = YourResults(library, limits=Limits())
    given = uploaded(tmp_path)
    answers.open_csv(given, "", request=None)
    assert not Path(given).exists()

    def refuse(task: Task, *, seconds: float) -> Received:
        raise UserError("no")

    monkeypatch.setattr(your_results, "receive", refuse)
    with pytest.raises(UserError, match=r"^no$"):
        answers.open_zip(uploaded(tmp_path, "mine.zip"), request=None)
    assert not (tmp_path / "mine.zip").exists()
    with pytest.raises(UserError, match="no file was chosen, or it was removed already; choose it again"):
        answers.open_csv(given, "", request=None)


def test_limits_are_sentences(library: Library, tmp_path: Path, tasks: list[Task]) -> None:
    answers = YourResults(library, limits=Limits(uploads_per_minute=1, upload_megabytes=1))
    with pytest.raises(UserError, match=r"'big\.zip' has 1\.2 MB; at most 1 MB are read here\."):
        answers.open_zip(uploaded(tmp_path, "big.zip", "x" * 1_200_000), request=asker("a"))
    with pytest.raises(UserError, match="1 uploads a minute are allowed"):
        answers.open_csv(uploaded(tmp_path), "", request=asker("a"))
    with pytest.raises(UserError, match="no dataset was named"):
        answers.open_dataset(" ", "", request=asker("b"))
    with pytest.raises(UserError, match="that is no revision"):
        answers.open_dataset("me/results", "x" * 101, request=asker("b"))
    with pytest.raises(UserError, match="table and columns are given as text"):
        answers.fits_of({"path": "/etc/passwd"}, "", request=asker("b"))  # type: ignore[arg-type]
    assert not tasks


def test_a_name_is_cut_and_escaped_where_it_is_shown(library: Library, tmp_path: Path, tasks: list[Task]) -> None:
    from hf_ctxscale.app.your_results_tab import opened_words

    opened = YourResults(library, limits=Limits()).open_csv(uploaded(tmp_path, f"{'x' * 90}.csv"), "", request=None)
    assert opened.name == "x" * 80
    words = opened_words(OpenedResults("key", MARKUP, (MARKUP,)))
    assert "<img" not in words
    assert words.count("&lt;img") == 2


def test_fits_of_a_table_leave_nothing_behind(library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fits = YourResults(library, limits=Limits()).fits_of(CSV, "", request=None)
    assert fits["source"] == "table"
    assert fits["loss_vs_size"][0]["points"]
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The two tabs in an app that answers, and the key that each event leaves."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import gradio as gr

    from hf_ctxscale.app.read_along_tab import read_along_tab
    from hf_ctxscale.app.reading_models import ReadingModels
    from hf_ctxscale.app.screen import Screen
    from hf_ctxscale.app.shipped import shipped_checkpoints
    from hf_ctxscale.app.your_results_tab import your_results_tab

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("tmp")))
        with gr.Blocks() as app:
            key, screen = gr.State(Library.SHIPPED), gr.State(Screen())
            settings = SpaceSettings()
            read_along_tab(key=key, screen=screen, reading=ReadingModels(shipped_checkpoints(), limits=settings.limits), settings=settings)
            your_results_tab(Library(REFERENCE, name="shipped"), key=key, screen=screen, settings=settings)
        app.queue().launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", ssr_mode=False)
        yield app
        app.close()


def client_of(page: Any) -> Any:
    from gradio_client import Client

    return Client(page.local_url, verbose=False, analytics_enabled=False)


def test_programs_see_two_endpoints_and_get_plain_data(page: Any) -> None:
    client = client_of(page)
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {"/read_along", "/open_csv"}
    fits = client.predict(table=CSV, columns="", api_name="/open_csv")
    assert fits["loss_vs_size"][0]["form"]
    first = next(part.value for part in page.blocks.values() if getattr(part, "elem_id", "") == "read-along-model-1")
    read = client.predict(text="for item in items:", first=first, second="", short_context_tokens=4, api_name="/read_along")
    assert "".join(token["text"] for token in read["models"][0]["tokens"]) == "for item in items:"


def test_errors_reach_a_program_as_escaped_sentences(page: Any) -> None:
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError) as caught:
        client_of(page).predict(text="a b", first=MARKUP, second="", short_context_tokens=4, api_name="/read_along")
    assert "'&lt;img src=x onerror=alert(1)&gt;' is not among the models that can be read here" in str(caught.value)
    with pytest.raises(AppError) as caught:
        client_of(page).predict(table="a,b\n1,2\n", columns="", api_name="/open_csv")
    assert "the columns of the table are 'a', 'b'; expected are (N, loss)" in str(caught.value)


def test_files_of_this_machine_cannot_be_had_through_the_page(page: Any, tmp_path: Path) -> None:
    import httpx

    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        secret = folder / "study.yaml"
        secret.write_text("secret")
        for path in (secret, REFERENCE.config_file, Path(__file__), Path("/etc/passwd"), Path("/proc/self/environ")):
            for route in ("gradio_api/file=", "file=", "gradio_api/file/"):
                answer = httpx.get(f"{page.local_url}{route}{path}", follow_redirects=True, trust_env=False)
                assert answer.status_code in (403, 404), (route, path)
    finally:
        secret.unlink()
        folder.rmdir()


def pressed(page: Any, elem_id: str, path: str) -> bool:
    """Whether the event that reads a file component succeeds with a path that a program has written into it."""
    import httpx

    event = next(event for event in page.fns.values() if any(part.elem_id == elem_id for part in event.inputs))
    file = {"path": path, "orig_name": Path(path).name, "meta": {"_type": "gradio.FileData"}}
    body = {"data": [file if part.elem_id == elem_id else "" for part in event.inputs], "fn_index": event._id, "session_hash": "abc"}
    joined = httpx.post(f"{page.local_url}gradio_api/queue/join", json=body, trust_env=False, timeout=60)
    assert joined.status_code == 200, joined.text
    with httpx.stream("GET", f"{page.local_url}gradio_api/queue/data?session_hash=abc", trust_env=False, timeout=300) as stream:
        messages = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]
    return next(message for message in messages if message["msg"] == "process_completed")["success"]


@pytest.mark.parametrize("elem_id", ["your-results-csv", "your-results-zip"])
def test_a_file_that_was_uploaded_is_read_and_a_path_of_this_machine_is_not(page: Any, tmp_path: Path, elem_id: str) -> None:
    import httpx

    name = "mine.csv" if elem_id.endswith("csv") else "mine.zip"
    given = uploaded(tmp_path) if name == "mine.csv" else str(packed(write_small_study(tmp_path / "study").folder, to=tmp_path / name))
    assert not pressed(page, elem_id, given)
    assert Path(given).is_file()
    files = {"files": (name, Path(given).read_bytes())}
    (sent,) = httpx.post(f"{page.local_url}gradio_api/upload", files=files, trust_env=False, timeout=60).json()
    assert pressed(page, elem_id, sent)
    assert not Path(sent).exists()
