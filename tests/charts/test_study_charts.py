"""study_charts: which charts a study has, and in which order."""

from pathlib import Path

import pytest
from made_up_fits import made_up_table_fits, write_made_up_fits
from synthetic_scores import write_ablated_study, write_scored_study
from synthetic_study import write_synthetic_study

from hf_ctxscale.charts.study_charts import ORDER, study_charts
from hf_ctxscale.columns import RUNS_SCHEMA
from hf_ctxscale.files import read_table, write_json, write_table
from hf_ctxscale.study import Study

ONE_SERIES = {("lstm", 1): ((3.6, 0.0), (3.4, 0.0), (3.1, 0.0))}


def test_charts_come_in_the_reports_order_under_their_own_names(study: Study) -> None:
    charts = study_charts(study)
    assert list(charts) == [name for name in ORDER if name in charts]
    assert all(chart.name == name for name, chart in charts.items())
    assert {"loss_vs_parameters", "loss_vs_position", "paired_difference", "loss_vs_flops", "size_residuals"} <= set(charts)
    assert {"figure7", "context_use", "excess_over_best", "learning_rates"}.isdisjoint(charts)


def test_every_chart_that_there_can_be_is_in_the_order(tmp_path: Path) -> None:
    study = write_ablated_study(tmp_path, trials=2)
    write_made_up_fits(study, best_possible=True)
    assert set(ORDER) - set(study_charts(study, style="figure7")) <= {"profiles"}


def test_a_study_without_fits_has_the_charts_of_its_measurements(tmp_path: Path) -> None:
    charts = study_charts(write_synthetic_study(tmp_path, fits=False))
    assert {"loss_vs_parameters", "loss_vs_position", "loss_vs_tokens", "loss_vs_flops"} <= set(charts)
    assert {"size_residuals", "position_residuals", "paired_difference", "profiles"}.isdisjoint(charts)


def test_a_run_of_another_budget_stands_in_no_chart_of_size(tmp_path: Path) -> None:
    study = write_synthetic_study(tmp_path, models=ONE_SERIES)
    before = study_charts(study)["loss_vs_parameters"]
    rows = read_table(study.results_file("runs")).to_pylist()
    half = rows[0] | {"run_id": "half", "score_id": "half-score", "train_tokens": rows[0]["train_tokens"] // 2, "loss_nats": 4.5}
    write_table(study.results_file("runs"), [*rows, half], RUNS_SCHEMA)
    assert study_charts(study)["loss_vs_parameters"] == before


def test_scores_alone_have_the_chart_of_context_use_alone(tmp_path: Path) -> None:
    assert list(study_charts(write_scored_study(tmp_path))) == ["context_use"]


@pytest.mark.parametrize(
    ("kind", "name"), [("size", "loss_vs_parameters"), ("size_and_data", "loss_vs_data"), ("position", "loss_vs_position")]
)
def test_numbers_from_elsewhere_have_the_charts_of_their_fits(tmp_path: Path, kind: str, name: str) -> None:
    study = Study(tmp_path)
    study.table_file.write_text("made up for this test\n")
    write_json(study.fits_file, made_up_table_fits(kind))
    charts = study_charts(study, style="figure7", paper=True)
    assert name in charts
    assert set(charts) <= set(ORDER)


def test_every_chart_names_the_corpus_once(study: Study) -> None:
    for chart in study_charts(study).values():
        assert chart.subtitle.count("python-stdlib") == 1, chart.name
