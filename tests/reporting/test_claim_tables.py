"""The tables of claims, crossovers, plateaus and paired differences."""

from pathlib import Path
from typing import Any

import pytest
from synthetic_study import write_synthetic_study

from hf_ctxscale.reporting.claim_tables import claims_table, crossover_tables, difference_tables, plateaus_table
from hf_ctxscale.reporting.sources import Sources, read_sources
from hf_ctxscale.reporting.table import Table


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return read_sources(write_synthetic_study(tmp_path_factory.mktemp("claims")))


def column(table: Table, heading: str) -> list[str]:
    return [row.cells[table.headings.index(heading)] for row in table.rows]


def with_fits(sources: Sources, **fits: Any) -> Sources:
    return Sources(**(vars(sources) | {"fits": sources.fits | fits}))


def test_every_row_has_a_cell_for_every_heading(sources: Sources) -> None:
    several = (*crossover_tables(sources), *difference_tables(sources))
    tables = [claims_table(sources), plateaus_table(sources), *(table for _, table in several)]
    for table in tables:
        assert table.rows
        assert {len(row.cells) for row in table.rows} == {len(table.headings)}
        assert table.numeric <= set(table.headings)


def test_claims_show_the_papers_value_both_ps_and_what_they_were_measured_on(sources: Sources) -> None:
    table = claims_table(sources)
    assert column(table, "measured") == ["+0.301 nats", "+0.003 nats", "+0.004 nats", "0.0640", "—"]
    assert column(table, "interval")[:2] == ["[+0.263, +0.339] (95 %)", "[−0.018, +0.013] (90 %)"]
    assert column(table, "paper's value") == ["—", "—", "—", "0.076", "—"]
    assert column(table, "p")[0] == "0.0005"
    assert column(table, "p (Holm)") == ["0.0020", "0.0120", "0.0120", "0.0030", "—"]
    assert column(table, "measured on")[0] == "89 documents, 12 runs, 1 seed, 6M training tokens"
    assert [row.kind for row in table.rows] == ["undecided", "supported", "not-supported", "undecided", "undecided"]


def test_claims_of_a_study_without_tests_have_no_columns_for_them(sources: Sources) -> None:
    claims = [claim | {"paper": None, "p_value": None, "p_adjusted": None} for claim in sources.fits["claims"]]
    assert not {"paper's value", "p", "p (Holm)"} & set(claims_table(with_fits(sources, claims=claims)).headings)


def test_a_crossing_has_its_place_and_the_range_that_both_were_measured_in(sources: Sources) -> None:
    ((title, table),) = crossover_tables(sources)
    assert title == "Over body parameters"
    assert column(table, "verdict") == ["crosses once", "second is better throughout", "no overlap"]
    assert column(table, "crosses at") == ["51K", "—", "—"]
    assert column(table, "interval") == ["[33K, 78K]", "—", "—"]
    assert column(table, "range of both") == ["[26K, 221K]", "[26K, 221K]", "—"]
    assert column(table, "replicates that cross once") == ["99.0 %", "20.0 %", "—"]


def test_a_crossing_in_flops_is_not_written_as_a_count_of_parameters(sources: Sources) -> None:
    crossing = sources.fits["crossovers"][0] | {"x": "train_flops", "x_cross": 3.2e15}
    ((title, table),) = crossover_tables(with_fits(sources, crossovers=[crossing]))
    assert title == "Over training FLOPs"
    assert column(table, "crosses at") == ["3.20e15"]


def test_a_plateau_names_the_model_the_best_form_and_both_judges(sources: Sources) -> None:
    table = plateaus_table(sources)
    assert column(table, "model")[0] == "26K LSTM, 1 layer"
    assert column(table, "verdict") == ["undecided", *["plateau"] * 8, *["power law"] * 2, "undecided"]
    assert column(table, "best form")[0] == "flat after k (c 3.00, b 0.400, k 40)"
    assert column(table, "power law minus plateau")[0] == "+0.050 ± 0.020"
    assert column(table, "by the last octave")[0] == "+0.030 ± 0.025"
    assert (column(table, "best form")[-1], column(table, "why")[-1]) == ("—", "fewer than 20 documents")


def test_models_are_told_apart_by_their_seed_only_where_there_are_several(tmp_path: Path) -> None:
    table = plateaus_table(read_sources(write_synthetic_study(tmp_path, seeds=(0, 1), models={("lstm", 1): ((3.6, 0.0),)})))
    assert column(table, "model") == ["26K LSTM, 1 layer, seed 0", "26K LSTM, 1 layer, seed 1"]


def test_paired_differences_have_a_table_for_each_pair_with_a_row_for_each_bin(sources: Sources) -> None:
    tables = difference_tables(sources)
    assert tables[0][0] == "At 26K body parameters: LSTM, 1 layer minus Transformer, 2 layers."
    positions = column(tables[0][1], "positions")
    assert (positions[0], positions[-1]) == ("1", "204–256")
    assert column(tables[0][1], "difference, nats")[0] == "+0.013"
    assert column(tables[0][1], "simultaneous interval")[0] == "[−0.037, +0.063]"
