"""results/fits.json of made-up study folders."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.fits import analyse_study
from hf_ctxscale.analysis.positions import PositionLosses, load_losses, mean_loss
from hf_ctxscale.files import write_json
from hf_ctxscale.study import Study, UserError

Curves = dict[str, Callable[..., np.ndarray]]

KINDS = ("loss_vs_size", "loss_vs_size_and_data", "loss_vs_position")
AXES = ("body_params", "total_params", "train_flops", "train_seconds")
PAPER, OFFSET = "(N_c/N)^alpha", "E + A*N^-alpha"


def by_size(fits: dict[str, Any], series: str, *, x: str = "body_params", form: str = PAPER) -> dict[str, Any]:
    (entry,) = [entry for entry in fits["loss_vs_size"] if (entry["series"], entry["x"], entry["form"]) == (series, x, form)]
    return entry


def test_the_file_holds_what_is_returned_and_no_number_that_is_not_finite(figure: Any) -> None:
    fits = analyse_study(figure.study)
    text = figure.study.fits_file.read_text()
    assert json.loads(text) == fits
    assert "NaN" not in text
    assert list(fits) == [
        "format", "source", "intervals", *KINDS, "plateaus", "crossovers", "paired_differences", "excess_over_best", "claims", "notes",
    ]  # fmt: skip
    assert (fits["format"], fits["source"]) == (2, "study")
    for law in (law for kind in KINDS for law in fits[kind]):
        unknown = [param for param in law["params"].values() if param["value"] is None or param["low"] is None]
        assert all(param["reason"] for param in unknown), "no number without a reason"
        assert set(law["params"]) >= {profile["parameter"] for profile in law["profiles"]}


def test_loss_against_size_has_both_laws_on_every_axis_of_every_series(figure: Any) -> None:
    fits = analyse_study(figure.study)
    assert [(entry["series"], entry["x"], entry["form"]) for entry in fits["loss_vs_size"]] == [
        (series, x, form) for series in ("lstm-1", "lstm-2", "gpt2-2") for x in AXES for form in (PAPER, OFFSET)
    ]
    lstm = by_size(fits, "lstm-1")
    assert (lstm["architecture"], lstm["num_layers"], lstm["label"]) == ("lstm", 1, "LSTM, 1 layer")
    assert lstm["converged"]
    assert lstm["reason"] is None
    assert lstm["paper"] == {"alpha": 0.076}
    assert by_size(fits, "lstm-1", x="train_flops")["paper"] is None
    assert [point["x"] for point in lstm["points"]] == [25_001, 75_001, 200_001]
    assert [point["x"] for point in by_size(fits, "lstm-1", x="total_params")["points"]] == [26_001, 76_001, 201_001]
    for param in lstm["params"].values():
        assert param["low"] < param["value"] < param["high"]
    for point in lstm["points"]:
        loss = mean_loss(load_losses(figure.study.losses_file(f"score-{point['run_id']}")))
        assert (point["loss_nats"], point["loss_low"], point["loss_high"]) == pytest.approx((loss.value, loss.low, loss.high))
        assert point["predicted"] == pytest.approx((lstm["params"]["n_c"]["value"] / point["x"]) ** lstm["params"]["alpha"]["value"])
        assert point["residual"] == pytest.approx(point["loss_nats"] - point["predicted"])
    offset = by_size(fits, "lstm-1", form=OFFSET)
    assert offset["reason"] == "three parameters need 4 sizes or more; this series has 3"
    assert (offset["converged"], offset["curve"], offset["convergence"]) == (False, [], None)

    curve = lstm["curve"]
    assert len(curve) == 40
    assert (curve[0]["x"], curve[-1]["x"]) == (25_001, 200_001), "never beyond what was measured"
    assert all(place["low"] < place["loss_nats"] < place["high"] for place in curve)

    # Lines that lie apart everywhere, and a best depth beside each depth.
    crossovers = [crossover for crossover in fits["crossovers"] if crossover["x"] == "body_params"]
    assert [(crossover["first"], crossover["second"]) for crossover in crossovers] == [
        (first, "gpt2-2") for first in ("lstm-1", "lstm-2", "lstm-best")
    ]
    assert crossovers[0]["first_label"] == "LSTM, 1 layer"
    assert crossovers[0]["overlap"] == [25_002, 200_001]
    assert all(crossover["sentence"] for crossover in fits["crossovers"])


def test_loss_against_position_has_one_law_per_run(figure: Any) -> None:
    fits = analyse_study(figure.study)
    entries = {entry["run_id"]: entry for entry in fits["loss_vs_position"]}
    assert len(entries) == 9
    transformer = entries["gpt2-2-200000-s0"]
    assert transformer["form"] == "L_inf + A*t^-alpha"
    assert transformer["score_id"] == "score-gpt2-2-200000-s0"
    alpha = transformer["params"]["alpha"]
    assert alpha["value"] == pytest.approx(0.4, abs=0.01)
    assert alpha["low"] < 0.4 < alpha["high"]
    assert transformer["params"]["l_inf"]["value"] == pytest.approx(2.4, abs=0.3)  # with the level of these documents
    assert (transformer["points"][0]["position_from"], transformer["points"][-1]["position_to"]) == (1, 256)
    assert max(abs(point["residual"]) for point in transformer["points"]) < 0.02
    assert (transformer["curve"][0]["x"], transformer["curve"][-1]["x"]) == (1, 256)
    assert [plateau["run_id"] for plateau in fits["plateaus"]] == list(entries)
    assert {candidate["form"] for candidate in fits["plateaus"][0]["candidates"]} == {
        "flat after k", "power law", "power law that stops at k",
    }  # fmt: skip
    (first, *_) = fits["paired_differences"]
    assert first["bins"][0]["low"] < first["bins"][0]["difference_nats"] < first["bins"][0]["high"]


def test_one_seed_is_conditional_on_these_trained_models_and_supports_no_gap_or_exponent(figure: Any) -> None:
    fits = analyse_study(figure.study)
    assert fits["intervals"]["covers"] == "documents"
    assert (fits["intervals"]["num_documents"], fits["intervals"]["seeds"]) == (30, [0])
    assert fits["notes"][0] == "Measured on 30 test documents of made-up, within windows of 256 tokens; every window weighs the same."
    sentence = "95 % intervals cover the choice of the 30 test documents; they are conditional on these trained models (one seed)."
    assert fits["notes"][1] == fits["intervals"]["sentence"] == sentence
    judged = {claim["id"]: claim for claim in fits["claims"]}
    assert {claim["verdict"] for claim in judged.values() if claim["kind"] != "gain"} == {"undecided"}
    flat = judged["lstm_2_flat_beyond_64"]
    assert -0.02 < flat["low"] < flat["measured"] < flat["high"] < 0.02
    assert (flat["unit"], flat["confidence"], flat["verdict"]) == ("nats", 0.90, "supported")
    assert (flat["num_documents"], flat["num_runs"], flat["seeds"]) == (30, 1, [0])


def test_several_seeds_are_points_of_one_series_and_widen_its_intervals(seeded_figure: Any) -> None:
    fits = analyse_study(seeded_figure.study)
    entry = by_size(fits, "lstm-1")
    assert [point["x"] for point in entry["points"]] == [size for size in (25_001, 75_001, 200_001) for _ in range(3)]
    intervals = fits["intervals"]
    assert intervals["covers"] == "documents and seeds"
    assert intervals["seeds"] == [0, 1, 2]
    assert intervals["seed_degrees_of_freedom"] == 18
    assert intervals["seed_spread_nats"] == pytest.approx(0.005, rel=0.5)
    assert "conditional" not in intervals["sentence"]
    assert {"supported"} <= {claim["verdict"] for claim in fits["claims"] if claim["kind"] == "gap"}


def test_a_spread_between_seeds_of_some_settings_is_said_to_be_of_these(figure: Any, curves: Curves) -> None:
    curve = curves["lstm"](25_000) + 0.01
    figure.add("lstm", 1, 25_000, curve, seed=1, validation_loss_nats=float(curve.mean()))
    sentence = analyse_study(figure.study)["intervals"]["sentence"]
    assert "between seeds, on 1 degree of freedom, seen in 1 of 9 settings and taken to hold in all);" in sentence


def test_an_unfinished_study_is_analysed_as_far_as_it_is_and_says_so(maker: Any, curves: Curves) -> None:
    maker.add("lstm", 1, 25_000, curves["lstm"](25_000))
    maker.add_run("lstm-1-75000-s0", "lstm", 1, 75_000, state="failed", reason="the loss is not finite")
    maker.add_run("lstm-1-200000-s0", "lstm", 1, 200_000, state="waiting")
    maker.add_run("gpt2-2-25000-s0", "gpt2", 2, 25_000, state="training")
    maker.add_run("lstm-2-25000-s0", "lstm", 2, 25_000)
    fits = analyse_study(maker.study)
    entry = by_size(fits, "lstm-1")
    reason = "a power law needs two sizes or more; this series has 1"
    assert entry["params"] == {name: {"value": None, "low": None, "high": None, "reason": reason} for name in ("alpha", "n_c")}
    assert entry["reason"] == reason
    (point,) = entry["points"]
    assert (point["predicted"], point["residual"]) == (None, None)
    assert point["loss_low"] < point["loss_nats"] < point["loss_high"]
    assert {claim["verdict"] for claim in fits["claims"]} <= {"undecided", "supported"}
    assert "Left out: lstm-1-75000-s0 failed: the loss is not finite" in fits["notes"]
    assert "2 runs are not finished; these results hold those that are." in fits["notes"]
    assert "Left out: lstm-2-25000-s0 is not scored as the others are." in fits["notes"]


def test_what_is_not_identifiable_is_null_with_a_reason(maker: Any) -> None:
    maker.add("lstm", 1, 25_000, np.linspace(3.0, 3.5, 256))
    (entry,) = analyse_study(maker.study)["loss_vs_position"]
    assert entry["params"]["a"]["value"] is None
    assert entry["params"]["alpha"]["value"] is None
    assert all(entry["params"][name]["reason"].startswith("not identifiable: ") for name in ("a", "alpha"))
    assert entry["reason"]


def test_trials_that_lost_are_in_no_fit(maker: Any, curves: Curves) -> None:
    for tag, rate, validation in (("-a", 1e-4, 3.5), ("-b", 1e-3, 3.1)):
        maker.add("lstm", 1, 25_000, curves["lstm"](25_000), tag=tag, learning_rate=rate, validation_loss_nats=validation)
    fits = analyse_study(maker.study)
    assert [entry["run_id"] for entry in fits["loss_vs_position"]] == ["lstm-1-25000-s0-b"]
    assert [point["run_id"] for point in fits["loss_vs_size"][0]["points"]] == ["lstm-1-25000-s0-b"]


def test_two_sizes_and_no_recorded_seconds_are_said(maker: Any, curves: Curves) -> None:
    for size in (25_000, 200_000):
        maker.add("lstm", 1, size, curves["lstm"](size), train_seconds=None)
    fits = analyse_study(maker.study)
    assert {entry["x"] for entry in fits["loss_vs_size"]} == {"body_params", "total_params", "train_flops"}
    assert "LSTM, 1 layer: no law over train_seconds, which is not recorded of every run." in fits["notes"]
    assert any(note.startswith("Two sizes only (lstm-1)") for note in fits["notes"])


def test_a_family_whose_depth_grows_with_size_is_one_series(maker: Any, curves: Curves) -> None:
    for num_layers, size in ((2, 25_000), (3, 75_000), (4, 200_000)):
        maker.add("gpt2", num_layers, size, curves["transformer"](size))
    entry = by_size(analyse_study(maker.study), "gpt2")
    assert (entry["num_layers"], entry["label"], len(entry["points"])) == (None, "Transformer", 3)
    assert entry["params"]["alpha"]["value"] > 0


def test_seeds_that_took_different_times_are_not_models_of_different_sizes(maker: Any, curves: Curves) -> None:
    for size in (25_000, 200_000):
        for seed, seconds in enumerate((100.0, 400.0)):
            maker.add("lstm", 1, size, curves["lstm"](size) + 0.01 * seed, seed=seed, train_seconds=seconds * size / 25_000)
    maker.add("gpt2", 2, 25_000, curves["transformer"](25_000), train_seconds=90.0)
    maker.add("gpt2", 2, 25_000, curves["transformer"](25_000), seed=1, train_seconds=450.0)
    fits = analyse_study(maker.study)
    assert [point["x"] for point in by_size(fits, "lstm-1", x="train_seconds")["points"]] == pytest.approx([200.0] * 2 + [1600.0] * 2)
    offset = by_size(fits, "lstm-1", x="train_seconds", form=OFFSET)
    assert offset["reason"] == "three parameters need 4 sizes or more; this series has 2"
    assert by_size(fits, "gpt2-2", x="train_seconds")["reason"] == "a power law needs two sizes or more; this series has 1"
    assert {crossover["verdict"] for crossover in fits["crossovers"]} == {"no overlap"}


def test_depths_of_an_unfinished_study_are_not_one_series(maker: Any, curves: Curves) -> None:
    for num_layers, size in ((1, 25_000), (1, 75_000), (2, 200_000)):
        maker.add("lstm", num_layers, size, curves["lstm"](size, num_layers))
    maker.add_run("lstm-2-25000-s0", "lstm", 2, 25_000, state="waiting")
    fits = analyse_study(maker.study)
    assert {entry["series"] for entry in fits["loss_vs_size"]} == {"lstm-1", "lstm-2"}


def test_how_equal_models_of_equal_size_are_is_said(maker: Any, curves: Curves) -> None:
    for size in (25_000, 200_000):
        for architecture, body in (("lstm", size), ("gpt2", 1.02 * size)):
            groups = {"token_embedding": 1000, "position_embedding": 0, "output_head": 0, "body": int(body)}
            maker.add(architecture, 2, size, curves["lstm"](size), params=groups)
    note = "Models of one size differ by up to 2 % in body parameters; their losses are compared as they are."
    assert note in analyse_study(maker.study)["notes"]


def test_few_documents_decide_no_crossover_and_are_said_to_be_few(maker: Any, curves: Curves) -> None:
    for size in (25_000, 75_000, 200_000):
        for seed in range(2):
            maker.add("lstm", 1, size, curves["lstm"](size) + 0.002 * seed, seed=seed, losses={"num_documents": 19})
            maker.add("gpt2", 2, size, curves["transformer"](size) + 0.002 * seed, seed=seed, losses={"num_documents": 19})
    fits = analyse_study(maker.study)
    reason = "19 documents; an interval from fewer than 20 is not to be relied on"
    crossover = next(crossover for crossover in fits["crossovers"] if crossover["x"] == "body_params")
    assert (crossover["verdict"], crossover["low"]) == ("undecided", None)
    assert crossover["sentence"] == f"Which is better is undecided: {reason}."
    assert next(claim for claim in fits["claims"] if claim["id"] == "transformer_below_best_lstm_75000")["reason"] == reason
    assert any(note.startswith("19 documents are few: ") for note in fits["notes"])


def test_one_document_gives_values_without_intervals(maker: Any, curves: Curves) -> None:
    for size in (25_000, 200_000):
        maker.add("gpt2", 2, size, curves["transformer"](size), losses={"num_documents": 1})
    fits = analyse_study(maker.study)
    assert (fits["intervals"]["covers"], fits["intervals"]["num_replicates"]) == ("none", 0)
    for entry in (by_size(fits, "gpt2-2"), *fits["loss_vs_position"]):
        for param in entry["params"].values():
            assert param["value"] is None or math.isfinite(param["value"])
            assert (param["low"], param["high"]) == (None, None)
            assert param["reason"]
    assert by_size(fits, "gpt2-2")["params"]["alpha"]["value"] is not None


def test_size_and_data_are_told_apart_only_by_runs_that_read_no_token_twice(maker: Any) -> None:
    t = np.arange(1, 65.0)
    write_json(maker.study.tokens / "corpus.json", {"fingerprint": "t", "splits": {"train": {"num_tokens": 9_000_000}}})
    for size in (25_000, 75_000, 200_000, 600_000):
        for tokens in (1_000_000, 3_000_000, 9_000_000, 27_000_000):
            level = 1.7 + 40 * size**-0.34 + 60 * tokens**-0.28
            maker.add(
                "gpt2", 2, size, level + t**-0.5, tag=f"-{tokens}", train_tokens=tokens, context_tokens=64, losses={"noise_sd": 0.001}
            )
    fits = analyse_study(maker.study)
    added, joint = fits["loss_vs_size_and_data"]
    assert (added["series"], added["form"], joint["form"]) == (
        "gpt2-2", "E + A*N^-alpha + B*D^-beta", "[(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D",
    )  # fmt: skip
    assert len(added["points"]) == 12
    assert max(point["d"] for point in added["points"]) == 9_000_000
    assert added["params"]["alpha"]["value"] == pytest.approx(0.34, abs=0.05)
    assert [curve["n"] for curve in added["curves"]] == [25_002, 75_002, 200_002, 600_002]
    assert (added["curves"][0]["curve"][0]["x"], added["curves"][0]["curve"][-1]["x"]) == (1e6, 9e6)
    assert joint["paper"] == {"alpha_n": 0.076, "alpha_d": 0.103}
    assert any(note.startswith("Left out of laws of size and data: 4 of 16 runs") for note in fits["notes"])
    # The laws of size rest on one number of tokens.
    assert [point["x"] for point in by_size(fits, "gpt2-2")["points"]] == [25_002, 75_002, 200_002, 600_002]
    assert by_size(fits, "gpt2-2", form=OFFSET)["curve"]


def test_other_ways_of_scoring_do_not_mix_with_the_main_one(maker: Any, curves: Curves, make_losses: Callable[..., PositionLosses]) -> None:
    for size in (25_000, 200_000):
        maker.add("gpt2", 2, size, curves["transformer"](size))
    before = analyse_study(maker.study)
    for run_id in ("gpt2-2-25000-s0",):
        maker.add_score(f"a-{run_id}", make_losses(np.full(256, 9.0)), run_id=run_id, windows="start")
        maker.add_score(f"b-{run_id}", make_losses(np.full(256, 9.0)), run_id=run_id, split="validation")
    assert analyse_study(maker.study) == before


def test_scores_of_other_documents_are_refused(figure: Any, make_losses: Callable[..., PositionLosses]) -> None:
    figure.add_score("score-gpt2-2-75000-s0", make_losses(np.full(256, 3.0), num_documents=29), run_id="gpt2-2-75000-s0")
    with pytest.raises(UserError, match=r"gpt2-2-75000-s0.*different documents"):
        analyse_study(figure.study)


def test_positions_without_a_token_are_in_no_fit_of_position_and_named(maker: Any, curves: Curves) -> None:
    missing = [2, *range(203, 256)]
    for size in (25_000, 200_000):
        run_id = maker.add("gpt2", 2, size, curves["transformer"](size))
        whole = load_losses(maker.study.losses_file(f"score-{run_id}"))
        sums = [array.copy() for array in (whole.num_tokens, whole.num_bytes, whole.loss_sum_nats)]
        for array in sums:
            array[:, missing] = 0
        maker.add_score(f"score-{run_id}", PositionLosses(whole.documents, whole.num_blocks, *sums), run_id=run_id)
    fits = analyse_study(maker.study)
    for entry in fits["loss_vs_position"]:
        windows = [(point["position_from"], point["position_to"]) for point in entry["points"]]
        assert (3, 3) not in windows
        assert windows[-1] == (162, 203)
        assert entry["params"]["alpha"]["value"] == pytest.approx(0.4, abs=0.03)
    assert f"{run_id}: positions 3, 204-256 have too few documents, or a loss of 0, and are in no fit." in fits["notes"]


def test_a_study_with_no_finished_run_is_a_sentence(maker: Any, tmp_path: Path) -> None:
    maker.add_run("lstm-1", "lstm", 1, 25_000, state="failed", reason="the loss is not finite")
    maker.add_run("lstm-2", "lstm", 2, 25_000, state="training")
    with pytest.raises(UserError, match=r"has finished \(2 have a record; lstm-1 failed: the loss is not finite\)"):
        analyse_study(maker.study)
    with pytest.raises(UserError, match=r"0 have a record"):
        analyse_study(Study(tmp_path / "nothing"))
    maker.add_run("lstm-1", "lstm", 1, 25_000)
    with pytest.raises(UserError, match="is scored"):
        analyse_study(maker.study)
    assert not maker.study.fits_file.exists()
