"""A results dataset: every table loads, a downloaded copy is a study again, and nothing of the machine that made it travels."""

import io
import json
import shlex
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import RepoCard

from hf_ctxscale import columns
from hf_ctxscale.analysis.condense import condense_study
from hf_ctxscale.charts.draw import draw_study
from hf_ctxscale.files import read_table, write_json, write_record, write_table, write_text
from hf_ctxscale.publishing.own_paths import name_in_text, without_own_paths
from hf_ctxscale.publishing.results import results_upload
from hf_ctxscale.publishing.results_tables import published_tables
from hf_ctxscale.publishing.upload import Upload
from hf_ctxscale.reporting.report import build_report
from hf_ctxscale.study import Study, UserError

REPO_ID = "you/tiny-results"


@pytest.fixture(scope="module")
def study(finished) -> Study:
    return finished[1]


@pytest.fixture(scope="module")
def upload(study: Study) -> Upload:
    return results_upload(study, repo_id=REPO_ID)


@pytest.fixture(scope="module")
def downloaded(upload: Upload, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("downloaded")
    for path, content in upload.files.items():
        assert isinstance(content, bytes)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def table(upload: Upload, path: str) -> pa.Table:
    content = upload.files[path]
    assert isinstance(content, bytes)
    return pq.read_table(io.BytesIO(content))


def test_every_config_of_the_card_loads_with_its_rows(upload: Upload, downloaded: Path, tmp_path: Path) -> None:
    from datasets import get_dataset_config_names, load_dataset

    configs = RepoCard.load(downloaded / "README.md").data.configs
    assert [config["config_name"] for config in configs] == ["runs", "curves", "positions", "bytes", "history", "validation_curves"]
    assert [config["config_name"] for config in configs if config.get("default")] == ["runs"]
    assert sorted(get_dataset_config_names(str(downloaded))) == sorted(config["config_name"] for config in configs)
    for config in configs:
        loaded = load_dataset(str(downloaded), config["config_name"], split="train", cache_dir=str(tmp_path))
        expected = table(upload, config["data_files"])
        assert loaded.num_rows == len(expected) > 0
        assert loaded.column_names == expected.column_names
        assert f"| `{config['config_name']}` | {loaded.num_rows:,} |" in (downloaded / "README.md").read_text()
    assert load_dataset(str(downloaded), split="train", cache_dir=str(tmp_path)).column_names == columns.RUNS_SCHEMA.names


def test_a_table_without_rows_is_a_file_and_no_config(study: Study, upload: Upload) -> None:
    assert len(read_table(study.results_file("ablation"))) == 0
    assert len(table(upload, "results/ablation.parquet")) == 0
    assert b"results/ablation.parquet" not in upload.files["README.md"]


def test_histories_and_validation_curves_name_their_run_and_their_bins(study: Study, upload: Upload) -> None:
    history, curves = (table(upload, f"data/{name}.parquet") for name in ("history", "validation_curves"))
    for run in study.run_records():
        of_run = [
            {key: value for key, value in row.items() if key != "run_id"} for row in history.to_pylist() if row["run_id"] == run.run_id
        ]
        assert of_run == read_table(study.history_file(run.run_id)).to_pylist()
        kept = read_table(study.validation_curves_file(run.run_id)).to_pylist()
        for row, expected in zip([row for row in curves.to_pylist() if row["run_id"] == run.run_id], kept, strict=True):
            assert {key: row[key] for key in expected} == expected
            assert (row["position_from"][0], row["position_to"][-1]) == (1, run.context_tokens)
            assert len(row["position_from"]) == len(row["position_to"]) == len(row["num_tokens"])


def test_a_run_without_validation_curves_leaves_the_others_theirs(study: Study, tmp_path: Path) -> None:
    copy = condense_study(study, folder=tmp_path / "copy")
    first, *others = copy.run_records()
    copy.validation_curves_file(first.run_id).unlink()
    tables = {table.name: table for table in published_tables(copy)}
    runs = set(read_table(copy.folder / tables["validation_curves"].path)["run_id"].to_pylist())
    assert runs == {run.run_id for run in others}
    for run in others:
        copy.validation_curves_file(run.run_id).unlink()
    assert "validation_curves" not in {table.name for table in published_tables(copy)}


def test_a_downloaded_copy_is_a_study_that_draws_the_same_charts_and_report(study: Study, upload: Upload, downloaded: Path) -> None:
    copy = Study(downloaded)
    drawn = {path.relative_to(downloaded).as_posix(): path.read_bytes() for path in draw_study(copy) if path.suffix != ".pdf"}
    assert drawn == {path: content for path, content in upload.files.items() if path.startswith("charts/")}
    assert {Path(path).suffix for path in drawn} == {".png", ".svg"}
    theirs, ours = build_report(copy), build_report(study)
    assert theirs.result == ours.result
    assert theirs.sections == ours.sections


def test_the_card_says_what_was_measured_and_how_to_load_it(study: Study, upload: Upload) -> None:
    card = upload.files["README.md"].decode()
    assert build_report(study).verdicts in card
    assert f'load_dataset("{REPO_ID}", "runs", split="train")' in card
    assert f"hf download {REPO_ID} --repo-type dataset" in card
    assert "whose licence is not recorded here" in card
    assert "| claim | measured | interval | verdict |" in card
    for name in ("loss_vs_parameters", "loss_vs_position"):
        assert f"](charts/{name}.png)" in card
        assert f"charts/{name}.png" in upload.files
    assert "@software{hf_ctxscale," in card


@pytest.mark.parametrize("name", columns.ROWS)
def test_every_column_of_a_published_table_has_a_meaning(name: str, upload: Upload) -> None:
    schema = getattr(columns, f"{name.upper()}_SCHEMA")
    for column in schema.names:
        assert columns.meaning(name, column), column
    with pytest.raises(KeyError):
        columns.meaning(name, "no_such_column")
    # What the card shows has no empty cell either.
    assert "` |  |" not in upload.files["README.md"].decode()


def test_the_same_study_gives_the_same_bytes_and_stays_as_it_is(study: Study, upload: Upload) -> None:
    before = {path: path.stat().st_mtime_ns for path in study.folder.rglob("*")}
    again = results_upload(study, repo_id=REPO_ID)
    assert again == upload
    assert {path: path.stat().st_mtime_ns for path in study.folder.rglob("*")} == before


def test_no_path_of_this_machine_travels(study: Study, upload: Upload, text_folder: Path) -> None:
    assert str(text_folder) in study.config_file.read_text()
    for path, content in upload.files.items():
        for private in (str(text_folder), str(study.folder), str(Path.home()) + "/"):
            assert private.encode() not in content, path
    assert f"path: {text_folder.name}" in upload.files["study.yaml"].decode()


def test_a_scored_models_folder_is_named_and_not_told(study: Study, tmp_path: Path) -> None:
    copy = condense_study(study, folder=tmp_path / "copy")
    score, *_ = copy.score_records()
    folders = {
        "/srv/secret/exp-7/model": "exp-7",
        r"C:\Users\me\gru": "gru",
        "~/models/mamba": "mamba",
        "../..": "local",
        "owner/on-the-hub": "owner/on-the-hub",
    }
    rows = read_table(copy.results_file("runs")).to_pylist()
    for number, folder in enumerate(folders):
        score_id = f"given-{number}"
        options = "--corpus ../../clients/acme/text --tokenizer=/srv/secret/tok --context 8"
        changes = {"score_id": score_id, "run_id": None, "model": folder, "command": f"hf-ctxscale score {shlex.quote(folder)} {options}"}
        write_record(copy.score_file(score_id), score.model_copy(update=changes))
        rows.append({**rows[0], "score_id": score_id, "run_id": None, "model": folder})
    write_table(copy.results_file("runs"), rows, columns.RUNS_SCHEMA)
    write_json(copy.comparisons_file, {"note": "kept /srv/a/b", "pairs": [{"models": list(folders)}]})
    without_own_paths(copy)
    shown = {record.score_id: record for record in copy.score_records()}
    for number, name in enumerate(folders.values()):
        record = shown[f"given-{number}"]
        assert record.model == name
        assert record.command == f"hf-ctxscale score {name} --corpus text --tokenizer=tok --context 8"
    assert shown[score.score_id].model == score.model == f"runs/{score.run_id}/model"
    models = read_table(copy.results_file("runs"))["model"].to_pylist()
    assert models == [row["model"] for row in rows[: -len(folders)]] + list(folders.values())
    assert json.loads(copy.comparisons_file.read_text())["pairs"] == [{"models": list(folders.values())}]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No such file or directory: '/home/me/secret/x.txt'", "No such file or directory: 'x.txt'"),
        (r"cannot open C:\Users\me\x.bin (error 5)", "cannot open x.bin (error 5)"),
        ("in ../../clients/acme/text, line 3", "in text, line 3"),
        ("ran out of memory at 5/10 of owner/model", "ran out of memory at 5/10 of owner/model"),
    ],
)
def test_a_reason_keeps_its_words_and_loses_its_paths(text: str, shown: str) -> None:
    assert name_in_text(text) == shown


def test_a_short_path_changes_no_other_text(study: Study, tmp_path: Path) -> None:
    copy = condense_study(study, folder=tmp_path / "copy")
    corpus = copy.tokens / "corpus.json"
    record = json.loads(corpus.read_text())
    write_json(corpus, record | {"corpus_settings": {"path": "/data"}, "near_duplicates": [["a/data/x", "~"]]})
    without_own_paths(copy)
    assert json.loads(corpus.read_text()) == record | {"corpus_settings": {"path": "data"}, "near_duplicates": [["a/data/x", "~"]]}


def test_a_failed_runs_reason_tells_no_path(study: Study, tmp_path: Path) -> None:
    copy = condense_study(study, folder=tmp_path / "copy")
    run, *_ = copy.run_records()
    reason = "FileNotFoundError: /home/me/secret/cache"
    write_record(copy.run_file(run.run_id), run.model_copy(update={"state": "failed", "reason": reason}))
    rows = read_table(copy.results_file("runs")).to_pylist()
    write_table(copy.results_file("runs"), [row | {"reason": reason} for row in rows], columns.RUNS_SCHEMA)
    without_own_paths(copy)
    assert copy.run_records()[0].reason == "FileNotFoundError: cache"
    assert set(read_table(copy.results_file("runs"))["reason"].to_pylist()) == {"FileNotFoundError: cache"}


def test_what_somebody_else_put_among_the_results_stays_at_home(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    shutil.copytree(study.folder, folder)
    (folder / "results" / "notes.txt").write_text("private")
    assert "results/notes.txt" not in results_upload(Study(folder), repo_id=REPO_ID).files


def test_markup_in_a_name_is_text_in_the_card(study: Study, tmp_path: Path) -> None:
    copy = condense_study(study, folder=tmp_path / "copy")
    attack = "<script>alert(1)</script>|](http://evil.example/)"
    write_text(copy.config_file, copy.config_file.read_text().replace("name: tiny", f"name: '{attack}'", 1))
    assert attack in copy.config_file.read_text()
    card = results_upload(copy, repo_id=REPO_ID).files["README.md"].decode()
    header, body = card.split("\n---\n", 1)
    assert attack in RepoCard(card).data.pretty_name
    assert "<script>" not in body
    assert "](http://evil" not in body
    assert "pretty_name" in header


def test_a_study_that_was_not_scored_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"holds no tables of results to publish; score its models, or make its tables with `hf-ctxscale analyse"
    ):
        results_upload(Study(tmp_path), repo_id=REPO_ID)


def test_a_malformed_id_is_refused_before_anything_is_drawn(study: Study) -> None:
    with pytest.raises(UserError, match="'tiny results' is no repository on the Hub; give OWNER/NAME"):
        results_upload(study, repo_id="tiny results")
