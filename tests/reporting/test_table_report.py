"""Reports of numbers from elsewhere: a CSV with its fits, no runs and no scores."""

import re
from pathlib import Path

import pytest
from made_up_fits import made_up_table_fits

from hf_ctxscale.charts.draw import draw_study
from hf_ctxscale.files import write_json
from hf_ctxscale.reporting.report import write_report
from hf_ctxscale.reporting.sources import Sources, read_sources
from hf_ctxscale.reporting.table_words import table_sentence
from hf_ctxscale.reporting.words import result_sentence
from hf_ctxscale.study import Study


def write_table_study(folder: Path, kind: str) -> Study:
    study = Study(folder)
    write_json(study.fits_file, made_up_table_fits(kind))
    study.table_file.write_text("N,loss\n1e6,4.0\n", encoding="utf-8")
    return study


def with_params(sources: Sources, **params: dict) -> Sources:
    """The sources with the parameters of every fit of loss against size replaced."""
    fits = [
        fit | {"params": {name: params.get(name, value) for name, value in fit["params"].items()}} for fit in sources.fits["loss_vs_size"]
    ]
    return Sources(**(vars(sources) | {"fits": sources.fits | {"loss_vs_size": fits}}))


@pytest.mark.parametrize("kind", ["size", "size_and_data", "position"])
def test_a_table_has_a_report_with_its_charts_fits_notes_and_methods(tmp_path: Path, kind: str) -> None:
    study = write_table_study(tmp_path / "mine", kind)
    draw_study(study)
    html = write_report(study).read_text()
    text = (study.folder / "report.md").read_text()
    assert text.startswith("# Fits: mine\n")
    assert "charts/loss\\_vs\\_" not in text
    assert re.findall(r"!\[[^\]]*\]\(charts/(\w+)\.png\)", text)
    headings = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert headings == ["Fits", "How to read this", "Setup", "Commands", "Methods, for a paper", "Notes"]
    assert "hf-ctxscale analyse table.csv --out STUDY\nhf-ctxscale draw STUDY" in text
    assert "1 row without a loss was left out." in text
    assert "Intervals are 95 % ones from the scatter of the points about the fitted law." in text
    assert "We trained" not in text
    assert "data-chart=" in html


def test_the_result_names_the_exponent_of_each_series(tmp_path: Path) -> None:
    sentence = result_sentence(read_sources(write_table_study(tmp_path, "size")))
    assert sentence.startswith("In table.csv, 14 points of loss against size: ours, E + A*N^-alpha with alpha 0.")
    assert "; theirs, E + A*N^-alpha with alpha 0." in sentence


def test_of_size_and_data_both_exponents_are_named_with_their_intervals(tmp_path: Path) -> None:
    assert result_sentence(read_sources(write_table_study(tmp_path, "size_and_data"))) == (
        "In table.csv, 16 points of loss against size and data: E + A*N^-alpha + B*D^-beta with alpha 0.340 [0.306, 0.374] and "
        "beta 0.280 [0.252, 0.308]."
    )


def test_where_the_offset_law_is_not_identifiable_the_papers_form_is_named(tmp_path: Path) -> None:
    sources = read_sources(write_table_study(tmp_path, "size"))
    nothing = {"value": None, "low": None, "high": None, "reason": "flat"}
    offset = [fit for fit in sources.fits["loss_vs_size"] if fit["form"] == "E + A*N^-alpha"]
    other = [fit for fit in sources.fits["loss_vs_size"] if fit not in offset]
    unknown = [fit | {"params": dict.fromkeys(fit["params"], nothing)} for fit in offset]
    some = Sources(**(vars(sources) | {"fits": sources.fits | {"loss_vs_size": [*other, *unknown]}}))
    assert "ours, (N_c/N)^alpha with alpha 0." in table_sentence(some)
    assert "ours, no exponent is identifiable" in table_sentence(with_params(sources, alpha=nothing))


def test_without_fits_the_result_says_so(tmp_path: Path) -> None:
    study = write_table_study(tmp_path, "size")
    study.fits_file.unlink()
    assert result_sentence(read_sources(study)) == "Nothing of table.csv has been fitted."


def test_words_of_a_table_do_not_speak_of_what_it_does_not_say(tmp_path: Path) -> None:
    study = write_table_study(tmp_path, "size")
    draw_study(study)
    text = write_report(study).with_suffix(".md").read_text()
    for words in ("embeddings", "body parameters", "known variances", "trained model", "documents"):
        assert words not in text
    assert "The data are 14 points in 2 series, measured elsewhere." in text
