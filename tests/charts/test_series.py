"""Which runs make a line, and how the line looks."""

import json
from typing import Any

import pyarrow as pa
import pytest
from matplotlib.colors import to_rgb

from hf_ctxscale.architectures import TABLE
from hf_ctxscale.charts.series import MARKERS, UNKNOWN_COLOURS, chart_series, other_budgets, rejected_trials, shades, text_colour
from hf_ctxscale.columns import RUNS_SCHEMA
from hf_ctxscale.files import read_table
from hf_ctxscale.study import Study, size_label


def table(*runs: tuple[str, int, int]) -> pa.Table:
    rows = [
        {
            "run_id": f"{a}-{layers}-{size}",
            "state": "finished",
            "architecture": a,
            "num_layers": layers,
            "body_params": size,
            "seed": 0,
            "loss_nats": 3.0,
        }
        for a, layers, size in runs
    ]
    return pa.Table.from_pylist(rows, schema=RUNS_SCHEMA)


def test_depths_that_meet_at_a_size_are_series_of_their_own() -> None:
    series = chart_series(table(("lstm", 1, 26_000), ("lstm", 2, 26_300), ("lstm", 1, 76_000), ("lstm", 2, 76_100)))
    assert [line.label for line in series] == ["LSTM, 1 layer", "LSTM, 2 layers"]
    assert [line.sizes for line in series] == [(26_000, 76_000), (26_300, 76_100)]


def test_depths_that_grow_with_size_are_one_series() -> None:
    (series,) = chart_series(table(("gpt2", 2, 26_000), ("gpt2", 2, 76_000), ("gpt2", 3, 222_000), ("gpt2", 6, 2_000_000)))
    assert series.label == "Transformer"
    assert len(series.runs) == 4


def test_runs_without_a_loss_are_in_no_series() -> None:
    rows = table(("lstm", 1, 26_000), ("lstm", 1, 76_000)).to_pylist()
    rows[0] |= {"loss_nats": None, "state": "failed"}
    (series,) = chart_series(pa.Table.from_pylist(rows, schema=RUNS_SCHEMA))
    assert series.sizes == (76_000,)


def test_an_architecture_that_the_table_does_not_hold_keeps_its_key_and_claims_no_familys_colour() -> None:
    (series,) = chart_series(table(("retired$net", 2, 26_000)))
    assert series.label == "retired$net, 2 layers"
    assert series.colour in UNKNOWN_COLOURS


@pytest.mark.parametrize("architecture", sorted(TABLE))
def test_every_architecture_of_the_table_takes_its_label_and_colours_from_there(architecture: str) -> None:
    series = chart_series(table((architecture, 2, 26_000), (architecture, 4, 26_000)))
    assert all(line.label.startswith(TABLE[architecture].label) for line in series)
    assert all(line.colour in TABLE[architecture].colours for line in series)


def test_no_two_series_of_the_demo_share_a_marker_or_a_colour(study: Study) -> None:
    series = chart_series(read_table(study.results_file("runs")))
    assert len(series) == len({line.marker for line in series}) == len({line.colour for line in series}) == 4
    assert len({marker for family in MARKERS for marker in family}) == sum(map(len, MARKERS))


def test_more_depths_than_colours_blend_from_light_to_dark() -> None:
    blended = shades(TABLE["lstm"].colours, 5)
    brightness = [sum(to_rgb(colour)) for colour in blended]
    assert brightness == sorted(brightness, reverse=True)
    assert (blended[0], blended[-1]) == (TABLE["lstm"].colours[0], TABLE["lstm"].colours[-1])
    assert len(set(blended)) == 5


def contrast_on_white(colour: str) -> float:
    """WCAG 2.2's definition, channel by channel."""
    luminance = 0.0
    for value, weight in zip(to_rgb(colour), (0.2126, 0.7152, 0.0722), strict=True):
        luminance += weight * (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
    return 1.05 / (luminance + 0.05)


def test_labels_can_be_read_on_white_in_every_colour_of_the_table() -> None:
    for colour in [colour for entry in TABLE.values() for colour in entry.colours]:
        assert contrast_on_white(text_colour(colour)) >= 4.5 - 0.05


def test_a_trial_is_rejected_only_where_the_fits_hold_another_run_of_its_series_size_and_seed(study: Study) -> None:
    fits: dict[str, Any] = json.loads(study.fits_file.read_text())
    runs = read_table(study.results_file("runs")).to_pylist()
    assert rejected_trials(runs, fits) == frozenset()
    lost = runs[0] | {"run_id": "another-rate"}
    other_seed = runs[0] | {"run_id": "another-seed", "seed": 7}
    assert rejected_trials([*runs, lost, other_seed], fits) == {"another-rate"}
    assert rejected_trials([*runs, lost], {}) == frozenset()


def test_a_run_of_another_token_budget_is_no_trial_that_lost_but_stands_apart(study: Study) -> None:
    fits: dict[str, Any] = json.loads(study.fits_file.read_text())
    runs = read_table(study.results_file("runs")).to_pylist()
    assert other_budgets(runs, fits) == frozenset()
    shorter = runs[0] | {"run_id": "half", "train_tokens": runs[0]["train_tokens"] // 2}
    assert rejected_trials([*runs, shorter], fits) == frozenset()
    assert other_budgets([*runs, shorter], fits) == {"half"}
    trial = shorter | {"run_id": "half-at-another-rate"}
    fits["loss_vs_size_and_data"][0]["points"].append({"run_id": "half"})
    assert rejected_trials([*runs, shorter, trial], fits) == {"half-at-another-rate"}


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "1"), (400, "400"), (26_312, "26K"), (400_000, "400K"), (999_900, "1M"), (1_540_000, "1.5M"), (13e9, "13B"), (2.3e12, "2.3T")],
)
def test_counts_are_written_as_in_the_figure(count: float, text: str) -> None:
    assert size_label(count) == text
