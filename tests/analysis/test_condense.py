"""A condensed study gives the fits, claims and tables of the full one."""

import json
import math
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.claims_of_context import BEYOND_100, EARLY
from hf_ctxscale.analysis.condense import condense_study, condensed_bins
from hf_ctxscale.analysis.condensed import open_losses
from hf_ctxscale.analysis.plateau_forms import plateau_bins
from hf_ctxscale.analysis.positions import EARLY_WINDOW, GAIN_WINDOW, LATE_WINDOW, last_octave, log_bins
from hf_ctxscale.analysis.results import analyse_study, build_results
from hf_ctxscale.files import read_table, write_json, write_text
from hf_ctxscale.study import Study, UserError


def assert_alike(one: Any, other: Any, *, where: str = "") -> None:
    """The same structure, words and whole numbers; other numbers up to rounding, which sums in another order leave."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_alike(one[key], other[key], where=f"{where}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_alike(*pair, where=f"{where}[{index}]")
    elif isinstance(one, float) and not math.isnan(one):
        assert other == pytest.approx(one, rel=1e-6, abs=1e-8), where
    elif not isinstance(one, float):
        assert one == other, where


@pytest.fixture
def full(figure: Any) -> Study:
    """The made-up study with all the small files that a study has, and some of the large ones."""
    study = figure.study
    write_text(study.config_file, "name: made-up\n")
    write_json(study.tokens / "corpus.json", {"fingerprint": "t"})
    for run in study.run_records():
        write_text(study.history_file(run.run_id), "a history")
        write_text(study.model_folder(run.run_id) / "model.safetensors", "weights")
    write_text(study.tokenizer / "tokenizer.json", "{}")
    write_text(study.tokens / "train.tokens.npy", "tokens")
    write_text(study.folder / "report.html", "a report")
    write_json(study.fits_file, {"format": 2})
    return study


def test_every_window_of_a_statistic_is_made_of_whole_bins() -> None:
    for context_tokens in (8, 64, 100, 256, 500, 512, 1000, 1024, 2048):
        bins = condensed_bins(context_tokens)
        assert bins[0][0] == 1
        assert bins[-1][1] == context_tokens
        assert all(last + 1 == first for (_, last), (first, _) in pairwise(bins))
        firsts, lasts = {first for first, _ in bins}, {last for _, last in bins}
        named = [GAIN_WINDOW, EARLY, EARLY_WINDOW, LATE_WINDOW, BEYOND_100]
        octaves = [last_octave(context_tokens), (context_tokens // 4 + 1, context_tokens // 2)]
        for first, last in [*log_bins(context_tokens), *plateau_bins(context_tokens), *named, *octaves]:
            assert last > context_tokens or (first in firsts and last in lasts), (context_tokens, first, last)


def test_a_condensed_study_gives_the_same_tables_fits_and_claims(full: Study, tmp_path: Path) -> None:
    build_results(full)
    analyse_study(full)
    condensed = condense_study(full, folder=tmp_path / "small" / "study")
    assert condensed.fits_file.read_bytes() == full.fits_file.read_bytes()
    shutil.rmtree(condensed.results)
    build_results(condensed)
    analyse_study(condensed)
    for table in ("runs", "positions", "curves"):
        rows = [read_table(study.results_file(table)).to_pylist() for study in (full, condensed)]
        assert_alike(*rows, where=table)
    assert_alike(*(json.loads(study.fits_file.read_text()) for study in (full, condensed)))


def test_models_tokens_and_losses_by_position_stay_behind(full: Study, tmp_path: Path) -> None:
    condensed = condense_study(full, folder=tmp_path / "small")
    kept = {path.relative_to(condensed.folder).as_posix() for path in condensed.folder.rglob("*") if path.is_file()}
    run_id = full.run_records()[0].run_id
    score_id = full.score_records()[0].score_id
    assert {"study.yaml", "tokens/corpus.json", f"runs/{run_id}/run.json", f"runs/{run_id}/history.parquet", "results/fits.json"} <= kept
    assert {path for path in kept if path.startswith(f"scores/{score_id}/")} == {
        f"scores/{score_id}/{name}" for name in ("score.json", "losses_by_bin.parquet")
    }
    assert not [path for path in kept if "model" in path or path.endswith((".npy", ".html")) or "tokenizer" in path]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_condensed_study_can_be_condensed_again(full: Study, tmp_path: Path) -> None:
    once = condense_study(full, folder=tmp_path / "once")
    twice = condense_study(once, folder=tmp_path / "twice")
    for score in full.score_records():
        first, second = (open_losses(study, score.score_id) for study in (once, twice))
        assert second.documents == first.documents
        np.testing.assert_allclose(second.loss_sum_nats, first.loss_sum_nats, rtol=1e-6)


def test_a_folder_that_exists_is_left_alone(full: Study, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="there' exists already; name a folder that does not, or remove this one first"):
        condense_study(full, folder=tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []


def test_nothing_is_left_of_a_copy_that_failed(full: Study, tmp_path: Path) -> None:
    full.losses_file(full.score_records()[-1].score_id).unlink()
    before = set(tmp_path.iterdir())
    with pytest.raises(UserError, match="does not exist; score the model first"):
        condense_study(full, folder=tmp_path / "small")
    assert set(tmp_path.iterdir()) == before
