"""`hf-ctxscale analyse` and `draw`: of a study and its parts, and of tables from elsewhere."""

import json
import os
import shutil
import sys

import numpy as np
import pytest

from hf_ctxscale.cli.words import laws_in_words, unidentified_in_words
from hf_ctxscale.study import Study
from tests.conftest import run_command

TABLES = {
    "size": "N,loss,series\n" + "".join(f"{n:.0f},{1.7 + 400 * n**-0.34:.4f},{s}\n" for s in "ab" for n in np.geomspace(1e6, 1e9, 6)),
    "size and data": "N,D,loss\n"
    + "".join(
        f"{n:.0f},{d:.0f},{1.69 + 406.4 * n**-0.34 + 410.7 * d**-0.28:.4f}\n"
        for n in np.geomspace(1e7, 1e9, 4)
        for d in np.geomspace(1e9, 1e11, 3)
    ),
    "position": "position,loss\n" + "".join(f"{t},{2.4 + 5.1 * t**-0.61:.4f}\n" for t in range(1, 257)),
}


@pytest.fixture
def command(monkeypatch, capsys):
    """`hf-ctxscale` in this process: its exit code, what it printed, and its error."""
    from hf_ctxscale.cli.main import main

    def run(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hf-ctxscale", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return int(stopped.value.code or 0), printed.out, printed.err

    return run


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_from_elsewhere_is_fitted_and_drawn_without_training_anything(command, tmp_path, kind):
    table = tmp_path / "given.csv"
    table.write_text(TABLES[kind])
    code, printed, error = command("analyse", table)
    assert code == 0, error
    folder = tmp_path / "given-fits"
    assert str(folder / "results" / "fits.json") in printed
    assert "95 % intervals come from the scatter of the rows" in printed.replace("\n  ", " ")
    code, printed, error = command("draw", table)
    assert code == 0, error
    assert "analyse" not in printed, "the fits were there"
    drawn = {path.name for path in (folder / "charts").iterdir()}
    expected = {"size": "loss_vs_parameters", "size and data": "loss_vs_data", "position": "loss_vs_position"}[kind]
    assert {f"{expected}.{form}" for form in ("svg", "png", "pdf")} <= drawn
    for report in ("report.html", "report.md"):
        assert (folder / report).stat().st_size > 1000


def test_a_table_with_other_names_says_how_to_name_them_and_its_folder_keeps_the_names(command, tmp_path):
    table = tmp_path / "given.csv"
    table.write_text(TABLES["size"].replace("N,loss,series", "params,val,who"))
    code, _, error = command("draw", table)
    assert code == 2
    assert "the columns of" in error
    assert f"analyse {table} --columns N=params,loss=val`" in error
    assert not (tmp_path / "given-fits").exists()
    code, _, error = command("analyse", table, "--columns", "N=params,loss=val,series=who", "--out", tmp_path / "fits")
    assert code == 0, error
    first = Study(tmp_path / "fits").fits_file.read_text()
    code, _, error = command("analyse", tmp_path / "fits")
    assert code == 0, error
    assert Study(tmp_path / "fits").fits_file.read_text() == first
    assert [law["series"] for law in json.loads(first)["loss_vs_size"]] == ["a", "a", "b", "b"]


def test_drawing_a_table_that_has_changed_fits_it_again(command, tmp_path):
    table = tmp_path / "given.csv"
    table.write_text(TABLES["position"])
    fits = Study(tmp_path / "given-fits").fits_file
    code, printed, error = command("draw", table)
    assert (code, "analyse" in printed) == (0, True), error
    table.write_text(TABLES["position"].replace("1,7.5000\n", "1,7.6000\n"))
    os.utime(table, (fits.stat().st_atime, fits.stat().st_mtime + 10))
    before = fits.read_text()
    code, printed, error = command("draw", table)
    assert (code, "analyse" in printed) == (0, True), error
    assert fits.read_text() != before


def test_mistakes_with_tables_and_folders_are_sentences_with_exit_code_2(command, tmp_path):
    table, study, other = tmp_path / "given.csv", tmp_path / "study", tmp_path / "other"
    table.write_text(TABLES["size"])
    for folder, name in ((study, "study.yaml"), (other, "notes.txt")):
        folder.mkdir()
        (folder / name).write_text("name: something\n")
    mistakes = {
        ("analyse", tmp_path / "none.csv"): "there is no file",
        ("draw", tmp_path / "none.csv"): "there is no file",
        ("analyse", tmp_path / "none"): "none' does not exist; make one with",
        ("analyse", other): "holds no study (no study.yaml in it)",
        ("draw", other): "Numbers from elsewhere are given as a CSV file: `hf-ctxscale analyse TABLE.csv`",
        ("analyse", study, "--columns", "N=n"): "--out and --columns are for CSV tables",
        ("analyse", table, "--out", study): "holds a study; give another folder",
        ("analyse", table, "--out", other): "holds other files and no table.csv",
        ("analyse", table, "--out", table): "is a file; give a folder for the fits with --out",
        ("analyse", table, "--columns", "size=n"): "allowed before the '=' are N, D, position, loss",
    }
    for arguments, words in mistakes.items():
        code, _, error = command(*arguments)
        assert code == 2, arguments
        assert words in error, arguments
        assert error.startswith("error: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given.csv", "other", "study"]


def test_a_study_of_one_seed_prints_what_its_intervals_are_conditional_on(finished, tmp_path):
    _, study, _ = finished
    folder = shutil.copytree(study.folder, tmp_path / "study")
    done = run_command("analyse", folder)
    assert done.returncode == 0, done.stderr
    assert "conditional on these trained models (one seed)" in done.stdout
    assert "laws have parameters that are not identifiable" in done.stdout


def test_the_papers_form_is_drawn_on_request_with_the_papers_values_unless_told_otherwise(finished, tmp_path):
    _, study, _ = finished
    folder = shutil.copytree(study.folder, tmp_path / "study")
    assert not (folder / "charts" / "figure7.svg").exists()
    drawings = []
    for options in ((), ("--no-paper",)):
        done = run_command("draw", folder, "--style", "figure7", *options)
        assert done.returncode == 0, done.stderr
        drawings.append((folder / "charts" / "figure7.svg").read_bytes())
    assert drawings[0] != drawings[1]


def test_laws_are_told_in_a_line_each():
    def law(**params) -> dict:
        values = {name: dict(zip(("value", "low", "high", "reason"), numbers, strict=True)) for name, numbers in params.items()}
        return {"label": "ours", "form": "E + A*N^-alpha", "reason": "too few sizes", "params": values}

    known, unknown = (1.69, 1.6, 1.75, None), (None, None, None, "why")
    fits = {
        "loss_vs_size": [law(e=known, alpha=(0.3, None, None, "none")), law(e=known, alpha=unknown), law(e=unknown, alpha=unknown)],
        "loss_vs_size_and_data": [],
        "loss_vs_position": [],
        "crossovers": [{"sentence": "They cross."}],
    }
    assert laws_in_words(fits) == [
        "ours: E + A*N^-alpha: e 1.69 (1.6 to 1.75), alpha 0.3",
        "ours: E + A*N^-alpha: e 1.69 (1.6 to 1.75), alpha not identifiable",
        "ours: E + A*N^-alpha: too few sizes",
        "They cross.",
    ]
    assert unidentified_in_words(fits).startswith("2 of 3 laws have parameters that are not identifiable")
