"""take_over: what a visitor gives is checked record by record and written anew; fits are those of `analyse`, and nothing forged gets through."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from given_results import write_small_study

from hf_ctxscale.analysis.results import analyse_study, build_results
from hf_ctxscale.app import received_study
from hf_ctxscale.app.received_study import take_over
from hf_ctxscale.columns import HISTORY_SCHEMA
from hf_ctxscale.files import read_table
from hf_ctxscale.study import Study, UserError


@pytest.fixture
def incoming(tmp_path: Path) -> Study:
    return write_small_study(tmp_path / "incoming")


def refused(incoming: Study) -> str:
    with pytest.raises(UserError) as caught:
        take_over(incoming, study=Study(incoming.folder.with_name("study")))
    return str(caught.value).replace(f"{incoming.folder}/", "")


def first_run(study: Study) -> str:
    return study.run_records()[0].run_id


def changed(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_fits_and_tables_are_those_of_analyse(incoming: Study, tmp_path: Path) -> None:
    study = Study(tmp_path / "study")
    assert take_over(incoming, study=study) == ()
    shutil.copytree(incoming.folder, tmp_path / "copy")
    same = Study(tmp_path / "copy")
    build_results(same)
    assert json.loads(study.fits_file.read_text()) == analyse_study(same)
    for table in ("runs", "curves", "positions", "bytes", "ablation"):
        assert read_table(study.results_file(table)).equals(read_table(same.results_file(table)))
    run_id = first_run(study)
    assert read_table(study.history_file(run_id)).equals(read_table(incoming.history_file(run_id)).select(HISTORY_SCHEMA.names))
    assert study.run_records() == incoming.run_records()
    assert study.score_records() == incoming.score_records()


def test_fits_that_came_along_are_not_believed(incoming: Study, tmp_path: Path) -> None:
    incoming.results.mkdir()
    incoming.fits_file.write_text(json.dumps({"format": 2, "claims": [{"claim": "<b>Everything holds</b>", "verdict": "supported"}]}))
    study = Study(tmp_path / "study")
    take_over(incoming, study=study)
    assert "Everything holds" not in study.fits_file.read_text()


@pytest.mark.parametrize("name", ["losses.parquet", "losses_by_bin.parquet"])
def test_a_pickle_in_place_of_a_table_is_refused_and_not_run(incoming: Study, tmp_path: Path, name: str) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "run",))

    path = incoming.scores / incoming.score_records()[0].score_id / name
    path.write_bytes(pickle.dumps(Evil()))
    message = refused(incoming)
    assert message.startswith(f"scores/{path.parent.name}/{name} is not such a table in the Parquet format (")
    assert not (tmp_path / "run").exists()


def test_a_table_of_a_billion_rows_in_a_few_bytes_is_refused_before_it_is_read(incoming: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    path = incoming.history_file(first_run(incoming))
    zeros = {field.name: pa.array([0] * 200_000, pa.int64()).cast(field.type) for field in HISTORY_SCHEMA}
    table = pa.table(zeros, schema=HISTORY_SCHEMA)
    with pq.ParquetWriter(path, HISTORY_SCHEMA) as writer:
        for _ in range(6):
            writer.write_table(table)
    assert path.stat().st_size < 50_000
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *given, **more: pytest.fail("it was read"))
    assert "has 1,200,000 rows and up to 1,200,000 values in a column; at most 1,000,000 and" in refused(incoming)


def test_lists_of_too_many_values_are_refused(incoming: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received_study, "MOST_VALUES", 100)
    assert "values in a column; at most 1,000,000 and 100 are read here" in refused(incoming)


def with_document(incoming: Study, name: str) -> None:
    score_id = incoming.score_records()[0].score_id
    path = incoming.scores / score_id / "losses_by_bin.parquet"
    table = read_table(path)
    documents = pa.array([name, *table["document"].to_pylist()[1:]])
    pq.write_table(table.set_column(0, "document", documents).replace_schema_metadata(table.schema.metadata), path)


def test_a_few_bytes_that_stand_for_much_text_are_refused(incoming: Study) -> None:
    with_document(incoming, "x" * 1_001)
    assert "losses_by_bin.parquet names a document with more than 1,000 characters; give it a shorter name." in refused(incoming)


def test_tables_that_would_fill_the_memory_are_refused(incoming: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received_study, "LARGEST_STUDY_BYTES", 100_000)
    assert refused(incoming).startswith("the tables take more than 0 MB of memory; give a smaller copy, which `hf-ctxscale condense")
    shutil.rmtree(incoming.folder.with_name("study"))
    monkeypatch.setattr(received_study, "LARGEST_TABLE_BYTES", 1_000)
    assert "takes 0 MB of memory, more than 0 MB; give a smaller copy" in refused(incoming)


def test_a_table_without_a_column_is_refused(incoming: Study) -> None:
    path = incoming.history_file(first_run(incoming))
    pq.write_table(read_table(path).drop_columns(["tokens"]), path)
    assert "/history.parquet has no column 'tokens'; expected are step, tokens" in refused(incoming)


def test_a_column_of_another_kind_is_refused(incoming: Study) -> None:
    path = incoming.history_file(first_run(incoming))
    table = read_table(path)
    pq.write_table(table.set_column(0, "step", pa.array(["<script>"] * table.num_rows)), path)
    assert "/history.parquet is not such a table in the Parquet format (" in refused(incoming)


def test_columns_that_nobody_knows_are_left_behind(incoming: Study, tmp_path: Path) -> None:
    path = incoming.history_file(first_run(incoming))
    table = read_table(path)
    pq.write_table(table.append_column("extra", pa.array(["x"] * table.num_rows)).replace_schema_metadata({"evil": "x" * 1000}), path)
    study = Study(tmp_path / "study")
    take_over(incoming, study=study)
    kept = read_table(study.history_file(first_run(study)))
    assert kept.schema.equals(HISTORY_SCHEMA)
    assert not kept.schema.metadata


@pytest.mark.parametrize("run_id", ["../../../etc", "another"])
def test_a_record_that_names_another_folder_is_refused(incoming: Study, run_id: str) -> None:
    changed(incoming.run_file(first_run(incoming)), run_id=run_id)
    assert f"is the record of {run_id!r}, not of its own folder" in refused(incoming)


def test_a_score_that_names_another_folder_is_refused(incoming: Study) -> None:
    changed(incoming.score_file(incoming.score_records()[0].score_id), score_id="../../x")
    assert "is the record of '../../x', not of its own folder" in refused(incoming)


def test_an_architecture_that_is_not_known_is_refused(incoming: Study) -> None:
    changed(incoming.run_file(first_run(incoming)), architecture="<img src=x>")
    assert "names the architecture '<img src=x>'; known here: lstm," in refused(incoming)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"run_id": 1}', "\0", "[" * 100_000])
def test_a_broken_record_is_refused_in_a_sentence(incoming: Study, content: str) -> None:
    path = incoming.run_file(first_run(incoming))
    path.write_text(content)
    assert refused(incoming).startswith(f"runs/{path.parent.name}/run.json is no record that this version reads (")


def test_a_huge_record_is_refused_before_it_is_read(incoming: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received_study, "LARGEST_RECORD_BYTES", 10)
    assert "a record has at most" in refused(incoming)


def test_settings_and_corpus_of_another_version_are_left_out_and_that_is_said(incoming: Study, tmp_path: Path) -> None:
    incoming.config_file.write_text("a: &a [*a]\n")
    (incoming.tokens / "corpus.json").write_text("[]")
    notes = take_over(incoming, study=Study(tmp_path / "study"))
    assert notes == (
        "study.yaml was left out: this version does not read it.",
        "tokens/corpus.json was left out: this version does not read it.",
    )


def test_scores_of_models_alone_have_tables_and_comparisons_and_no_fits(incoming: Study, tmp_path: Path) -> None:
    shutil.rmtree(incoming.runs)
    for score in incoming.score_records():
        changed(incoming.score_file(score.score_id), run_id=None)
    study = Study(tmp_path / "study")
    assert take_over(incoming, study=study) == (
        "The study holds scores of models alone: without trained runs there are no fits and claims.",
    )
    assert len(read_table(study.results_file("runs"))) == 2
    assert study.comparisons_file.is_file()
    assert not study.fits_file.exists()
