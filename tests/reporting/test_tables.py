"""The tables of the report."""

from pathlib import Path

import pytest
from synthetic_study import write_synthetic_study

from hf_ctxscale.reporting.setup import setup_rows
from hf_ctxscale.reporting.sources import Sources, read_sources
from hf_ctxscale.reporting.table import Table, TableRow, without_empty
from hf_ctxscale.reporting.tables import runs_table


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return read_sources(write_synthetic_study(tmp_path_factory.mktemp("tables")))


def column(table: Table, heading: str) -> list[str]:
    return [row.cells[table.headings.index(heading)] for row in table.rows]


def test_every_row_has_a_cell_for_every_heading(sources: Sources) -> None:
    table = runs_table(sources)
    assert table.rows
    assert {len(row.cells) for row in table.rows} == {len(table.headings)}
    assert table.numeric <= set(table.headings)


def test_a_column_in_which_nothing_stands_is_left_out() -> None:
    table = Table(("a", "b", "c"), (TableRow(("1", "—", "—"), "kind"), TableRow(("2", "—", "3"))), frozenset({"b", "c"}), frozenset({"b"}))
    assert without_empty(table, ["b", "c"]) == Table(("a", "c"), (TableRow(("1", "—"), "kind"), TableRow(("2", "3"))), frozenset({"c"}))


def test_sentences_stand_under_their_row_and_everything_else_beside_each_other() -> None:
    table = Table(
        ("claim", "why", "p", "rule"), (TableRow(("it pays", "—", "0.1", "above 0")),), frozenset({"p"}), frozenset({"why", "rule"})
    )
    (row,) = table.rows
    assert table.beside == ("claim", "p")
    assert table.cells_beside(row) == (("claim", "it pays"), ("p", "0.1"))
    assert table.cells_under(row) == (("rule", "above 0"),)


def test_the_mismatch_to_the_target_is_that_of_the_exact_count(sources: Sources) -> None:
    table = runs_table(sources)
    for run_id, text in zip(column(table, "run"), column(table, "off target"), strict=True):
        record = sources.records[run_id]
        assert float(text.removesuffix(" %").replace("−", "-")) == pytest.approx(
            100 * (record.params.body / record.target_body_params - 1), abs=0.05
        )


def test_a_trial_that_lost_is_a_row_that_says_so(tmp_path: Path) -> None:
    sources = read_sources(write_synthetic_study(tmp_path, trials=2))
    table = runs_table(sources)
    states = dict(zip(column(table, "run"), column(table, "state"), strict=True))
    assert len(states) == 24
    assert states["gpt2-2-26k-s0"] == "finished"
    assert states["gpt2-2-26k-s0-trial"] == "finished; another learning rate did better"
    assert not any(run["run_id"].endswith("-trial") for run in sources.measured)


def test_the_setup_names_what_a_reader_needs_to_repeat_it(sources: Sources) -> None:
    setup = dict(setup_rows(sources))
    assert setup["corpus"] == "python-stdlib"
    assert setup["corpus fingerprint"] == "abc123def4567890"
    assert setup["test split"] == "106 documents, 610,000 tokens, 1,600,000 bytes"
    assert setup["documents left out"] == "22 too short, 3 exact duplicates, 71 near duplicates"
    assert setup["tokenizer"] == "byte-level BPE trained on the training split, 1,024 ids"
    assert setup["context"] == "256 tokens"
    assert setup["documents too short for a window"] == "17"
    assert "torch 2.13.0" in setup["versions"]
    assert setup["training precision"] == "float32"


def test_versions_that_changed_between_runs_are_both_named(sources: Sources) -> None:
    records = dict(sources.records)
    first = next(iter(records))
    records[first] = records[first].model_copy(update={"packages": {"torch": "2.14.0"}})
    setup = dict(setup_rows(Sources(**(vars(sources) | {"records": records}))))
    assert "torch 2.13.0 and 2.14.0" in setup["versions"] or "torch 2.14.0 and 2.13.0" in setup["versions"]


def test_what_the_files_do_not_say_is_left_out(sources: Sources) -> None:
    bare = Sources(**(vars(sources) | {"settings": {}, "corpus": {}, "records": {}, "scores": {}}))
    assert dict(setup_rows(bare)) == {"corpus": "an unnamed corpus"}
