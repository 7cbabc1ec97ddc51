"""Scoring that was stopped goes on where it was, to the very same sums; what was kept of something else, or is broken, is not used."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small_windows import choose, num_bytes_by_id, random_split, tiny_model

from hf_ctxscale.scoring import resuming
from hf_ctxscale.scoring.ablation import ablate_context
from hf_ctxscale.scoring.resuming import Kept, forget_kept
from hf_ctxscale.scoring.score_model import score_windows
from hf_ctxscale.scoring.token_losses import TokenLosses

CONTEXT = 16
SPLIT = random_split([60, 45, 90, 52, 38, 75])
WINDOWS = choose("within", SPLIT, CONTEXT)
ARRAYS = ("num_blocks", "num_tokens", "num_bytes", "loss_sum_nats")


class _StoppedError(Exception):
    pass


class _Calls:
    """Counts a model's forward passes, and stops before one of them."""

    def __init__(self, model, *, stop_at=None):
        self.num, self._stop_at = 0, stop_at
        model.register_forward_pre_hook(self._count)

    def _count(self, module, args):
        if self.num == self._stop_at:
            raise _StoppedError
        self.num += 1


@pytest.fixture(autouse=True)
def _save_after_every_unit(monkeypatch):
    monkeypatch.setattr(resuming, "SECONDS_BETWEEN_SAVES", -1.0)
    monkeypatch.setattr(resuming, "SHARE_OF_SAVING", np.inf)


def _score(kept, *, stop_at=None):
    """Losses by position and by bytes, and how many forward passes they took."""
    model = tiny_model("gpt2", n_positions=CONTEXT)
    calls = _Calls(model, stop_at=stop_at)
    given = {"documents": SPLIT.documents, "num_bytes_by_id": num_bytes_by_id(), "batch_blocks": 2, "kept": kept}
    return score_windows(TokenLosses(model), WINDOWS, **given), calls.num


def _ablate(kept, *, stop_at=None, min_rounds=3):
    model = tiny_model("gpt2", n_positions=CONTEXT)
    calls = _Calls(model, stop_at=stop_at)
    given = {"documents": SPLIT.documents, "num_bytes_by_id": num_bytes_by_id(), "batch_blocks": 2, "kept": kept}
    return ablate_context(TokenLosses(model), WINDOWS, min_rounds=min_rounds, wanted_std_error_nats=np.inf, **given), calls.num


def _assert_same(one, other):
    assert one.documents == other.documents
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.fixture(scope="module")
def uninterrupted():
    return _score(None)


NUM_BATCHES = 7
FIRST_CALL = 3  # forward passes of the first batch: two of them compare two ways of computing losses


def test_a_score_stopped_at_any_batch_ends_with_the_same_sums(tmp_path, uninterrupted):
    expected, num_calls = uninterrupted
    assert len(WINDOWS) == 2 * NUM_BATCHES
    assert num_calls == NUM_BATCHES - 1 + FIRST_CALL
    for stop_at in (0, 1, 2, 3, 6, num_calls - 1):
        kept = Kept(tmp_path, f"stop{stop_at}", "the same")
        with pytest.raises(_StoppedError):
            _score(kept, stop_at=stop_at)
        done = max(stop_at - FIRST_CALL + 1, 0)
        resumed, calls = _score(kept)
        assert calls == NUM_BATCHES - done - 1 + FIRST_CALL
        for one, other in zip(resumed, expected, strict=True):
            _assert_same(one, other)


def test_a_score_may_be_stopped_again_and_again(tmp_path, uninterrupted):
    kept = Kept(tmp_path, "score", "the same")
    for _ in range(NUM_BATCHES - 1):
        with pytest.raises(_StoppedError):
            _score(kept, stop_at=FIRST_CALL)
    resumed, calls = _score(kept)
    assert calls == FIRST_CALL
    for one, other in zip(resumed, uninterrupted[0], strict=True):
        _assert_same(one, other)


def test_a_finished_part_is_not_done_again(tmp_path, uninterrupted):
    kept = Kept(tmp_path, "score", "the same")
    _score(kept)
    again, calls = _score(kept)
    assert calls == 0
    _assert_same(again.by_bytes, uninterrupted[0].by_bytes)


def test_what_is_kept_of_another_identity_is_not_used(tmp_path, uninterrupted):
    with pytest.raises(_StoppedError):
        _score(Kept(tmp_path, "score", "other weights"), stop_at=6)
    [file] = tmp_path.iterdir()
    assert file.name == ".score-0of1.npz"
    resumed, calls = _score(Kept(tmp_path, "score", "these weights"))
    assert calls == uninterrupted[1]
    _assert_same(resumed.by_position, uninterrupted[0].by_position)


def test_sums_of_another_width_are_not_used(tmp_path, uninterrupted):
    """Such as those of a version with other bins of bytes."""
    kept = Kept(tmp_path, "score", "the same")
    order = {"order": ["d0"], "kept": kept}
    resuming.sum_units(1, widths={"positions": CONTEXT, "bytes": 3}, do_unit=lambda unit, sums: None, **order)
    resumed, calls = _score(kept)
    assert calls == uninterrupted[1]
    _assert_same(resumed.by_bytes, uninterrupted[0].by_bytes)


BROKEN = {
    "empty": lambda whole: b"",
    "cut off": lambda whole: whole[: len(whole) // 2],
    "cut off at its end": lambda whole: whole[:-10],
    "zeros": lambda whole: bytes(len(whole)),
    "text": lambda whole: b"not an archive",
    "damaged inside": lambda whole: whole[:200] + bytes(64) + whole[264:],
}


@pytest.mark.parametrize("damage", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_not_used_and_written_anew(damage, tmp_path, uninterrupted):
    kept = Kept(tmp_path, "score", "the same")
    with pytest.raises(_StoppedError):
        _score(kept, stop_at=6)
    [file] = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    resumed, calls = _score(kept)
    assert calls == uninterrupted[1]
    _assert_same(resumed.by_position, uninterrupted[0].by_position)
    assert _score(kept)[1] == 0


def test_nothing_is_kept_where_nothing_is_to_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _score(None)
    _ablate(None)
    assert list(tmp_path.rglob("*")) == []


def test_finished_rounds_of_an_ablation_are_not_repeated(tmp_path):
    expected, num_calls = _ablate(None)
    assert (expected.record.num_rounds, expected.record.max_rounds) == (2, 2)
    kept = Kept(tmp_path, "ablation", "the same")
    in_first_round = _ablate(None, min_rounds=1)[1]
    with pytest.raises(_StoppedError):
        _ablate(kept, stop_at=in_first_round)
    resumed, calls = _ablate(kept)
    checks = FIRST_CALL - 1
    assert calls == num_calls - in_first_round + checks
    assert resumed.record == expected.record
    _assert_same(resumed.losses, expected.losses)


def test_an_ablation_taken_further_does_only_the_rounds_that_are_missing(tmp_path):
    kept = Kept(tmp_path, "ablation", "the same")
    _, first = _ablate(kept, min_rounds=1)
    further, more = _ablate(kept)
    expected, num_calls = _ablate(None)
    assert first + more == num_calls + FIRST_CALL - 1
    assert further.record == expected.record
    _assert_same(further.losses, expected.losses)


def test_an_ablation_stopped_inside_a_round_ends_with_the_same_sums(tmp_path):
    expected, num_calls = _ablate(None)
    for stop_at in (4, num_calls // 2, num_calls - 1):
        kept = Kept(tmp_path, f"stop{stop_at}", "the same")
        with pytest.raises(_StoppedError):
            _ablate(kept, stop_at=stop_at)
        _assert_same(_ablate(kept)[0].losses, expected.losses)


def test_forgetting_removes_all_that_was_kept_and_nothing_else(tmp_path):
    _score(Kept(tmp_path, "score", "the same"))
    _ablate(Kept(tmp_path, "ablation", "the same"))
    (tmp_path / "..score-1of2.npz.abc123.tmp").touch()  # a kill while it was written
    (tmp_path / "losses.parquet").touch()
    forget_kept(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["losses.parquet"]


def test_documents_with_names_of_all_kinds_survive(tmp_path):
    names = ("a b", "", "ünï/cödé", "line\nbreak")
    kept = Kept(tmp_path, "names", "the same")

    def do_unit(unit, sums):
        if unit == 4:
            raise _StoppedError
        sums["all"].add([[1.0, 2.0]], documents=[names[unit]])

    with pytest.raises(_StoppedError):
        resuming.sum_units(5, widths={"all": 2}, do_unit=do_unit, order=names, kept=kept)
    losses = resuming.sum_units(4, widths={"all": 2}, do_unit=do_unit, order=names, kept=kept)["all"]
    assert losses.documents == names
    assert losses.loss_sum_nats.tolist() == [[1.0, 2.0]] * 4


def score_slowly(folder: Path) -> None:
    """What the process that is killed does: the same score, a tenth of a second for each batch."""
    resuming.SECONDS_BETWEEN_SAVES = -1.0
    model = tiny_model("gpt2", n_positions=CONTEXT)
    model.register_forward_pre_hook(lambda module, args: time.sleep(0.1))
    given = {"documents": SPLIT.documents, "num_bytes_by_id": num_bytes_by_id(), "batch_blocks": 2}
    score_windows(TokenLosses(model), WINDOWS, kept=Kept(folder, "score", "the same"), **given)


def test_a_process_that_is_killed_leaves_what_another_one_goes_on_from(tmp_path, uninterrupted):
    code = "import sys, pathlib, test_resuming; test_resuming.score_slowly(pathlib.Path(sys.argv[1]))"
    killed = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parent)
    file = tmp_path / ".score-0of1.npz"
    while not file.exists():
        assert killed.poll() is None
        time.sleep(0.01)
    time.sleep(0.2)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    with np.load(file) as arrays:
        done = int(arrays["done"])
    assert 1 <= done < NUM_BATCHES

    resumed, calls = _score(Kept(tmp_path, "score", "the same"))
    assert calls == NUM_BATCHES - done - 1 + FIRST_CALL
    for one, other in zip(resumed, uninterrupted[0], strict=True):
        _assert_same(one, other)
