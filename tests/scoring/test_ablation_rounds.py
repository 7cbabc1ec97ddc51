"""The ablation's rounds: which windows they take, and when they stop."""

import math
from itertools import pairwise

import numpy as np
import pytest
from ablation_oracle import ablate, assert_equal, by_loop
from small_windows import choose, random_split, tiny_model

from hf_ctxscale.scoring.ablation import _rounds

ROUNDS = 6  # of the documents of by_rounds


def _delete_one_error(losses, column):
    """Of L(column) - L(T), by leaving out one document after the other."""
    differences = losses.loss_sum_nats[:, column] - losses.loss_sum_nats[:, -1]
    counts = losses.num_tokens[:, 0]
    without = [np.delete(differences, row).sum() / np.delete(counts, row).sum() for row in range(len(counts))]
    return math.sqrt((len(without) - 1) * np.var(without))


@pytest.fixture(scope="module")
def by_rounds():
    """A split of documents with 1 to 12 windows, a model, and the ablations of 1, 2, ... rounds."""
    split, model = random_split([35, 52, 70, 71, 200, 190, 100, 110, 195, 34]), tiny_model("gpt2", n_positions=16)
    windows = choose("within", split, 16, max_windows_per_document=12)
    made = [ablate(model, windows, split, min_rounds=rounds, wanted_std_error_nats=math.inf) for rounds in range(1, ROUNDS + 1)]
    return split, model, windows, made


def test_rounds_take_every_window_once_and_about_as_many_each_as_there_are_documents(by_rounds):
    split, model, windows, made = by_rounds
    assert {ablation.record.max_rounds for ablation in made} == {ROUNDS} == {round(len(windows) / len(split.documents))}
    num_blocks = [int(ablation.losses.num_blocks.sum()) for ablation in made]
    assert all(abs(size - len(windows) / ROUNDS) < 1 for size in np.diff([0, *num_blocks]))
    for ablation in made:
        assert ablation.record.num_targets == 2 * ablation.losses.num_blocks.sum() == ablation.losses.num_tokens[:, 0].sum()
    assert_equal(made[-1].losses, by_loop(model, windows, made[-1].record.cuts), split.documents)


def test_later_rounds_add_to_the_targets_of_earlier_ones(by_rounds):
    *_, made = by_rounds
    for fewer, more in pairwise(made):
        blocks = dict(zip(more.losses.documents, more.losses.num_blocks, strict=True))
        assert all(blocks[document] >= num for document, num in zip(fewer.losses.documents, fewer.losses.num_blocks, strict=True))


def test_a_round_takes_from_each_document_its_share_and_prefers_no_place_in_it():
    lengths = [17 * 32 + 2] * 40 + [17 * 8 + 2] * 40
    split = random_split([length - length % 16 + 34 for length in lengths])
    windows = choose("within", split, 16, max_windows_per_document=32)
    for chosen in _rounds(windows):
        owners = windows.document_indices[chosen]
        per_document = np.bincount(owners, minlength=80)
        share = np.bincount(windows.document_indices, minlength=80) / len(_rounds(windows))
        assert np.abs(per_document - share).max() < 2
        first = np.searchsorted(windows.document_indices, owners)
        place = (chosen - first + 0.5) / np.bincount(windows.document_indices)[owners]
        assert place.mean() == pytest.approx(0.5, abs=0.06)


def test_the_standard_error_is_that_of_the_gain_over_documents(by_rounds):
    *_, made = by_rounds
    for ablation in made:
        # 8 is the largest cut below T = 16, as 128 is of a longer context.
        column = [cut.context_tokens for cut in ablation.record.cuts].index(8)
        assert ablation.record.std_error_nats == pytest.approx(_delete_one_error(ablation.losses, column), rel=1e-9)


def test_the_standard_error_of_a_long_context_is_that_of_128_tokens():
    split = random_split([1030] * 3)
    model = tiny_model("ctxscale_lstm")
    ablation = ablate(model, choose("start", split, 512), split)
    column = [cut.context_tokens for cut in ablation.record.cuts].index(128)
    assert ablation.record.cuts[column + 1].context_tokens == 256
    assert ablation.record.std_error_nats == pytest.approx(_delete_one_error(ablation.losses, column), rel=1e-9)


def test_rounds_stop_when_the_error_is_small_enough_and_not_before(by_rounds):
    split, model, windows, made = by_rounds
    errors = [ablation.record.std_error_nats for ablation in made]
    for wanted in (*errors, max(errors) * 1.01, min(errors) * 0.99):
        for at_least in (1, 3):
            expected = next((rounds for rounds in range(at_least, ROUNDS + 1) if errors[rounds - 1] <= wanted), ROUNDS)
            record = ablate(model, windows, split, wanted_std_error_nats=wanted, min_rounds=at_least).record
            assert (record.num_rounds, record.std_error_nats) == (expected, errors[expected - 1])
    assert ablate(model, windows, split, wanted_std_error_nats=math.inf, min_rounds=99).record.num_rounds == ROUNDS


def test_a_single_document_gives_no_error_and_takes_all_its_windows():
    split = random_split([90])
    record = ablate(tiny_model("gpt2"), choose("within", split, 16, max_windows_per_document=4), split, wanted_std_error_nats=1.0).record
    assert (record.num_rounds, record.max_rounds, record.std_error_nats) == (4, 4, None)


def test_what_is_shown_adds_up_over_the_rounds(by_rounds):
    split, model, windows, _ = by_rounds
    seen = []
    ablate(model, windows, split, min_rounds=2, wanted_std_error_nats=math.inf, show=lambda *progress: seen.append(progress))
    for number in (1, 2):
        done = [(now, total) for what, now, total in seen if what == f"round {number} of at most {ROUNDS}"]
        assert [now for now, _ in done] == list(range(done[-1][1] + 1))
    assert len({what for what, _, _ in seen}) == 2
