"""explore: both charts of a study with sentences that hold its own numbers, whatever kind of study it is."""

import json

import pytest

from hf_ctxscale.analysis.bits_by_position import bits_by_position
from hf_ctxscale.app.chart_api import asked_view, chart_data
from hf_ctxscale.app.explore import NO_POSITIONS, WHOLE, choices_of, explore
from hf_ctxscale.app.opened import Library
from hf_ctxscale.app.screen import Screen
from hf_ctxscale.app.view_controls import control_updates, view_of
from hf_ctxscale.charts.chosen_view import View
from hf_ctxscale.files import write_json
from hf_ctxscale.reporting.numbers import number
from hf_ctxscale.study import UserError


def claim(opened, claim_id):
    return next(one for one in opened.fits["claims"] if one["id"] == claim_id)


def test_sentence_on_size_holds_the_claim_of_the_largest_size(shipped):
    sizes = [int(one["id"].rsplit("_", 1)[1]) for one in shipped.fits["claims"] if one["id"].startswith("transformer_below_best_lstm_2")]
    largest = claim(shipped, f"transformer_below_best_lstm_{max(sizes)}")
    words = explore(shipped, View()).size_words
    assert number(abs(largest["measured"])) in words
    assert (" nats below that of " if largest["measured"] > 0 else " nats above that of ") in words
    assert all(number(abs(largest[end])) in words for end in ("low", "high"))
    assert f"{max(sizes):,} body parameters" in words


def test_sentence_on_position_holds_the_claim_along_the_context(shipped):
    along = claim(shipped, "transformer_advantage_grows_along_context")
    words = explore(shipped, View()).position_words
    assert all(number(abs(along[end])) in words for end in ("measured", "low", "high"))


def test_where_some_of_the_study_is_shown_or_another_unit_the_sentences_say_that_they_are_about_all_of_it_in_nats(shipped):
    plain = explore(shipped, View())
    for view in (View(families=("lstm",)), View(unit="bits_per_byte"), View(seeds=(0,))):
        drawn = explore(shipped, view)
        assert drawn.size_words.startswith(f"{WHOLE}{plain.size_words}")
        assert drawn.position_words.startswith(f"{WHOLE}{plain.position_words}")
    assert WHOLE not in plain.size_words + explore(shipped, View(x="train_flops")).size_words


def test_undecided_claim_is_called_so_and_turned_round_where_it_is_negative(reference_copy):
    fits = json.loads(reference_copy.fits_file.read_text())
    along = next(one for one in fits["claims"] if one["id"] == "transformer_advantage_grows_along_context")
    along |= {"measured": -0.02, "low": -0.05, "high": 0.01, "verdict": "undecided"}
    write_json(reference_copy.fits_file, fits)
    opened = Library(reference_copy, name="copy").open(Library.SHIPPED)
    words = explore(opened, View()).position_words
    assert " is 0.020 [−0.010, 0.050] nats smaller at " in words
    assert words.endswith("(undecided).")


def test_study_without_claims_has_its_result_as_sentence(reference_copy):
    write_json(reference_copy.fits_file, json.loads(reference_copy.fits_file.read_text()) | {"claims": []})
    opened = Library(reference_copy, name="copy").open(Library.SHIPPED)
    drawn = explore(opened, View())
    assert "test losses in nats per token are" in drawn.size_words
    assert drawn.position_words == ""


def test_bins_in_bits_per_byte_hold_the_tokens_and_bytes_of_all_bins(shipped):
    score_id = shipped.sources.measured[0]["score_id"]
    bins = bits_by_position(shipped.study, [score_id]).to_pylist()
    row = next(row for row in shipped.runs.to_pylist() if row["score_id"] == score_id)
    of_nats = [row for row in shipped.positions.to_pylist() if row["score_id"] == score_id]
    assert [(one["position_from"], one["position_to"]) for one in bins] == [(one["position_from"], one["position_to"]) for one in of_nats]
    # The bytes of a bin, from its loss in both units: they add up to those of the whole score.
    bits = [one["loss_nats"] * one["num_tokens"] for one in of_nats]
    num_bytes = sum(total / one["bits_per_byte"] for total, one in zip(bits, bins, strict=True))
    assert sum(bits) / num_bytes == pytest.approx(row["bits_per_byte"], rel=1e-6)
    assert all(one["bits_per_byte_low"] < one["bits_per_byte"] < one["bits_per_byte_high"] for one in bins)


def test_drawing_that_is_saved_names_its_corpus(shipped):
    drawn = explore(shipped, View())
    assert shipped.sources.corpus_name in drawn.size.subtitle
    assert shipped.sources.corpus_name in drawn.position.subtitle


def test_views_of_the_shipped_study_are_drawn_once_and_those_of_a_visitor_are_not_kept(shipped, library, reference_copy):
    assert explore(shipped, View()) is explore(shipped, View())
    own = library.open(library.add(reference_copy, name="own"))
    assert explore(own, View()) is not explore(own, View())
    library.drop(own.key)


def test_numbers_from_a_table_have_their_own_chart_and_say_what_they_lack(tmp_path):
    from made_up_fits import made_up_table_fits

    from hf_ctxscale.study import Study

    study = Study(tmp_path)
    study.table_file.write_text("N,loss\n")
    write_json(study.fits_file, made_up_table_fits("size"))
    drawn = explore(Library(study, name="given").open(Library.SHIPPED), View(size_y_log=True))
    assert drawn.size.panels[0].marks
    assert drawn.size.panels[0].y.log
    assert drawn.size_words
    assert drawn.position.panels[0].marks == ()
    assert drawn.position_words == NO_POSITIONS


def test_controls_say_the_view_that_they_were_set_to(shipped):
    choices = choices_of(shipped)
    for view in (
        View(),
        View(x="train_flops", unit="bits_per_byte", families=choices.families[:1], seeds=(), position_x_log=False, fits=False),
    ):
        values = [update if not hasattr(update, "value") else update.value for update in control_updates(view, choices)]
        assert view_of(values, choices) == view


def test_refresh_keeps_choices_for_another_screen_and_shows_all_of_another_study(library, shipped):
    import gradio as gr

    from hf_ctxscale.app.explore_tab import ExploreTab

    with gr.Blocks():
        tab = ExploreTab(library, key=gr.State(Library.SHIPPED), screen=gr.State(Screen()))
    choices = choices_of(shipped)
    values = [
        "train_flops",
        "nats",
        ["size"],
        [],
        list(choices.families[:1]),
        list(choices.depths),
        list(choices.sizes),
        list(choices.seeds),
    ]
    same = tab.refresh(Library.SHIPPED, Screen(dark=True), choices, *values)
    other = tab.refresh(Library.SHIPPED, Screen(dark=True), None, *values)
    assert len(same) == len(other) == len(tab.parts.outputs)
    assert same[-1] == f"?x=flops&log=size&with=none&families={choices.families[0]}"
    assert other[-1] == "?x=flops&log=size&with=none"


def test_api_gives_the_rows_behind_the_chart_and_the_sentence(shipped):
    data = chart_data(explore(shipped, View()).size, sentence="It falls.")
    assert data["sentence"] == "It falls."
    assert len(data["rows"]) == len(shipped.sources.measured)
    assert json.loads(json.dumps(data)) == data


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"x": "width"}, "x holds 'width'; allowed: body, total, flops, seconds."),
        ({"unit": "bytes"}, "unit holds 'bytes'; allowed: nats, bits."),
        ({"families": ["rwkv"]}, "families holds 'rwkv'; allowed: lstm, gpt2."),
    ],
)
def test_api_says_what_is_allowed_where_something_else_is_asked_for(shipped, asked, sentence):
    with pytest.raises(UserError) as raised:
        asked_view(choices_of(shipped), **asked)
    assert str(raised.value) == sentence
