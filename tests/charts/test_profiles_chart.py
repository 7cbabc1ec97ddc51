"""The chart of profiles of exponents that are not identifiable."""

import copy
import json

import pytest

from hf_ctxscale.charts.profiles import HIGHEST_RISE, profiles_chart


@pytest.fixture
def fits(study) -> dict:
    return copy.deepcopy(json.loads(study.fits_file.read_text()))


def unidentify(fit: dict) -> None:
    fit["params"]["alpha"] = {"value": None, "low": None, "high": None, "reason": "the replicates run to the edge"}


def test_where_every_exponent_is_identified_there_is_no_chart(fits):
    assert profiles_chart(fits) is None
    assert profiles_chart({}) is None


def test_only_exponents_without_a_value_are_drawn(fits):
    unidentify(fits["loss_vs_size"][0])
    (panel,) = profiles_chart(fits).panels
    assert [line.name for line in panel.marks] == ["LSTM, 1 layer: alpha"]
    assert panel.title == "Loss against size"


def test_each_kind_of_law_has_a_panel_on_one_shared_axis(fits):
    unidentify(fits["loss_vs_size"][0])
    unidentify(fits["loss_vs_position"][0])
    panels = profiles_chart(fits).panels
    assert [panel.title for panel in panels] == ["Loss against size", "Loss against position"]
    assert panels[0].x == panels[1].x


def test_values_that_fit_badly_are_left_out(fits):
    unidentify(fits["loss_vs_size"][0])
    (line,) = profiles_chart(fits).panels[0].marks
    profile = fits["loss_vs_size"][0]["profiles"][0]
    assert max(line.y) <= HIGHEST_RISE < max(profile["rise"])
    assert set(line.x) < set(profile["at"])


def test_too_many_profiles_have_no_labels(fits):
    for fit in fits["loss_vs_position"]:
        unidentify(fit)
    fits["loss_vs_position"] = fits["loss_vs_position"] * 3
    (panel,) = profiles_chart(fits).panels
    assert {line.label for line in panel.marks} == {None}
