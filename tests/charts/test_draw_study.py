"""draw_study: the files of all charts."""

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from matplotlib.image import imread
from synthetic_scores import add_scored_model, write_ablated_study, write_scored_study
from synthetic_study import write_synthetic_study

import hf_ctxscale.charts
from hf_ctxscale.charts.draw import draw_score, draw_study
from hf_ctxscale.charts.study_charts import study_charts
from hf_ctxscale.study import Study, UserError

ALWAYS = ("loss_vs_parameters", "loss_vs_position", "loss_vs_tokens")


@pytest.fixture(scope="module")
def drawn(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Study:
    copy = Study(tmp_path_factory.mktemp("drawn") / "study")
    shutil.copytree(study.folder, copy.folder)
    draw_study(copy)
    return copy


def svg_texts(path: Path) -> set[str]:
    return {"".join(element.itertext()).strip() for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")}


def test_every_chart_is_an_svg_a_png_and_a_pdf_and_nothing_else_is_left(drawn: Study) -> None:
    names = tuple(study_charts(drawn))
    assert set(ALWAYS) <= set(names)
    assert sorted(path.name for path in drawn.charts.iterdir()) == sorted(
        f"{name}.{form}" for name in names for form in ("svg", "png", "pdf")
    )


def test_the_svg_holds_its_labels_as_text(drawn: Study) -> None:
    texts = svg_texts(drawn.charts / "loss_vs_parameters.svg")
    assert {"Parameters (non-embedding)", "Test loss (nats per token)", "LSTM, 1 layer", "LSTM, 4 layers", "Transformer, 2 layers"} <= texts
    texts = svg_texts(drawn.charts / "loss_vs_position.svg")
    assert {"Token index in context", "Per-token test loss (nats)", "26K LSTM, 1 layer", "225K LSTM, 4 layers", "221K Transformer"} <= texts


def test_the_pdf_holds_no_date_and_its_letters_as_letters(drawn: Study) -> None:
    pdf = (drawn.charts / "loss_vs_parameters.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"CreationDate" not in pdf
    assert b"/TrueType" in pdf or b"/CIDFontType2" in pdf


def test_the_png_is_about_1200_pixels_wide(drawn: Study) -> None:
    for name in ALWAYS:
        height, width, _ = imread(drawn.charts / f"{name}.png").shape
        assert 1150 < width < 1300
        assert 0.7 < height / width < 1


def test_another_process_with_other_settings_draws_the_same_bytes_and_changes_nothing_global(drawn: Study, tmp_path: Path) -> None:
    again = Study(tmp_path / "study")
    shutil.copytree(drawn.folder, again.folder, ignore=shutil.ignore_patterns("charts"))
    code = f"""
import pathlib, sys, matplotlib
matplotlib.rcParams.update({{"svg.fonttype": "path", "axes.grid": True, "font.size": 20, "axes.facecolor": "yellow", "font.family": "serif"}})
before = matplotlib.rcParams.copy()
from hf_ctxscale.charts.draw import draw_study
from hf_ctxscale.study import Study
draw_study(Study(pathlib.Path({str(again.folder)!r})))
assert matplotlib.rcParams.copy() == before
print(sorted({{"torch", "transformers", "datasets", "matplotlib.pyplot"}} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
    for path in drawn.charts.iterdir():
        assert (again.charts / path.name).read_bytes() == path.read_bytes()


def test_the_papers_form_is_one_chart_more_and_goes_when_it_is_not_asked_for_again(drawn: Study, tmp_path: Path) -> None:
    copy = Study(tmp_path / "study")
    shutil.copytree(drawn.folder, copy.folder)
    modern = {path.name for path in copy.charts.iterdir()}
    (copy.charts / "mine.png").touch()
    draw_study(copy, style="figure7", paper=True)
    added = {path.name for path in copy.charts.iterdir()} - modern
    assert added == {"figure7.svg", "figure7.png", "figure7.pdf", "mine.png"}
    assert "Kaplan et al. 2020 (approximate)" in svg_texts(copy.charts / "figure7.svg")
    assert not any("approximate" in text for text in svg_texts(copy.charts / "loss_vs_parameters.svg"))
    draw_study(copy, paper=True)
    assert {path.name for path in copy.charts.iterdir()} == modern | {"mine.png"}
    assert "Kaplan et al. 2020 (approximate)" in svg_texts(copy.charts / "loss_vs_parameters.svg")


def test_no_chart_module_imports_pyplot() -> None:
    for file in Path(hf_ctxscale.charts.__path__[0]).glob("*.py"):
        assert "import matplotlib.pyplot" not in file.read_text()
        assert "from matplotlib import pyplot" not in file.read_text()


def test_a_study_of_failed_unfinished_and_unfitted_runs_is_drawn(tmp_path: Path) -> None:
    failed, unfinished = ("gpt2-2-222k-s0", "lstm-4-76k-s0"), ("lstm-2-26k-s0",)
    study = write_synthetic_study(tmp_path, failed=failed, unfinished=unfinished, fits=False, one_document=True)
    draw_study(study)
    texts = svg_texts(study.charts / "loss_vs_position.svg")
    assert "221K Transformer" not in texts
    assert "76K Transformer" in texts
    assert any("2 failed runs" in text for text in texts)
    assert any("no intervals: 1 test document" in text for text in texts)


def test_a_study_without_any_finished_run_says_so(tmp_path: Path) -> None:
    study = write_synthetic_study(tmp_path, failed=("lstm-1-26k-s0",), models={("lstm", 1): ((3.6, 0.0),)}, fits=False)
    draw_study(study)
    for name in ALWAYS:
        assert "no finished run to draw" in svg_texts(study.charts / f"{name}.svg")


def test_a_learning_rate_that_lost_is_not_drawn(drawn: Study, tmp_path: Path) -> None:
    study = write_synthetic_study(tmp_path, trials=2)
    assert any(record.run_id.endswith("-trial") for record in study.run_records())
    draw_study(study)
    for name in ALWAYS:
        assert (study.charts / f"{name}.svg").read_bytes() == (drawn.charts / f"{name}.svg").read_bytes()


def test_a_study_with_an_ablation_has_the_chart_of_context_use_too(tmp_path: Path) -> None:
    study = write_ablated_study(tmp_path, models={("lstm", 1): ((3.6, 0.0),), ("gpt2", 2): ((3.5, 0.0),)})
    add_scored_model(study, "/tmp/exact", loss=2.5, model_type="ctxscale_exact_predictor")
    assert {*ALWAYS, "context_use"} <= {path.stem for path in draw_study(study)}
    wanted = {"26K LSTM, 1 layer", "26K Transformer, 2 layers", "best possible", "python-stdlib, test split · windows inside documents"}
    assert wanted <= svg_texts(study.charts / "context_use.svg")
    assert "best possible" in svg_texts(study.charts / "loss_vs_position.svg")
    assert "best possible" not in svg_texts(study.charts / "loss_vs_parameters.svg")


def test_a_study_of_scores_alone_has_only_the_chart_of_context_use(tmp_path: Path) -> None:
    study = write_scored_study(tmp_path, ablation=False)
    assert [path.name for path in draw_study(study)] == ["context_use.svg", "context_use.png", "context_use.pdf"]
    assert {"small", "large"} <= svg_texts(study.charts / "context_use.svg")


def test_the_chart_of_a_card_shows_one_score_and_lies_beside_its_record(tmp_path: Path) -> None:
    study = write_scored_study(tmp_path, models=("org/a.b", "org/c"))
    svg, png = draw_score(study, "org--a.b-score")
    assert (svg, png) == tuple(study.scores / "org--a.b-score" / f"context_use.{form}" for form in ("svg", "png"))
    assert "a.b" in svg_texts(svg)
    assert "c" not in svg_texts(svg)
    with pytest.raises(UserError, match=r"positions\.parquet holds no score 'nothing'; write it anew with"):
        draw_score(study, "nothing")


@pytest.mark.filterwarnings("error")
def test_long_and_odd_names_leave_room_for_the_curves(tmp_path: Path) -> None:
    study = write_scored_study(tmp_path, models=("org/$m$" + 90 * "x",), corpus="$books$ " + 90 * "y")
    svg, _ = draw_score(study, study.score_records()[0].score_id)
    assert any(text.startswith("$books$ yyy") and "yyyyyyyy, test split" in text for text in svg_texts(svg))
    assert any(text.startswith("$m$xxx") and text.endswith("…xxxxxxxx") for text in svg_texts(svg))


@pytest.mark.parametrize("table", ["runs", "positions"])
def test_a_missing_table_is_an_error_that_says_what_to_do(study: Study, tmp_path: Path, table: str) -> None:
    copy = Study(tmp_path / "study")
    shutil.copytree(study.folder, copy.folder)
    copy.results_file(table).unlink()
    with pytest.raises(UserError, match=rf"{table}\.parquet does not exist; the command"):
        draw_study(copy)


@pytest.mark.parametrize(
    ("text", "message"), [("{", "not valid JSON"), ("[]", "format None"), (json.dumps({"format": 1}), "format 1; this version reads 2")]
)
def test_fits_of_another_format_are_refused(study: Study, tmp_path: Path, text: str, message: str) -> None:
    copy = Study(tmp_path / "study")
    shutil.copytree(study.folder, copy.folder)
    copy.fits_file.write_text(text)
    with pytest.raises(UserError, match=message):
        draw_study(copy)
