"""Opening a score with what was measured of it, and the sentence where a file does not fit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scored_models import CUTS, scored_model, write_scored

from hf_ctxscale.analysis.positions import PositionLosses, save_losses
from hf_ctxscale.analysis.scored import Scored, load_scored
from hf_ctxscale.study import UserError

Maker = Callable[..., PositionLosses]


@pytest.fixture
def scored(maker: Any, make_losses: Maker) -> Scored:
    """A score of all kinds of losses, in the study's folder."""
    made = scored_model(make_losses(np.full(256, 3.0)), reach_tokens=64, score_id="one")
    maker.study.score_file("one").parent.mkdir(parents=True)
    write_scored(maker.study, made)
    return made


def test_everything_that_was_written_is_opened(maker: Any, scored: Scored) -> None:
    opened = load_scored(maker.study, "one")
    assert opened.record == scored.record
    assert opened.cuts == CUTS
    for name in ("losses", "by_bytes", "ablation"):
        written, read = getattr(scored, name), getattr(opened, name)
        assert read.documents == written.documents
        assert np.array_equal(read.loss_sum_nats, written.loss_sum_nats)
        assert np.array_equal(read.num_bytes, written.num_bytes)


def test_an_older_score_has_neither_bytes_nor_ablation(maker: Any, make_losses: Maker) -> None:
    maker.add_score("old", make_losses(np.full(8, 3.0)), run_id=None)
    opened = load_scored(maker.study, "old")
    assert (opened.by_bytes, opened.ablation, opened.cuts) == (None, None, ())


def test_an_unknown_score_is_a_sentence_with_those_that_are_there(maker: Any, scored: Scored) -> None:
    with pytest.raises(UserError, match=r"holds no score 'two' \(it holds: one\)"):
        load_scored(maker.study, "two")


def test_an_ablation_that_the_record_promises_must_be_there(maker: Any, scored: Scored) -> None:
    maker.study.ablation_file("one").unlink()
    with pytest.raises(UserError, match=r"ablation\.parquet does not exist"):
        load_scored(maker.study, "one")


@pytest.mark.parametrize(
    ("file", "sentence"),
    [("ablation_file", "holds 5 cuts of the context, not 9"), ("byte_losses_file", "holds 5 bins of bytes, not")],
)
def test_tables_of_other_columns_than_the_record_says_are_refused(
    maker: Any, make_losses: Maker, scored: Scored, file: str, sentence: str
) -> None:
    save_losses(getattr(maker.study, file)("one"), make_losses(np.full(5, 3.0)))
    with pytest.raises(UserError, match=sentence):
        load_scored(maker.study, "one")
