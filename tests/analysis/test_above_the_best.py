"""excess_over_best: losses above the best possible one."""

from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.excess_over_best import excess_over_best
from hf_ctxscale.analysis.fits import analyse_study
from hf_ctxscale.analysis.measured import load_measured
from hf_ctxscale.analysis.positions import mean_loss
from hf_ctxscale.records import EXACT_PREDICTOR


def test_excess_is_paired_by_document_so_its_band_is_narrower_than_a_losss_interval(maker: Any, curves: Any, make_losses: Any) -> None:
    for size in (200_000, 400_000):
        maker.add("lstm", 1, size, curves["lstm"](size))
    maker.add_score("exact", make_losses(np.full(256, 2.0), noise_seed=5), run_id=None, model_type=EXACT_PREDICTOR)
    measured = load_measured(maker.study)
    entries = excess_over_best(maker.study, measured)
    assert [entry["run_id"] for entry in entries] == [run.record.run_id for run in measured.runs]
    last = entries[0]["bins"][-1]
    assert last["excess_nats"] == pytest.approx(curves["lstm"](200_000)[-1] - 2.0, abs=0.01)
    alone = mean_loss(measured.runs[0].losses, positions=(last["position_from"], last["position_to"]))
    assert 0 < last["high"] - last["low"] < 0.2 * (alone.high - alone.low)
    assert analyse_study(maker.study)["excess_over_best"] == entries


def test_a_best_prediction_of_other_windows_or_none_is_not_set_against_runs(maker: Any, curves: Any, make_losses: Any) -> None:
    maker.add("lstm", 1, 200_000, curves["lstm"](200_000))
    assert excess_over_best(maker.study, load_measured(maker.study)) == []
    maker.add_score("exact", make_losses(np.full(256, 2.0)), run_id=None, model_type=EXACT_PREDICTOR, windows="start")
    assert excess_over_best(maker.study, load_measured(maker.study)) == []
