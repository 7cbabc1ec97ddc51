"""Library: visitors' studies are opened by keys that nobody can guess, and go with their folders when they are dropped or old."""

import threading

import pytest

from hf_ctxscale.app.opened import KEPT_SECONDS, MOST_OWN, Library
from hf_ctxscale.study import Study, UserError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def own_library(tmp_path, clock):
    return Library(Study(tmp_path / "shipped"), name="shipped", clock=clock)


def made_folder(path):
    path.mkdir()
    (path / "table.csv").write_text("N,loss\n")
    return Study(path)


def test_visitors_study_is_opened_by_its_key_alone(own_library, tmp_path):
    first = own_library.add(made_folder(tmp_path / "a"), name="a")
    second = own_library.add(made_folder(tmp_path / "b"), name="b")
    assert own_library.open(first).name == "a"
    assert own_library.open(second).name == "b"
    assert own_library.open(first).own
    assert not own_library.open(Library.SHIPPED).own
    assert len(first) >= 20
    assert first != second


def test_dropped_study_is_gone_with_its_folder(own_library, tmp_path):
    study = made_folder(tmp_path / "a")
    key = own_library.add(study, name="a")
    own_library.drop(key)
    assert not study.folder.exists()
    with pytest.raises(UserError, match=r"no longer here.*Your results"):
        own_library.open(key)
    own_library.drop(key)


def test_shipped_study_cannot_be_dropped(own_library, tmp_path):
    folder = made_folder(tmp_path / "shipped").folder
    own_library.drop(Library.SHIPPED)
    assert folder.is_dir()
    assert own_library.open(Library.SHIPPED).name == "shipped"


def test_study_that_nobody_looks_at_goes_after_an_hour_and_one_that_is_looked_at_stays(own_library, clock, tmp_path):
    looked_at, left = (own_library.add(made_folder(tmp_path / name), name=name) for name in "ab")
    clock.now = KEPT_SECONDS - 1
    own_library.open(looked_at)
    clock.now = KEPT_SECONDS + 1
    own_library.open(Library.SHIPPED)
    own_library.open(looked_at)
    with pytest.raises(UserError):
        own_library.open(left)
    assert not (tmp_path / "b").exists()
    assert (tmp_path / "a").exists()


def test_beyond_the_most_that_are_kept_the_one_looked_at_longest_ago_goes(own_library, clock, tmp_path):
    keys = []
    for number in range(MOST_OWN):
        clock.now += 1
        keys.append(own_library.add(made_folder(tmp_path / str(number)), name=str(number)))
    clock.now += 1
    own_library.open(keys[0])
    clock.now += 1
    own_library.add(made_folder(tmp_path / "one more"), name="one more")
    assert own_library.open(keys[0]).name == "0"
    assert not (tmp_path / "1").exists()
    assert len([folder for folder in tmp_path.iterdir() if folder.is_dir()]) == MOST_OWN


def test_many_visitors_at_once_each_get_their_own_study(own_library, tmp_path):
    found = {}

    def visit(number: int) -> None:
        key = own_library.add(made_folder(tmp_path / str(number)), name=str(number))
        found[number] = own_library.open(key).name

    visitors = [threading.Thread(target=visit, args=(number,)) for number in range(MOST_OWN)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert found == {number: str(number) for number in range(MOST_OWN)}


def test_files_of_a_study_are_read_once(shipped):
    assert shipped.sources is shipped.sources
    assert shipped.runs is shipped.runs
    assert shipped.has_runs
    assert set(shipped.records) == {row["run_id"] for row in shipped.sources.runs}


def test_numbers_from_elsewhere_have_no_runs(tmp_path):
    study = Study(tmp_path / "given")
    study.folder.mkdir()
    study.table_file.write_text("N,loss\n1,2\n")
    opened = Library(study, name="given").open(Library.SHIPPED)
    assert not opened.has_runs
    assert opened.runs.num_rows == opened.positions.num_rows == 0
