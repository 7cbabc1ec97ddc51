"""The methods paragraph, its BibTeX, and the commands."""

import re
from pathlib import Path

import pytest
from synthetic_scores import write_scored_study
from synthetic_study import write_synthetic_study

from hf_ctxscale.reporting.citations import CITATIONS, bibtex
from hf_ctxscale.reporting.commands import commands
from hf_ctxscale.reporting.methods import methods_paragraph
from hf_ctxscale.reporting.sources import Sources, read_sources


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return read_sources(write_synthetic_study(tmp_path_factory.mktemp("methods")))


def keys(entries: str) -> list[str]:
    return re.findall(r"^@\w+\{(\w+),$", entries, flags=re.MULTILINE)


def test_the_paragraph_says_what_was_trained_measured_fitted_and_judged(sources: Sources) -> None:
    text = methods_paragraph(sources)
    for words in (
        "We trained 12 models (LSTM, 1 layer; LSTM, 2 layers; LSTM, 4 layers; Transformer, 2 layers) with 26K to 225K parameters",
        "on python-stdlib (600 training documents, 3,200,000 tokens), each on 6M tokens with a context of 256 tokens and one random seed.",
        "89 documents of python-stdlib, test split in 969 windows of 256 tokens",
        "mean loss at positions 65–128 minus that at positions 129–256",
        "To each series we fitted L(N) = (N_c/N)^α (Kaplan et al. 2020; linear in logs) over body parameters, total parameters and training FLOPs.",
        "squared relative residuals (for the forms of Kaplan et al., squared residuals of the logarithm) weighted by the known variances.",
        "Laws with an irreducible loss are fitted by variable projection",
        "percentiles of 2,000 replicates",
        "one resample of the 89 documents, shared by all models; deviations from the data are widened to those of Student's t",
        "conditional on these trained models",
        "p-values of the 4 that could be tested are corrected for their number (Holm 1979)",
        "torch 2.13.0 and transformers 5.23.0",
    ):
        assert words in text
    assert "\n" not in text


def test_seeds_are_part_of_the_intervals_only_where_there_are_several(tmp_path: Path) -> None:
    text = methods_paragraph(read_sources(write_synthetic_study(tmp_path, seeds=(0, 1, 2))))
    assert "and 3 random seeds." in text
    assert "pooled over all settings with several (0.012 nats, 12 degrees of freedom; t-scaled)" in text
    assert "conditional" not in text


def test_settings_with_fewer_seeds_than_others_are_said(tmp_path: Path) -> None:
    whole = read_sources(write_synthetic_study(tmp_path, seeds=(0, 1, 2)))
    smallest = min(record.target_body_params for record in whole.records.values())
    kept = {run_id: record for run_id, record in whole.records.items() if record.seed == 0 or record.target_body_params == smallest}
    assert "and 1 to 3 random seeds for each setting." in methods_paragraph(Sources(**(vars(whole) | {"records": kept})))


def test_laws_that_were_not_fitted_are_not_described(sources: Sources) -> None:
    unfitted = [fit | {"convergence": None} for fit in sources.fits["loss_vs_size_and_data"]]
    bare = Sources(**(vars(sources) | {"fits": {"loss_vs_size_and_data": unfitted, "claims": []}}))
    text = methods_paragraph(bare)
    assert "L(N, D)" not in text
    assert "joint form" not in text
    assert "Holm" not in text
    assert "replicates" not in text


def test_bibtex_holds_the_software_and_every_work_that_the_text_names_and_no_other(sources: Sources) -> None:
    text = methods_paragraph(sources)
    entries = bibtex(text, version="1.2.3")
    assert {key for key, work in CITATIONS.items() if work.in_text in text} == set(keys(entries))
    assert {"hf_ctxscale", "kaplan2020", "hoffmann2022", "besiroglu2024", "holm1979"} <= set(keys(entries))
    assert "version = {1.2.3}" in entries
    assert keys(bibtex("done with hf-ctxscale 1.2.3", version="1.2.3")) == ["hf_ctxscale"]


def test_every_entry_has_its_key_a_title_and_closed_braces() -> None:
    for key, work in CITATIONS.items():
        assert keys(work.entry) == [key]
        assert "title" in work.entry
        assert work.entry.count("{") == work.entry.count("}")


def test_a_study_is_made_again_from_its_settings_and_scores_from_their_commands(sources: Sources, tmp_path: Path) -> None:
    assert commands(sources) == ("hf-ctxscale run study.yaml --out STUDY",)
    scores = read_sources(write_scored_study(tmp_path, models=("org/small", "org/large")))
    assert commands(scores) == tuple(
        f"hf-ctxscale score org/{name} --corpus python-stdlib --context 256 --ablation --out STUDY" for name in ("large", "small")
    )
