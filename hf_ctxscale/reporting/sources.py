"""read_sources: everything that a report is made from, read once from the study's files."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_ctxscale.analysis.measured import main_scores
from hf_ctxscale.charts.chosen_scores import has_runs
from hf_ctxscale.charts.series import in_table_order, other_budgets, rejected_trials
from hf_ctxscale.charts.study_charts import read_fits
from hf_ctxscale.columns import RUNS_SCHEMA
from hf_ctxscale.config import read_yaml
from hf_ctxscale.files import read_table
from hf_ctxscale.records import RunRecord, ScoreRecord
from hf_ctxscale.study import Study, UserError

Row = dict[str, Any]


@dataclass(frozen=True)
class Sources:
    """What the study's files hold; settings and corpus are plain mappings, so that those of another version can be read too.

    Attributes:
        settings: study.yaml; empty where there is none.
        corpus: tokens/corpus.json; empty where there is none.
        runs: one row of the table of runs for each run, at the score that claims rest on; runs that have a record and no row yet follow.
        others: the other rows: scored models that the study did not train, and runs that were scored in another way too.
        has_runs: whether the study trains models; otherwise it holds scores alone.
        records: by run id.
        scores: by score id.
        main: ids of the scores that claims rest on, all measured in one way.
        fits: results/fits.json; empty where nothing was fitted.
        comparisons: results/comparisons.json; empty where models were not scored together.
        rejected: ids of runs that lost to another learning rate.
        other_budgets: ids of runs of other token budgets than those that sizes are compared at.
        name: of the study, or of its folder.
        table: the file of numbers from elsewhere; None where the study measured its own.
    """

    settings: dict[str, Any]
    corpus: dict[str, Any]
    runs: tuple[Row, ...]
    others: tuple[Row, ...]
    has_runs: bool
    records: dict[str, RunRecord]
    scores: dict[str, ScoreRecord]
    main: frozenset[str]
    fits: dict[str, Any]
    comparisons: dict[str, Any]
    rejected: frozenset[str]
    other_budgets: frozenset[str]
    name: str
    table: Path | None

    @property
    def is_table(self) -> bool:
        """Whether the numbers are from elsewhere: no model was trained or scored here."""
        return self.table is not None

    @property
    def corpus_name(self) -> str:
        """The corpus's name, or its file or folder; the table's where the numbers are from elsewhere."""
        if self.table is not None:
            return self.table.name
        settings = self.settings.get("corpus") or {}
        scored = {score.corpus for score in self.main_scores}
        return str(
            self.corpus.get("corpus")
            or settings.get("name")
            or settings.get("path")
            or (scored.pop() if len(scored) == 1 else None)
            or ("several corpora" if scored else "an unnamed corpus")
        )

    @property
    def context_tokens(self) -> int | None:
        """The context that models were trained and scored with; None where scored models had several."""
        scored = {score.context_tokens for score in self.main_scores}
        trained = self.settings.get("context_tokens") or next((record.context_tokens for record in self.records.values()), None)
        return trained or (scored.pop() if len(scored) == 1 else None)

    @property
    def main_scores(self) -> tuple[ScoreRecord, ...]:
        """The scores that the report is about: those that claims rest on, or all where the study holds scores alone."""
        return tuple(score for score in self.scores.values() if score.score_id in self.main or not self.has_runs)

    @property
    def measured(self) -> tuple[Row, ...]:
        """Rows that have a size and a test loss, did not lose to another learning rate and share the token budget: what the charts show."""
        left_out = self.rejected | self.other_budgets
        return tuple(
            run for run in self.runs if run["loss_nats"] is not None and run["body_params"] is not None and run["run_id"] not in left_out
        )


def in_order(runs: Iterable[Row]) -> list[Row]:
    """Rows in the order of the charts: family, depth, size, seed."""
    rows = list(runs)
    places = in_table_order({row["architecture"] for row in rows} - {None})

    def place(row: Row) -> tuple[int, int, int, int, str]:
        family = places.index(row["architecture"]) if row["architecture"] else len(places)
        return (family, row["num_layers"] or 0, row["body_params"] or 0, row["seed"] or 0, row["run_id"] or "")

    return sorted(rows, key=place)


def read_sources(study: Study) -> Sources:
    """Reads the study's files.

    Raises:
        UserError: the table of runs is missing, or a file cannot be read.
    """
    given = study.table_file if study.table_file.is_file() and not study.results_file("runs").is_file() else None
    table = RUNS_SCHEMA.empty_table() if given else read_table(study.results_file("runs"))
    records = {record.run_id: record for record in study.run_records()}
    rows = table.to_pylist()
    listed = {row["run_id"] for row in rows}
    rows += [dict.fromkeys(table.column_names) | _row(record) for record in records.values() if record.run_id not in listed]
    fits = read_fits(study)
    corpus = _read_mapping(study.tokens / "corpus.json")
    main = frozenset(score.score_id for score in main_scores(study).values())
    runs = _row_of_each_run(rows, main=main)
    settings = read_yaml(study.config_file) if study.config_file.is_file() else {}
    return Sources(
        settings=settings,
        corpus=corpus,
        runs=tuple(runs),
        others=tuple(row for row in rows if row not in runs),
        has_runs=has_runs(study, rows),
        records=records,
        scores={score.score_id: score for score in study.score_records()},
        main=main,
        fits=fits,
        comparisons=_read_mapping(study.comparisons_file),
        rejected=rejected_trials(rows, fits),
        other_budgets=other_budgets(rows, fits),
        name=str(settings.get("name") or study.folder.resolve().name),
        table=given,
    )


def _row_of_each_run(rows: Iterable[Row], *, main: frozenset[str]) -> list[Row]:
    """One row per run: that of its main score, or else its first; models without a run have none."""
    by_run: dict[str, Row] = {}
    for row in rows:
        if row["run_id"] is not None and (row["run_id"] not in by_run or row["score_id"] in main):
            by_run[row["run_id"]] = row
    return list(by_run.values())


def _row(record: RunRecord) -> Row:
    """What is known of a run that is not in the table of runs."""
    same = ("run_id", "state", "reason", "architecture", "num_layers", "hidden_size", "seed", "learning_rate")
    return {key: getattr(record, key) for key in same} | {"body_params": record.params.body, "total_params": record.params.total}


def _read_mapping(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is no file."""
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}); it is written by `hf-ctxscale run CONFIG --out STUDY`.") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} holds a {type(value).__name__}, not an object; it is written by `hf-ctxscale run CONFIG --out STUDY`.")
    return value
