"""Planned runs, their identity, and the study folder that they belong to."""

import pytest

from hf_ctxscale.config import parse_settings
from hf_ctxscale.files import write_record
from hf_ctxscale.study import UserError, size_label
from hf_ctxscale.sweep.estimate import makespan_seconds
from hf_ctxscale.sweep.open_study import open_study, save_settings
from hf_ctxscale.sweep.plan import plan_runs
from hf_ctxscale.sweep.progress import in_words
from tests.conftest import tiny_config


def _plan(text_folder, *, fingerprint="f", precision="float32", **changes):
    settings = parse_settings(tiny_config(text_folder, **changes), source="tiny.yaml")
    return plan_runs(settings, vocab_size=300, tokens_fingerprint=fingerprint, precision=precision)


def _ids(*args, **kwargs):
    return {record.run_id for record in _plan(*args, **kwargs)}


def test_every_family_size_rate_and_seed_is_a_run(text_folder):
    families = [
        {"architecture": "lstm", "num_layers": 1, "learning_rate_trials": [1e-2, 2e-2, 3e-2]},
        {"architecture": "gpt2", "num_layers": 2, "learning_rate": [1e-2, 5e-3]},
    ]
    sizes = [{"body_params": 2000, "train_tokens": 1600}, {"body_params": 4000, "train_tokens": 3200}]
    records = _plan(text_folder, families=families, sizes=sizes, seeds=[0, 1], size_tolerance=0.2)
    assert len(records) == len({record.run_id for record in records}) == 2 * 2 * 3 + 2 * 2
    rates = {(record.target_body_params, record.learning_rate) for record in records if record.architecture == "gpt2"}
    assert rates == {(2000, 1e-2), (4000, 5e-3)}


def test_training_tokens_are_equal_within_a_size_and_whole_steps(text_folder):
    records = _plan(text_folder, sizes=[{"body_params": 2000, "train_tokens": 1650}])
    assert {record.train_tokens for record in records} == {1632}
    assert {record.train_steps for record in records} == {51}
    for record in records:
        assert record.train_flops == record.flops_per_token * record.train_tokens
        assert record.six_nd_flops == 6 * record.params.body * record.train_tokens


def test_an_added_size_or_seed_keeps_the_other_runs(text_folder):
    before = _ids(text_folder)
    assert before < _ids(text_folder, seeds=[0, 1])
    more = [{"body_params": 2000, "train_tokens": 4800}, {"body_params": 4000, "train_tokens": 3200}]
    assert before < _ids(text_folder, sizes=more, size_tolerance=0.2)


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "g"},
        {"precision": "bfloat16"},
        {"context_tokens": 16},
        {"sizes": [{"body_params": 2000, "train_tokens": 3200}]},
        {"training": {"batch_blocks": 2}},
        {"training": {"batch_blocks": 4, "weight_decay": 0.2, "validation_points": 3, "validation_blocks": 8}},
    ],
)
def test_whatever_decides_the_result_changes_every_id(text_folder, change):
    assert not _ids(text_folder) & _ids(text_folder, **change)


def test_the_same_run_twice_is_refused(text_folder):
    family = {"architecture": "lstm", "num_layers": 1, "learning_rate": 1e-2}
    with pytest.raises(UserError, match=r"give run lstm-1l-2K-s0-\w+ twice; take one of the entries out"):
        _plan(text_folder, families=[family, family])


def _begin(study, text_folder):
    record = _plan(text_folder)[0]
    write_record(study.run_file(record.run_id), record)


def test_a_study_can_grow_but_not_become_another(text_folder, tmp_path):
    settings = parse_settings(tiny_config(text_folder), source="tiny.yaml")
    study, opened = open_study(settings, folder=tmp_path / "study")
    assert opened == settings
    assert not study.folder.exists(), "opening writes nothing"
    save_settings(study, settings)
    changed = parse_settings(tiny_config(text_folder, context_tokens=16), source="tiny.yaml")
    assert open_study(changed, folder=study.folder)[1] == changed, "nothing is fixed before the first run is planned"
    _begin(study, text_folder)

    grown = parse_settings(tiny_config(text_folder, seeds=[0, 1], workers=1), source="tiny.yaml")
    assert open_study(grown, folder=study.folder)[1] == grown
    other = parse_settings(tiny_config(text_folder, context_tokens=16), source="tiny.yaml")
    with pytest.raises(UserError, match="holds another study: context_tokens is 8 there and 16 in the config"):
        open_study(other, folder=study.folder)
    other = parse_settings(tiny_config(text_folder, tokenizer={"vocab_size": 400}), source="tiny.yaml")
    with pytest.raises(UserError, match=r"tokenizer\.vocab_size is 300 there and 400 in the config"):
        open_study(other, folder=study.folder)


def test_auto_precision_stays_what_the_study_began_with(text_folder, tmp_path):
    study, settings = open_study(parse_settings(tiny_config(text_folder, precision="bfloat16"), source="tiny.yaml"), folder=tmp_path / "s")
    save_settings(study, settings)
    _begin(study, text_folder)
    _, again = open_study(parse_settings(tiny_config(text_folder, precision="auto"), source="tiny.yaml"), folder=study.folder)
    assert again.precision == "bfloat16"


def test_a_folder_that_holds_something_else_is_left_alone(text_folder, tmp_path):
    settings = parse_settings(tiny_config(text_folder), source="tiny.yaml")
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"holds other files and no study\.yaml; choose an empty or a new folder"):
        open_study(settings, folder=tmp_path)
    with pytest.raises(UserError, match="is a file; give a folder"):
        open_study(settings, folder=tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_longest_run_that_is_left_goes_to_the_freest_worker():
    assert makespan_seconds([3, 3, 2, 2, 2], workers=2) == 7
    assert makespan_seconds([5, 1, 1, 1], workers=2) == 5
    assert makespan_seconds([5, 1], workers=1) == 6


@pytest.mark.parametrize(("number", "words"), [(999, "999"), (26_000, "26K"), (2_000_000, "2M"), (1_500_000, "1.5M"), (3 * 10**9, "3B")])
def test_counts_are_written_as_in_the_figure(number, words):
    assert size_label(number) == words


@pytest.mark.parametrize(("seconds", "words"), [(4.4, "4 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")])
def test_durations_are_said_as_people_do(seconds, words):
    assert in_words(seconds) == words


def test_a_size_may_have_seeds_of_its_own(text_folder):
    sizes = [{"body_params": 2000, "train_tokens": 4800, "seeds": [0, 1, 2]}, {"body_params": 4000, "train_tokens": 4800}]
    records = _plan(text_folder, sizes=sizes, seeds=[0], size_tolerance=0.2)
    assert sorted((record.target_body_params, record.seed) for record in records if record.architecture == "lstm") == [
        (2000, 0), (2000, 1), (2000, 2), (4000, 0),
    ]  # fmt: skip
    # The runs are the same as without it.
    assert {record.run_id for record in _plan(text_folder, sizes=[sizes[0] | {"seeds": None}, sizes[1]], size_tolerance=0.2)} < {
        record.run_id for record in records
    }
