"""The tables of the report."""

from pathlib import Path
from typing import Any

import pytest
from synthetic_study import write_synthetic_study

from hf_ctxscale.reporting.setup import setup_rows
from hf_ctxscale.reporting.sources import Sources, read_sources
from hf_ctxscale.reporting.tables import Table, claims_table, position_fits_table, runs_table, size_fits_table


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return read_sources(write_synthetic_study(tmp_path_factory.mktemp("tables")))


def column(table: Table, heading: str) -> list[str]:
    return [row.cells[table.headings.index(heading)] for row in table.rows]


def with_fits(sources: Sources, **fits: Any) -> Sources:
    return Sources(**(vars(sources) | {"fits": sources.fits | fits}))


def test_every_row_has_a_cell_for_every_heading(sources: Sources) -> None:
    for table in (claims_table(sources), runs_table(sources), size_fits_table(sources), position_fits_table(sources)):
        assert table.rows
        assert {len(row.cells) for row in table.rows} == {len(table.headings)}
        assert table.numeric <= set(table.headings)


def test_claims_show_sign_unit_and_the_confidence_of_their_interval(sources: Sources) -> None:
    table = claims_table(sources)
    assert column(table, "measured") == ["+0.301 nats", "+0.003 nats", "—"]
    assert column(table, "interval") == ["[+0.263, +0.339] (95 %)", "[−0.028, +0.033] (90 %)", "—"]
    assert [row.kind for row in table.rows] == ["supported", "undecided", "not-supported"]


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


def test_a_parameter_that_is_not_identifiable_is_named_so_with_the_reason(sources: Sources) -> None:
    nothing = {"value": None, "low": None, "high": None}
    fit = sources.fits["loss_vs_parameters"][0] | {
        "params": {"alpha": nothing, "n_c": nothing},
        "converged": False,
        "reason": "one size only",
    }
    table = size_fits_table(with_fits(sources, loss_vs_parameters=[fit]))
    assert column(table, "alpha") == column(table, "N_c") == ["not identifiable"]
    assert column(table, "outcome") == ["one size only"]


def test_the_largest_residual_keeps_its_sign(sources: Sources) -> None:
    fit = sources.fits["loss_vs_position"][0] | {"residual_nats": [0.01, -0.04, 0.02, None]}
    assert column(position_fits_table(with_fits(sources, loss_vs_position=[fit])), "largest residual, nats") == ["−0.040"]


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
