"""Packed blocks and within-document windows, against the slow obvious rules."""

from collections import Counter

import numpy as np
import pytest

from hf_ctxscale.data.blocks import NOT_SCORED, PackedBlocks, PackedWindows, StartWindows, WithinWindows
from hf_ctxscale.data.tokens import TokenSplit
from hf_ctxscale.study import UserError

END = 0


def split_of(lengths: list[int], *, names: list[str] | None = None) -> TokenSplit:
    """Documents of the given lengths whose tokens are all different and never the end-of-text token."""
    tokens, first_token, next_token = [], [], 1
    for length in lengths:
        first_token.append(len(tokens))
        tokens += [*range(next_token, next_token + length), END]
        next_token += length
    return TokenSplit(
        name="test",
        tokens=np.array(tokens, dtype=np.uint32),
        documents=tuple(names or [f"document {number}" for number in range(len(lengths))]),
        first_token=np.array(first_token, dtype=np.int64),
        num_tokens=np.array(lengths, dtype=np.int64),
        num_bytes=np.array(lengths, dtype=np.int64),
    )


def window_positions(windows: WithinWindows, split: TokenSplit) -> dict[str, list[int]]:
    """Where in its document each window's first input stands, by document."""
    positions: dict[str, list[int]] = {}
    for index in range(len(windows)):
        window = windows[index]
        document = int(window.document_T[0])
        begin = int(np.flatnonzero(split.tokens == window.block[0])[0]) - int(split.first_token[document])
        positions.setdefault(split.documents[document], []).append(begin)
    return positions


@pytest.mark.parametrize(("num_tokens", "context"), [(101, 10), (100, 10), (109, 10), (110, 10), (7, 6), (50, 1)])
def test_packed_blocks_make_every_token_but_the_first_a_target_exactly_once(num_tokens, context):
    split = split_of([num_tokens - 1])
    blocks = PackedBlocks(split, context)
    targets = [int(token) for index in range(len(blocks)) for token in blocks[index][1:]]
    used = num_tokens - blocks.num_tokens_left_out
    assert targets == split.tokens[1:used].tolist()
    assert 0 <= blocks.num_tokens_left_out < context


def test_a_packed_block_is_a_slice_of_the_stream_across_the_seam_between_documents():
    split = split_of([5, 3, 9])
    blocks = PackedBlocks(split, 4)
    expected = [split.tokens[start : start + 5].tolist() for start in (0, 4, 8, 12)]
    assert [blocks[index].tolist() for index in range(len(blocks))] == expected
    assert expected[1] == [5, END, 6, 7, 8]
    assert blocks.num_tokens_left_out == 20 - 1 - 16


def test_blocks_are_int64_and_leave_the_stream_alone():
    split = split_of([30])
    for block in (PackedBlocks(split, 4)[1], WithinWindows(split, 4, max_windows_per_document=9, seed=0)[0].block):
        assert type(block) is np.ndarray
        assert block.dtype == np.int64
        block[:] = 7
    assert split.tokens[:5].tolist() == [1, 2, 3, 4, 5]


def test_iterating_over_packed_blocks_ends():
    assert len(list(PackedBlocks(split_of([30]), 4))) == 7
    assert PackedBlocks(split_of([30]), 4)[-1].tolist() == PackedBlocks(split_of([30]), 4)[6].tolist()


def test_a_stream_shorter_than_one_block_is_refused():
    with pytest.raises(
        UserError, match=r"context_tokens=10 is more than the test split holds: 10 tokens; choose a context_tokens of at most 9"
    ):
        PackedBlocks(split_of([9]), 10)


@pytest.mark.parametrize("seed", range(5))
def test_windows_are_consecutive_tokens_of_one_document_away_from_its_beginning(seed):
    split = split_of([40, 22, 300, 21, 57, 22])
    context = 10
    windows = WithinWindows(split, context, max_windows_per_document=100, seed=seed)
    for index in range(len(windows)):
        block, document = windows[index].block, int(windows[index].document_T[0])
        assert windows[index].document_T.tolist() == [document] * context
        first = int(split.first_token[document])
        own = split.tokens[first : first + int(split.num_tokens[document])]
        begin = int(np.flatnonzero(own == block[0])[0])
        assert begin >= 1
        assert block.tolist() == own[begin : begin + context + 1].tolist()
        assert len(block) == context + 1
    assert (windows.num_documents, windows.num_documents_too_short) == (5, 1)
    assert windows.document_indices.tolist() == sorted(windows.document_indices.tolist())


@pytest.mark.parametrize("seed", range(5))
def test_without_a_cap_windows_start_every_T_tokens_and_fill_the_document(seed):
    split = split_of([500])
    positions = window_positions(WithinWindows(split, 7, max_windows_per_document=1000, seed=seed), split)["document 0"]
    assert positions == list(range(positions[0], 500 - 7, 7))
    assert 1 <= positions[0] <= 7


def test_no_token_is_a_target_twice_and_the_end_of_text_token_never_is():
    split = split_of([100, 230, 24])
    windows = WithinWindows(split, 11, max_windows_per_document=6, seed=3)
    targets = Counter(int(token) for index in range(len(windows)) for token in windows[index].block[1:])
    assert set(targets.values()) == {1}
    assert END not in targets


def test_a_document_of_two_blocks_is_long_enough_and_one_token_less_is_not():
    assert len(WithinWindows(split_of([22]), 10, max_windows_per_document=9, seed=0)) >= 1
    with pytest.raises(UserError):
        WithinWindows(split_of([21]), 10, max_windows_per_document=9, seed=0)


def test_a_cap_takes_some_of_the_windows_that_fit():
    split = split_of([1000, 45])
    everything = window_positions(WithinWindows(split, 10, max_windows_per_document=10**6, seed=1), split)
    capped = window_positions(WithinWindows(split, 10, max_windows_per_document=7, seed=1), split)
    assert len(capped["document 0"]) == 7
    assert set(capped["document 0"]) < set(everything["document 0"])
    assert capped["document 1"] == everything["document 1"]
    # Even steps: no part of the document is left out.
    assert max(np.diff(capped["document 0"])) <= 2 * 1000 / 7


def test_every_offset_and_every_window_is_as_likely_as_any_other():
    context, num_seeds = 5, 1000
    split = split_of([1 + 5 * 12 + 4])
    offsets, chosen = Counter(), Counter()
    for seed in range(num_seeds):
        positions = window_positions(WithinWindows(split, context, max_windows_per_document=3, seed=seed), split)["document 0"]
        offsets[(positions[0] - 1) % context] += 1
        chosen.update((position - 1) // context for position in positions)
    assert set(offsets) == set(range(context))
    assert set(chosen) == set(range(12))
    # Binomial with mean 200 and 250; four standard deviations are 51 and 55.
    assert max(abs(count - num_seeds / context) for count in offsets.values()) < 51
    assert max(abs(count - num_seeds * 3 / 12) for count in chosen.values()) < 55


def test_windows_are_the_same_again_and_differ_between_seeds():
    split = split_of([400, 300])
    starts = [WithinWindows(split, 8, max_windows_per_document=5, seed=seed).starts.tolist() for seed in (0, 0, 1)]
    assert starts[0] == starts[1]
    assert starts[0] != starts[2]


def test_a_documents_windows_do_not_depend_on_which_others_are_there():
    many, few = split_of([100, 200, 300, 5], names=["a", "b", "c", "d"]), split_of([300, 200], names=["c", "b"])
    of_many = window_positions(WithinWindows(many, 8, max_windows_per_document=5, seed=2), many)
    of_few = window_positions(WithinWindows(few, 8, max_windows_per_document=5, seed=2), few)
    assert of_few == {name: of_many[name] for name in ("c", "b")}


@pytest.mark.parametrize("max_blocks", [1, 2, 3, 4, 7, 10, 11, 12, 50])
def test_max_blocks_is_shared_out_evenly_over_documents(max_blocks):
    split = split_of([100, 23, 200, 300])
    everything = window_positions(WithinWindows(split, 10, max_windows_per_document=4, seed=0), split)
    available = [len(positions) for positions in everything.values()]
    limited = WithinWindows(split, 10, max_windows_per_document=4, seed=0, max_blocks=max_blocks)
    shares = np.bincount(limited.document_indices, minlength=4)
    assert len(limited) == min(max_blocks, sum(available))
    assert limited.num_documents == np.count_nonzero(shares)
    for share, here in zip(shares, available, strict=True):
        # Nobody who could give more gives less than another, but for the one block that does not divide.
        assert share == here or share >= max(shares) - 1


def test_which_document_gives_a_single_block_is_drawn_by_the_seed():
    split = split_of([100] * 5)
    given = {int(WithinWindows(split, 10, max_windows_per_document=4, seed=seed, max_blocks=1).document_indices[0]) for seed in range(60)}
    assert given == set(range(5))


def test_a_context_longer_than_every_document_allows_names_the_longest_and_the_remedy():
    with pytest.raises(
        UserError, match=r"context_tokens=50 .*test split.*102 tokens, and the longest has 81; choose a context_tokens of at most 39\."
    ):
        WithinWindows(split_of([81, 30]), 50, max_windows_per_document=4, seed=0)
    assert len(WithinWindows(split_of([81, 30]), 39, max_windows_per_document=4, seed=0)) >= 1


def test_a_split_without_documents_is_refused():
    with pytest.raises(UserError, match=r"test split has no documents"):
        WithinWindows(split_of([]), 4, max_windows_per_document=4, seed=0)
    with pytest.raises(UserError, match=r"longest has 3; give longer documents"):
        WithinWindows(split_of([3]), 4, max_windows_per_document=4, seed=0)


def test_start_windows_are_the_beginnings_of_the_documents_that_are_long_enough():
    split = split_of([10, 11, 40, 3])
    windows = StartWindows(split, 10)
    assert (len(windows), windows.num_documents, windows.num_documents_too_short) == (2, 2, 2)
    for index, document in enumerate([1, 2]):
        first = int(split.first_token[document])
        assert windows[index].block.tolist() == split.tokens[first : first + 11].tolist()
        assert windows[index].document_T.tolist() == [document] * 10


def test_no_document_long_enough_for_a_start_window_names_the_longest_and_the_remedy():
    with pytest.raises(UserError, match=r"context_tokens \+ 1 = 11 tokens, and the longest has 10; choose a context_tokens of at most 9\."):
        StartWindows(split_of([10, 4]), 10)


@pytest.mark.parametrize("context", [1, 3, 4, 5, 20, 100])
def test_packed_windows_score_every_token_but_the_first_and_the_end_of_text_once_for_its_own_document(context):
    split = split_of([5, 1, 3, 9])
    windows = PackedWindows(split, context)
    scored = Counter()
    for index in range(len(windows)):
        window = windows[index]
        assert window.block.shape == (context + 1,)
        start = index * context
        found = split.tokens[start : start + context + 1]
        assert window.block[: len(found)].tolist() == found.tolist()
        for target, document in zip(window.block[1:], window.document_T, strict=True):
            if document != NOT_SCORED:
                scored[int(target), int(document)] += 1
    expected = {}
    for document, (first, length) in enumerate(zip(split.first_token, split.num_tokens, strict=True)):
        for token in split.tokens[first : first + length]:
            expected[int(token), document] = 1
    del expected[int(split.tokens[0]), 0]  # nothing stands before the stream's first token
    assert scored == expected
    assert windows.num_documents == 4


def test_packed_windows_of_nothing_are_refused():
    with pytest.raises(UserError, match="has no documents"):
        PackedWindows(split_of([]), 4)
