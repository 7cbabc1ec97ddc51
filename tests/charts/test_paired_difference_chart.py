"""The chart of paired differences by position."""

import copy
import json

import pytest

from hf_ctxscale.charts.chart_data import Band, Line, Rule
from hf_ctxscale.charts.paired_difference import paired_difference_chart


@pytest.fixture
def fits(study) -> dict:
    return copy.deepcopy(json.loads(study.fits_file.read_text()))


def lines(chart) -> list[Line]:
    return [mark for mark in chart.panels[0].marks if isinstance(mark, Line)]


def test_every_pair_has_a_line_with_a_band_around_zero_rule(fits):
    chart = paired_difference_chart(fits)
    pairs = fits["paired_differences"]
    assert [line.y for line in lines(chart)] == [tuple(row["difference_nats"] for row in pair["bins"]) for pair in pairs]
    assert sum(isinstance(mark, Band) for mark in chart.panels[0].marks) == len(pairs)
    assert [mark.at for mark in chart.panels[0].marks if isinstance(mark, Rule)] == [0.0]


def test_labels_say_which_is_subtracted_from_which(fits):
    assert [line.label for line in lines(paired_difference_chart(fits))] == [
        "26K LSTM − Transformer",
        "76K LSTM − Transformer",
        "221K LSTM − Transformer",
        "225K LSTM, 4 layers − 1 layer",
    ]


def test_sizes_of_one_kind_of_pair_are_shades_and_another_kind_has_another_marker(fits):
    *of_families, of_depths = lines(paired_difference_chart(fits))
    assert len({line.colour for line in of_families}) == 3
    assert len({line.marker for line in of_families}) == 1
    assert of_depths.marker != of_families[0].marker


def test_without_intervals_there_are_no_bands_and_none_is_promised(fits):
    for pair in fits["paired_differences"]:
        for row in pair["bins"]:
            row |= {"low": None, "high": None}
    chart = paired_difference_chart(fits)
    assert not any(isinstance(mark, Band) for mark in chart.panels[0].marks)
    assert "bands" not in chart.subtitle


def test_positions_that_were_not_measured_are_left_out(fits):
    rows = fits["paired_differences"][0]["bins"]
    rows[3] |= {"difference_nats": None, "low": None, "high": None}
    line = lines(paired_difference_chart(fits))[0]
    assert len(line.x) == len(line.y) == len(line.hover) == len(rows) - 1


def test_without_pairs_there_is_no_chart(fits):
    assert paired_difference_chart({}) is None
    assert paired_difference_chart(fits | {"paired_differences": []}) is None
