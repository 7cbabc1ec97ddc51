"""`hf-ctxscale score`: what it leaves, in a new study and in a trained one; the command that repeats it, a full disk, and mistakes as sentences."""

import errno
import json
import shlex
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hf_ctxscale.analysis.measured import main_scores
from hf_ctxscale.analysis.positions import load_losses
from hf_ctxscale.cli.main import app, main
from hf_ctxscale.records import ScoreRecord
from hf_ctxscale.scoring import measure
from hf_ctxscale.study import Study
from tests.scoring.saved_models import save_tiny, write_documents

CONTEXT = 12


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> list[Path]:
    """A Transformer and an LSTM of one tokenizer; not to be changed."""
    folder = tmp_path_factory.mktemp("models")
    return [save_tiny(folder / "gpt2"), save_tiny(folder / "lstm", model_type="ctxscale_lstm")]


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    return write_documents(tmp_path_factory.mktemp("text") / "short-texts")


@pytest.fixture
def study(tmp_path) -> Study:
    return Study(tmp_path / "study")


@pytest.fixture
def trained(finished, tmp_path) -> Study:
    """A copy of a study with an LSTM and a Transformer, both scored."""
    _, study, _ = finished
    return Study(Path(shutil.copytree(study.folder, tmp_path / "trained")))


def score(study: Study, *arguments: object) -> None:
    app(["score", *map(str, arguments), "--out", str(study.folder)], standalone_mode=False)


def leave(study: Study, *arguments: object, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of the command line itself."""
    monkeypatch.setattr(sys, "argv", ["hf-ctxscale", "score", *map(str, arguments), "--out", str(study.folder)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def scored_files(study: Study, record: ScoreRecord) -> set[str]:
    return {file.name for file in (study.scores / record.score_id).iterdir()}


def test_two_models_leave_scores_tables_charts_cards_and_a_comparison(models, text, study, capsys):
    score(study, *models, "--corpus", text, "--context", CONTEXT, "--ablation")
    records = {record.model: record for record in study.score_records()}
    assert set(records) == set(map(str, models))
    for record in records.values():
        files = {"score.json", "losses.parquet", "losses_by_bytes.parquet", "ablation.parquet", "card.md", "model-index.yaml"}
        assert scored_files(study, record) == files | {"context_use.svg", "context_use.png"}
    ids = {record.score_id for record in records.values()}
    for table in ("runs", "curves", "positions", "bytes", "ablation"):
        rows = pq.read_table(study.results_file(table)).to_pylist()
        assert {row["score_id"] for row in rows} == ids
    rows = {row["model"]: row for row in pq.read_table(study.results_file("runs")).to_pylist()}
    assert all(row["run_id"] is None and row["loss_nats"] > 0 and row["effective_context"] >= 1 for row in rows.values())
    [pair] = json.loads((study.results / "comparisons.json").read_text())["pairs"]
    assert ({pair["a"], pair["b"]}, pair["refused"]) == (ids, None)
    printed = capsys.readouterr().out
    assert "undecided" in printed, "five documents are too few"
    assert all(str(study.scores / score_id / "card.md") in printed for score_id in ids)


def test_the_same_again_says_so_and_leaves_the_scores_as_they_are(models, text, study, capsys):
    command = (*models, "--corpus", text, "--context", CONTEXT)
    score(study, *command)
    before = {name: content for name, content in contents(study.scores).items() if name.endswith((".json", ".parquet"))}
    capsys.readouterr()
    score(study, *command)
    printed = capsys.readouterr().out
    assert [f"{model} is scored already; skipped." in printed for model in models] == [True, True]
    assert {name: contents(study.scores)[name] for name in before} == before


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--windows", "start", "--bos", "always", "--dtype", "float64"),
        ("--seed", "3", "--max-windows", "2", "--ablation"),
        ("--split", "train"),
        ("--split", "test"),
        ("--windows", "packed", "--tokenizer", "{model}"),
        ("--carry-state",),
    ],
)
def test_the_recorded_command_repeats_the_score(options, models, tmp_path, study):
    text = write_documents(tmp_path / "many texts", num_documents=30, num_words=40)
    model = models[1]
    score(study, model, "--corpus", text, "--context", CONTEXT, *(option.format(model=model) for option in options))
    [record] = study.score_records()
    words = shlex.split(record.command)
    assert (words[:2], words[-2:]) == (["hf-ctxscale", "score"], ["--out", "STUDY"])
    again = Study(tmp_path / "again")
    score(again, *words[2:-2])
    [repeated] = again.score_records()
    assert repeated.model_copy(update={"seconds": record.seconds}) == record
    for file in scored_files(study, record) & {"losses.parquet", "losses_by_bytes.parquet", "ablation.parquet"}:
        assert (again.scores / record.score_id / file).read_bytes() == (study.scores / record.score_id / file).read_bytes()


def test_the_recorded_command_names_the_text_column(models, tmp_path, study):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": "no", "said": f"the cat {number} sat on the mat " * 20}) + "\n" for number in range(3)))
    score(study, models[0], "--corpus", rows, "--context", CONTEXT, "--text-column", "said")
    [record] = study.score_records()
    assert "--text-column said" in record.command


# In a study with runs


def test_a_studys_own_runs_are_scored_already_as_model_folders_and_as_a_study(trained, capsys):
    before = contents(trained.scores)
    runs = [trained.model_folder(record.run_id) for record in trained.run_records()]
    score(trained, *runs)
    score(trained, trained.folder)
    assert capsys.readouterr().out.count("is scored already; skipped.") == 4
    after = contents(trained.scores)
    assert {name: after[name] for name in before} == before
    assert {record.run_id for record in trained.score_records()} == {record.run_id for record in trained.run_records()}


def test_another_way_of_scoring_a_run_does_not_become_its_main_score(trained):
    main_before = main_scores(trained)
    [lstm] = [record for record in trained.run_records() if record.architecture == "lstm"]
    score(trained, trained.model_folder(lstm.run_id), "--carry-state")
    score(trained, trained.model_folder(lstm.run_id), "--windows", "start")
    assert len([record for record in trained.score_records() if record.run_id == lstm.run_id]) == 3
    assert main_scores(trained) == main_before
    rows = [row for row in pq.read_table(trained.results_file("runs")).to_pylist() if row["run_id"] == lstm.run_id]
    assert rows[0]["score_id"] == main_before[lstm.run_id].score_id
    assert len({row["loss_nats"] for row in rows}) == 3


def test_a_model_from_elsewhere_is_measured_on_the_studys_test_documents(trained, models):
    score(trained, models[0])
    [record] = [record for record in trained.score_records() if record.run_id is None]
    assert (record.split, record.context_tokens) == ("test", 8)
    own = trained.score_records()[0]
    one, two = (set(load_losses(trained.losses_file(score_id)).documents) for score_id in (record.score_id, own.score_id))
    assert one == two


# What goes wrong


def test_a_full_disk_is_a_sentence_and_what_was_finished_is_whole(models, text, study, monkeypatch, capsys):
    save, written = measure.save_losses, []

    def full(path: Path, losses) -> None:
        written.append(path)
        if len(written) == 4:  # by position and by bytes, of two models
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        save(path, losses)

    monkeypatch.setattr(measure, "save_losses", full)
    command = (*models, "--corpus", text, "--context", CONTEXT)
    assert leave(study, *command, monkeypatch=monkeypatch) == 1
    message = capsys.readouterr().err
    assert (
        f"error: there is no room left on the disk ({written[-1]}); what was finished is whole. Make room, and the same command" in message
    )
    assert "Traceback" not in message
    [whole] = study.score_records()
    assert whole.model == str(models[0])
    assert load_losses(study.losses_file(whole.score_id)).num_tokens.sum() == whole.num_tokens
    before = contents(study.scores / whole.score_id)

    monkeypatch.setattr(measure, "save_losses", save)
    score(study, *command)
    assert "is scored already; skipped." in capsys.readouterr().out
    assert [record.model for record in sorted(study.score_records(), key=lambda record: record.model)] == sorted(map(str, models))
    after = contents(study.scores / whole.score_id)
    assert {name: after[name] for name in before if name.endswith(("json", "parquet"))} == {
        name: content for name, content in before.items() if name.endswith(("json", "parquet"))
    }
    assert not [name for name in contents(study.scores) if Path(name).name.startswith(".")]


def test_another_error_of_the_system_is_not_taken_for_a_full_disk(models, text, study, monkeypatch):
    def broken(path: Path, losses) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(measure, "save_losses", broken)
    with pytest.raises(OSError, match="Input/output error"):
        score(study, models[0], "--corpus", text, "--context", CONTEXT)


def test_every_mistake_is_a_sentence_with_exit_code_2_and_leaves_nothing(models, text, tmp_path, monkeypatch, capsys):
    gpt2 = models[0]
    mistakes = {
        "there is no model folder './nowhere'": ("./nowhere", "--corpus", text),
        "holds no config.json, so it is no saved model": (text, "--corpus", text),
        "there is no corpus 'shakespeer'": (gpt2, "--corpus", "shakespeer"),
        "no --corpus was given": (gpt2,),
        "dtype 'int4' is not known": (gpt2, "--corpus", text, "--context", CONTEXT, "--dtype", "int4"),
        "device 'tpu-pod' cannot be used": (gpt2, "--corpus", text, "--context", CONTEXT, "--device", "tpu-pod"),
        "exceeds the 256 positions of": (gpt2, "--corpus", text, "--context", 257),
        "is longer than any document of the": (models[1], "--corpus", text, "--context", 5000),
        "is not recurrent: it has no state of constant size to carry": (gpt2, "--corpus", text, "--context", CONTEXT, "--carry-state"),
        "use --windows within with --carry-state": (
            models[1],
            "--corpus",
            text,
            "--context",
            CONTEXT,
            "--carry-state",
            "--windows",
            "start",
        ),
    }
    for words, arguments in mistakes.items():
        study = Study(tmp_path / "study")
        assert leave(study, *arguments, monkeypatch=monkeypatch) == 2, words
        message = capsys.readouterr().err.lstrip()
        assert message.startswith("error: "), message
        assert words in message
        assert "Traceback" not in message
        assert not list(study.scores.glob("*/score.json"))


def test_a_folder_that_holds_scores_alone_can_be_analysed_and_drawn_again(models, text, study):
    score(study, models[0], "--corpus", text, "--context", CONTEXT)
    for file in (study.results_file("runs"), study.folder / "report.html", study.charts / "context_use.png"):
        file.unlink()
    app(["analyse", str(study.folder)], standalone_mode=False)
    assert study.results_file("runs").is_file()
    app(["draw", str(study.folder)], standalone_mode=False)
    assert (study.folder / "report.html").is_file()
    assert (study.charts / "context_use.png").is_file()


def test_a_file_in_the_studys_place_is_refused(models, text, tmp_path, capsys, monkeypatch):
    (tmp_path / "taken").touch()
    assert leave(Study(tmp_path / "taken"), models[0], "--corpus", text, monkeypatch=monkeypatch) == 2
    assert "taken' is a file; give a folder for the study." in capsys.readouterr().err.replace("\n", "")


def test_an_interrupted_score_says_how_it_goes_on(models, text, study, capsys, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("hf_ctxscale.scoring.score_models.measure", interrupt)
    assert leave(study, models[0], "--corpus", text, "--context", CONTEXT, monkeypatch=monkeypatch) == 130
    assert "interrupted; the same command goes on" in capsys.readouterr().out
