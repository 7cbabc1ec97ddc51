"""What reports say of scored models, ablations and window policies."""

import re
from pathlib import Path

import pytest
from synthetic_scores import add_scored_model, score_of, write_ablated_study, write_scored_study
from synthetic_study import write_synthetic_study

from hf_ctxscale.charts.draw import draw_study
from hf_ctxscale.charts.study_charts import study_charts
from hf_ctxscale.columns import RUNS_SCHEMA
from hf_ctxscale.files import read_table, write_record, write_table
from hf_ctxscale.reporting.report import write_report
from hf_ctxscale.reporting.setup import setup_rows
from hf_ctxscale.reporting.sources import read_sources
from hf_ctxscale.reporting.table import Table
from hf_ctxscale.reporting.tables import runs_table, scored_table
from hf_ctxscale.reporting.words import how_to_read, result_sentence
from hf_ctxscale.study import Study

LSTM = {("lstm", 1): ((3.6, 0.0),)}


def column(table: Table, heading: str) -> list[str]:
    return [row.cells[table.headings.index(heading)] for row in table.rows]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two scored models with their report."""
    study = write_scored_study(tmp_path_factory.mktemp("scored"))
    draw_study(study)
    write_report(study)
    return study


def test_a_study_of_scores_alone_is_reported_without_claims_runs_or_fits(scored: Study) -> None:
    text = (scored.folder / "report.md").read_text()
    assert (
        "**On the test split of python-stdlib, with 256 tokens of context, losses in nats per token: small 3.400 [3.330, 3.470] and "
        "large 3.100 [3.030, 3.170].**"
    ) in text
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == [
        "Scored models",
        "How to read this",
        "Setup",
        "Commands",
        "Methods, for a paper",
    ]
    assert re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text) == ["charts/context_use.png"]
    assert "Intervals are 95 % ones over the choice of 89 documents, given these models." in text
    assert "| 30 tokens [15, 51] |" in text


def test_the_page_of_scores_alone_has_one_chart_and_no_claims(scored: Study) -> None:
    html = (scored.folder / "report.html").read_text()
    assert html.count("<svg") == html.count("<figure>") == 1
    assert "<h2>Claims</h2>" not in html
    assert "<h2>Scored models</h2>" in html


def test_scores_of_different_tokens_are_not_put_into_one_sentence(tmp_path: Path) -> None:
    study = write_scored_study(tmp_path)
    add_scored_model(study, "org/other-tokenizer", loss=2.0, tokens_fingerprint="other")
    assert result_sentence(read_sources(study)) == "3 scores on python-stdlib; the table of scored models holds the numbers of each."


def test_a_study_of_runs_shows_scored_models_in_a_table_of_their_own(tmp_path: Path) -> None:
    study = write_ablated_study(tmp_path, models=LSTM)
    add_scored_model(study, "org/small", loss=3.0)
    sources = read_sources(study)
    assert column(runs_table(sources), "run") == ["lstm-1-26k-s0"]
    assert column(scored_table(sources), "model") == ["small"]
    assert len(sources.measured) == 1
    study.charts.mkdir()
    for name in study_charts(study):
        (study.charts / f"{name}.svg").write_text("<svg></svg>")
    text = write_report(study).with_suffix(".md").read_text()
    assert "## Scored models" in text
    assert "charts/context_use.png" in text


def test_the_effective_context_is_a_column_only_where_it_was_measured(tmp_path: Path) -> None:
    plain, cut = write_synthetic_study(tmp_path / "plain", models=LSTM), write_ablated_study(tmp_path / "cut", models=LSTM)
    assert "effective context" not in runs_table(read_sources(plain)).headings
    assert column(runs_table(read_sources(cut)), "effective context") == ["12 tokens [6, 20]"]
    assert not any("Effective context" in sentence for sentence in how_to_read(read_sources(plain)))
    (sentence,) = [sentence for sentence in how_to_read(read_sources(cut)) if sentence.startswith("Effective context")]
    assert "at most 0.02 nats above" in sentence
    assert "k = 1, 2, 4, 8" in dict(setup_rows(read_sources(cut)))["ablation"]
    assert "ablation" not in dict(setup_rows(read_sources(plain)))


def test_a_run_that_was_scored_in_another_way_too_is_one_run_and_one_more_score(tmp_path: Path) -> None:
    study = write_synthetic_study(tmp_path, models={("lstm", 1): ((3.6, 0.0), (3.4, 0.0))})
    rows = read_table(study.results_file("runs")).to_pylist()
    changes = {"run_id": rows[0]["run_id"], "windows": "start", "training_step": 2930, "carry_state": True}
    write_record(study.score_file("second"), score_of("second", rows[0]["model"]).model_copy(update=changes))
    write_table(study.results_file("runs"), [rows[0] | {"score_id": "second", "loss_nats": 9.0}, *rows], RUNS_SCHEMA)
    sources = read_sources(study)
    assert [row["loss_nats"] for row in sources.runs] == [row["loss_nats"] for row in rows]
    assert column(scored_table(sources), "windows") == ["start, state carried"]
    assert column(scored_table(sources), "model") == ["26K LSTM, 1 layer, state carried"]


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        ("within", "Windows start anywhere in a document"),
        ("start", "Windows start at a document's first token"),
        ("packed", "Windows are cut from documents that are joined"),
    ],
)
def test_the_report_says_where_its_windows_lie(tmp_path: Path, windows: str, said: str) -> None:
    study = write_synthetic_study(tmp_path, models=LSTM)
    for score in study.score_records():
        write_record(study.score_file(score.score_id), score.model_copy(update={"windows": windows}))
    sentences = " ".join(how_to_read(read_sources(study)))
    assert said in sentences
    assert sentences.count("Windows ") == 1
    assert f"policy '{windows}'" in dict(setup_rows(read_sources(study)))["scored on"]
