"""The table of models that were scored together."""

from pathlib import Path

from synthetic_scores import write_scored_study

from hf_ctxscale.files import write_json
from hf_ctxscale.reporting.comparison_table import comparisons_table
from hf_ctxscale.reporting.sections import result_sections
from hf_ctxscale.reporting.sources import read_sources
from hf_ctxscale.study import Study


def one(quantity: str, **changes: object) -> dict:
    units = {"bits_per_byte": "bits per byte", "effective_context": "times"}
    entry = {"quantity": quantity, "unit": units.get(quantity, "nats per token"), "tokens": None, "bytes": None}
    return entry | {"value": 0.3, "low": 0.2, "high": 0.4, "verdict": "higher", "reason": None, "num_documents": 89} | changes


def write_compared(folder: Path, *comparisons: dict, refused: str | None = None) -> Study:
    study = write_scored_study(folder, models=("org/small", "org/large"))
    pair = {"a": "org--small-score", "b": "org--large-score", "one_tokenizer": True, "bytes_rule": "exact", "refused": refused}
    note = "Every difference is the first score minus the second."
    write_json(
        study.comparisons_file, {"format": 1, "confidence": 0.95, "note": note, "pairs": [pair | {"comparisons": list(comparisons)}]}
    )
    return study


def test_a_pair_is_a_row_of_what_was_compared_over_the_whole_context(tmp_path: Path) -> None:
    study = write_compared(tmp_path, one("mean_loss"), one("mean_loss", tokens=[1, 1], value=9.0), one("effective_context", value=1.5))
    table = comparisons_table(read_sources(study))
    assert table.headings == ("first", "second", "loss, nats", "effective context, times", "documents")
    (row,) = table.rows
    assert row.cells == ("small", "large", "+0.300 [+0.200, +0.400], higher", "1.500 [0.200, 0.400], higher", "89")


def test_an_interval_with_one_end_is_a_bound_and_what_was_not_measured_has_no_column(tmp_path: Path) -> None:
    bound = one("effective_context", value=None, low=1.2, high=None)
    nothing = one("in_context_score", value=None, low=None, high=None, verdict="undecided", reason="needs 512 tokens")
    table = comparisons_table(read_sources(write_compared(tmp_path, bound, nothing)))
    assert table.headings == ("first", "second", "effective context, times", "documents")
    assert table.rows[0].cells[2] == "1.200 or more, higher"


def test_a_pair_that_could_not_be_compared_says_why(tmp_path: Path) -> None:
    table = comparisons_table(read_sources(write_compared(tmp_path, refused="they were measured on other documents")))
    assert table.headings == ("first", "second", "documents", "why not")
    assert table.rows[0].cells == ("small", "large", "—", "they were measured on other documents")


def test_comparisons_are_a_section_after_the_scored_models(tmp_path: Path) -> None:
    sections = result_sections(read_sources(write_compared(tmp_path, one("mean_loss"))))
    assert [section.heading for section in sections] == ["Scored models", "Comparisons of scored models"]
    assert sections[1].words == "Every difference is the first score minus the second."
