"""The study folder: files appear whole or not at all, records and tables say exactly what was put in."""

import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from hf_ctxscale import columns
from hf_ctxscale.files import read_table, write_aside, write_json, write_record, write_table
from hf_ctxscale.records import ParameterGroups, RunRecord, ScoreRecord
from hf_ctxscale.study import Study, UserError

SCHEMA = pa.schema([("run_id", pa.string()), ("loss_nats", pa.float64())])


def run_record(run_id: str = "lstm-1-25000-seed0") -> RunRecord:
    return RunRecord(
        run_id=run_id,
        state="finished",
        settings_hash="abc",
        architecture="lstm",
        num_layers=1,
        hidden_size=54,
        embedding_size=60,
        target_body_params=25000,
        params=ParameterGroups(token_embedding=61440, position_embedding=0, output_head=0, body=25056),
        formula_body_params=23760,
        seed=0,
        learning_rate=0.003,
        train_tokens=250000,
        train_steps=122,
        batch_blocks=8,
        context_tokens=256,
        precision="float32",
        flops_per_token=1e6,
        train_flops=2.5e11,
        six_nd_flops=3.8e10,
        validation_loss_nats=3.5,
        packages={"torch": "2.13"},
    )


def score_record(score_id: str = "s1") -> ScoreRecord:
    return ScoreRecord(
        score_id=score_id,
        model="runs/lstm-1/model",
        corpus="python-stdlib",
        split="test",
        windows="within",
        windows_seed=0,
        max_windows_per_document=32,
        context_tokens=256,
        dtype="float32",
        num_documents=90,
        num_documents_too_short=3,
        num_blocks=900,
        num_tokens=230400,
        tokens_fingerprint="f",
        weights_fingerprint="w",
    )


# Files


def test_a_file_is_replaced_when_the_writer_is_done(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.txt"
    write_aside(path, lambda aside: aside.write_text("one"))
    write_aside(path, lambda aside: aside.write_text("two"))
    assert path.read_text() == "two"
    assert [item.name for item in path.parent.iterdir()] == ["file.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_the_old_file_stays_until_the_writer_is_done(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write(aside: Path) -> None:
        aside.write_text("new")
        assert path.read_text() == "old"

    write_aside(path, write)
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write(aside: Path) -> None:
        aside.write_text("half")
        raise error

    with pytest.raises(error):
        write_aside(path, write)
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["file.txt"]


def test_json_has_null_where_a_number_is_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "fits.json"
    write_json(path, {"a": math.nan, "b": [1.5, math.inf, {"c": -math.inf}], "d": (0.0, math.nan), "e": "§", "f": True})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": None, "b": [1.5, None, {"c": None}], "d": [0.0, None], "e": "§", "f": True}
    assert "NaN" not in path.read_text()
    assert "Infinity" not in path.read_text()


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "fits.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


# Tables


def test_a_table_comes_back_as_written_with_null_for_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    write_table(path, [{"run_id": "a", "loss_nats": 3.5}, {"run_id": "b"}, {"run_id": "c", "loss_nats": math.nan}], SCHEMA)
    table = read_table(path)
    assert table.schema.equals(SCHEMA)
    assert table.to_pylist() == [{"run_id": "a", "loss_nats": 3.5}, {"run_id": "b", "loss_nats": None}, {"run_id": "c", "loss_nats": None}]


def test_a_table_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    write_table(tmp_path / "runs.parquet", [], SCHEMA)
    assert pq.read_schema(tmp_path / "runs.parquet").names == ["run_id", "loss_nats"]


def test_a_column_that_the_schema_lacks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"columns \['loss', 'seed'\] are not in the schema of runs\.parquet"):
        write_table(tmp_path / "runs.parquet", [{"run_id": "a"}, {"loss": 1.0, "seed": 0}], SCHEMA)
    assert not list(tmp_path.iterdir())


def test_a_value_of_another_kind_than_its_column_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(pa.ArrowInvalid):
        write_table(tmp_path / "runs.parquet", [{"loss_nats": "low"}], SCHEMA)
    assert not list(tmp_path.iterdir())


def test_a_missing_table_is_refused_with_the_command_that_writes_it(tmp_path: Path) -> None:
    path = Study(tmp_path).results_file("runs")
    with pytest.raises(UserError) as caught:
        read_table(path)
    assert str(caught.value) == f"{path} does not exist; the command `hf-ctxscale run CONFIG --out STUDY` writes it."


@pytest.mark.parametrize(
    "schema", [columns.RUNS_SCHEMA, columns.CURVES_SCHEMA, columns.POSITIONS_SCHEMA, columns.LOSSES_SCHEMA, columns.HISTORY_SCHEMA]
)
def test_no_table_has_a_column_twice(schema: pa.Schema) -> None:
    assert len(set(schema.names)) == len(schema.names)


def test_every_measured_number_of_a_run_has_both_ends_of_its_interval() -> None:
    names = set(columns.RUNS_SCHEMA.names)
    lows, highs = ({name.removesuffix(end) for name in names if name.endswith(end)} for end in ("_low", "_high"))
    assert lows == highs == {"loss_nats", "bits_per_byte", "context_gain_nats", "effective_context", "icl_score"}
    assert lows <= names


# Records


@pytest.mark.parametrize("record", [run_record(), score_record()])
def test_a_record_comes_back_as_written(tmp_path: Path, record: RunRecord | ScoreRecord) -> None:
    path = tmp_path / "record.json"
    write_record(path, record)
    assert type(record).model_validate_json(path.read_text()) == record


def test_a_loss_that_is_not_finite_is_not_measured_in_the_record(tmp_path: Path) -> None:
    record = run_record().model_copy(update={"state": "failed", "reason": "loss is not finite at step 7", "train_loss_nats": math.nan})
    write_record(tmp_path / "run.json", record)
    again = RunRecord.model_validate_json((tmp_path / "run.json").read_text())
    assert again.train_loss_nats is None
    assert again.reason == "loss is not finite at step 7"


@pytest.mark.parametrize("record", [run_record(), score_record(), run_record().params])
def test_a_record_refuses_keys_that_it_does_not_know(record: RunRecord | ScoreRecord | ParameterGroups) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        type(record).model_validate(record.model_dump() | {"colour": "red"})


def test_a_state_that_is_none_of_the_four_is_refused() -> None:
    with pytest.raises(ValidationError, match="'waiting', 'training', 'finished' or 'failed'"):
        RunRecord.model_validate(run_record().model_dump() | {"state": "done"})


def test_parameter_groups_add_up() -> None:
    assert ParameterGroups(token_embedding=1, position_embedding=20, output_head=300, body=4000).total == 4321


def test_the_total_is_the_sum_of_every_group_there_is() -> None:
    groups = ParameterGroups(**dict.fromkeys(ParameterGroups.model_fields, 7))
    assert groups.total == 7 * len(ParameterGroups.model_fields)


def test_parameter_groups_cannot_be_changed() -> None:
    groups = ParameterGroups(token_embedding=1, position_embedding=1, output_head=1, body=1)
    with pytest.raises(ValidationError, match="frozen"):
        groups.body = 2


def test_a_series_is_family_and_depth() -> None:
    assert run_record().series == "lstm-1"


# The folder


def test_records_of_a_study_come_in_order_of_their_ids(tmp_path: Path) -> None:
    folder = Study(tmp_path / "study")
    assert folder.run_records() == []
    assert folder.score_records() == []
    assert not folder.folder.exists(), "looking must create nothing"
    for name in ("gpt2-2", "lstm-4", "lstm-1"):
        write_record(folder.run_file(name), run_record(name))
        write_record(folder.score_file(name), score_record(name))
    folder.model_folder("lstm-0").mkdir(parents=True)  # a run without a record yet
    assert [record.run_id for record in folder.run_records()] == ["gpt2-2", "lstm-1", "lstm-4"]
    assert [record.score_id for record in folder.score_records()] == ["gpt2-2", "lstm-1", "lstm-4"]


@pytest.mark.parametrize("text", ['{"run_id":', "{}", "null", "\udcff"])
def test_a_record_that_cannot_be_read_is_a_sentence_with_its_path(tmp_path: Path, text: str) -> None:
    folder = Study(tmp_path)
    for path, read in ((folder.run_file("a"), folder.run_records), (folder.score_file("a"), folder.score_records)):
        path.parent.mkdir(parents=True)
        path.write_bytes(text.encode("utf-8", errors="surrogateescape"))
        with pytest.raises(UserError, match=rf"{path.name} is no record that this version reads \(.+\); restore it, or remove"):
            read()


def test_files_lie_where_the_design_says(tmp_path: Path) -> None:
    folder = Study(tmp_path)
    paths = {
        "study.yaml": folder.config_file,
        "tokens/tokenizer": folder.tokenizer,
        "runs/r/run.json": folder.run_file("r"),
        "runs/r/model": folder.model_folder("r"),
        "runs/r/history.parquet": folder.history_file("r"),
        "scores/s/score.json": folder.score_file("s"),
        "scores/s/losses.parquet": folder.losses_file("s"),
        "results/curves.parquet": folder.results_file("curves"),
        "results/fits.json": folder.fits_file,
        "table.csv": folder.table_file,
        "charts": folder.charts,
    }
    for relative, path in paths.items():
        assert path == tmp_path / relative
