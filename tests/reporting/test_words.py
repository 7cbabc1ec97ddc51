"""What the report says in sentences."""

from pathlib import Path

import pytest
from synthetic_study import write_synthetic_study

from hf_ctxscale.reporting.sources import Sources, read_sources
from hf_ctxscale.reporting.words import _gain, how_to_read, interval_sentence, result_sentence, verdict_sentence


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return read_sources(write_synthetic_study(tmp_path_factory.mktemp("words")))


def test_the_result_names_corpus_size_tokens_losses_and_gains_with_intervals(sources: Sources) -> None:
    sentence = result_sentence(sources)
    assert sentence.startswith("On python-stdlib, with 221K to 225K body parameters and 6M training tokens, ")
    assert "the Transformer (2 layers) 2.880 [2.810, 2.950]" in sentence
    assert "from positions 65–128 of the context to 129–256, the Transformer gains +0.030 [0.000, +0.060]" in sentence
    assert sentence.count(". ") == 0


def test_the_lstm_of_the_result_is_chosen_by_validation_loss_not_by_test_loss(sources: Sources) -> None:
    runs = [run | {"validation_loss_nats": 2.0 if (run["architecture"], run["num_layers"]) == ("lstm", 4) else 3.0} for run in sources.runs]
    chosen = Sources(**(vars(sources) | {"runs": tuple(runs)}))
    assert "the best of 3 LSTMs (4 layers) 3.580 [3.510, 3.650]" in result_sentence(chosen)


def test_where_a_familys_largest_model_failed_the_result_compares_at_a_size_that_both_have(tmp_path: Path) -> None:
    sources = read_sources(write_synthetic_study(tmp_path, failed=("gpt2-2-222k-s0",)))
    assert result_sentence(sources).startswith("On python-stdlib, with 76K to 77K body parameters")


def test_several_seeds_are_given_as_a_range(tmp_path: Path) -> None:
    sources = read_sources(write_synthetic_study(tmp_path, seeds=(0, 1, 2)))
    assert "the Transformer (2 layers) 2.880 to 2.900 over 3 seeds" in result_sentence(sources)


def test_verdicts_are_counted(sources: Sources) -> None:
    assert verdict_sentence(sources) == (
        "Of 5 claims put to this study, 1 is supported, 1 is not supported and 3 are undecided. "
        "With one training seed, what is found is conditional on these trained models."
    )


def test_several_seeds_are_not_called_conditional(tmp_path: Path) -> None:
    assert "conditional" not in verdict_sentence(read_sources(write_synthetic_study(tmp_path, seeds=(0, 1))))


def test_intervals_are_said_to_cover_documents_and_not_seeds(sources: Sources) -> None:
    assert interval_sentence(sources) == (
        "Intervals are 95 % ones over the choice of 89 test documents, given one training run per model; "
        "they do not cover what another training seed would change."
    )


def test_a_short_context_is_not_explained_with_a_gain_that_it_cannot_have(sources: Sources) -> None:
    short = Sources(**(vars(sources) | {"settings": sources.settings | {"context_tokens": 32}}))
    assert any("needs a context of 256 tokens or more; this one has 32" in sentence for sentence in how_to_read(short))
    assert not any("17–32" in sentence for sentence in how_to_read(short))


def test_without_runs_nothing_is_claimed(tmp_path: Path) -> None:
    study = write_synthetic_study(tmp_path, models={("lstm", 1): ((3.6, 0.0),)}, failed=("lstm-1-26k-s0",), fits=False)
    sources = read_sources(study)
    assert result_sentence(sources) == "No run of this study has finished and been scored yet."
    assert interval_sentence(sources) == "Nothing has been measured yet."


def test_seeds_of_one_gain_to_the_last_decimal_are_no_range():
    assert [_gain([{"context_gain_nats": gain} for gain in gains]) for gains in ((-0.0081, -0.0079), (0.01, 0.02))] == [
        "−0.008",
        "+0.010 to +0.020",
    ]
