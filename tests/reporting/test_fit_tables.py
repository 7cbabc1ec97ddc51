"""The tables of fits."""

from typing import Any

import pytest
from synthetic_study import write_synthetic_study

from hf_ctxscale.reporting.fit_tables import position_fits_table, size_and_data_fits_table, size_fit_tables
from hf_ctxscale.reporting.sources import Sources, read_sources
from hf_ctxscale.reporting.table import Table


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return read_sources(write_synthetic_study(tmp_path_factory.mktemp("fits")))


def column(table: Table, heading: str) -> list[str]:
    return [row.cells[table.headings.index(heading)] for row in table.rows]


def with_fits(sources: Sources, **fits: Any) -> Sources:
    return Sources(**(vars(sources) | {"fits": sources.fits | fits}))


def with_first_size_fit(sources: Sources, **changes: Any) -> Table:
    """The table of a single fit of loss against body parameters."""
    ((_, table),) = size_fit_tables(with_fits(sources, loss_vs_size=[sources.fits["loss_vs_size"][0] | changes]))
    return table


def test_every_row_has_a_cell_for_every_heading(sources: Sources) -> None:
    tables = [size_and_data_fits_table(sources), position_fits_table(sources), *(table for _, table in size_fit_tables(sources))]
    for table in tables:
        assert table.rows
        assert {len(row.cells) for row in table.rows} == {len(table.headings)}
        assert table.numeric <= set(table.headings)


def test_each_x_axis_has_a_table_with_both_forms_for_every_series(sources: Sources) -> None:
    tables = dict(size_fit_tables(sources))
    assert list(tables) == [
        f"Loss against {axis}" for axis in ("body parameters", "total parameters", "training FLOPs", "training seconds")
    ]
    forms = column(tables["Loss against body parameters"], "form")
    assert forms == ["(N_c/N)^alpha", "E + A*N^-alpha"] * 4
    assert column(tables["Loss against body parameters"], "E")[0] == "—"
    assert column(tables["Loss against body parameters"], "paper's value")[0] == "alpha 0.076"
    assert "paper's value" not in tables["Loss against total parameters"].headings


def test_a_parameter_that_is_not_identifiable_is_named_so_with_the_reason(sources: Sources) -> None:
    nothing = {"value": None, "low": None, "high": None, "reason": "one size only"}
    table = with_first_size_fit(
        sources, params={"alpha": nothing, "n_c": nothing}, converged=False, reason="one size only", convergence=None
    )
    assert column(table, "alpha") == column(table, "N_c") == ["not identifiable"]
    assert column(table, "why") == ["one size only"]
    assert column(table, "convergence") == ["not fitted"]
    assert [row.kind for row in table.rows] == ["no-answer"]


def test_a_reason_that_several_parameters_share_is_said_once(sources: Sources) -> None:
    flat, steep = ({"value": None, "low": None, "high": None, "reason": reason} for reason in ("it is flat", "it is steep"))
    table = with_first_size_fit(sources, form="E + A*N^-alpha", params={"e": flat, "a": flat, "alpha": steep}, reason=None)
    assert column(table, "why") == ["E, A: it is flat; alpha: it is steep"]


def test_an_interval_with_one_end_says_which_side_is_open(sources: Sources) -> None:
    params = {
        "alpha": {"value": 0.2, "low": None, "high": 0.3, "reason": None},
        "n_c": {"value": 1e9, "low": None, "high": None, "reason": None},
    }
    table = with_first_size_fit(sources, params=params)
    assert column(table, "alpha") == ["0.200 [open, 0.300]"]
    assert column(table, "N_c") == ["1.00e9 (no interval)"]


def test_objective_gradient_starts_and_log_huber_stand_beside_every_fit(sources: Sources) -> None:
    table = with_first_size_fit(sources, log_huber={"alpha": 0.07, "n_c": 1e13})
    assert column(table, "convergence") == ["converged; objective 3.20e−4, gradient 1.5e−11, 12 of 12 starts agree"]
    assert column(table, "log-Huber") == ["alpha 0.0700, N_c 1.00e13"]
    assert column(with_first_size_fit(sources, converged=False), "convergence")[0].startswith("not converged; objective")


def test_the_largest_residual_keeps_its_sign(sources: Sources) -> None:
    fit = sources.fits["loss_vs_position"][0]
    points = [fit["points"][0] | {"residual": residual} for residual in (0.01, -0.04, 0.02, None)]
    table = position_fits_table(with_fits(sources, loss_vs_position=[fit | {"points": points}]))
    assert column(table, "largest residual, nats") == ["−0.040"]


def test_models_of_position_fits_are_in_the_charts_order(sources: Sources) -> None:
    backwards = with_fits(sources, loss_vs_position=sources.fits["loss_vs_position"][::-1])
    assert position_fits_table(backwards) == position_fits_table(sources)
    assert column(position_fits_table(sources), "model")[0] == "26K LSTM, 1 layer"
