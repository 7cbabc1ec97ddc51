"""Which scores stand on one chart and what they are called there: scores are drawn together only where a position means the same in all."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from hf_ctxscale.analysis.measured import main_scores
from hf_ctxscale.architectures import series_label
from hf_ctxscale.charts.series import SAME_SIZE, Row, in_table_order
from hf_ctxscale.records import EXACT_PREDICTOR, ScoreRecord
from hf_ctxscale.study import Study, size_label

MOST_TOGETHER = 5  # models on the chart of context use: each has two curves and a bar
MOST_CHARACTERS = 28  # of a name on a chart; its end often holds the size or version
# Models that no one trained are called by what they are.
NAMES_BY_TYPE = {EXACT_PREDICTOR: "best possible"}
FOLDERS_THAT_SAY_NOTHING = frozenset({"model", "checkpoint", "final"})


@dataclass(frozen=True)
class Chosen:
    """The scores of one chart, and a line for it where there are more."""

    score_ids: tuple[str, ...]
    left_out: str | None


def has_runs(study: Study, rows: Iterable[Row]) -> bool:
    """Whether the study trains models, planned ones at least; otherwise it holds scores alone."""
    return study.begun or any(row["run_id"] is not None for row in rows)


def rows_of_main_scores(study: Study, rows: Iterable[Row]) -> list[Row]:
    """The rows of runs, each at the score that claims rest on: without models that have no run, and without a run's other scores."""
    main = {score.score_id for score in main_scores(study).values()}
    others = {score.score_id for score in study.score_records()} - main if main else set()
    return [row for row in rows if row["run_id"] is not None and row["score_id"] not in others]


def references(study: Study) -> tuple[ScoreRecord, ...]:
    """Scored models without a run whose losses by position can be drawn beside those of the study's runs."""
    ways = {_way(score) for score in main_scores(study).values()}
    return tuple(score for score in study.score_records() if score.run_id is None and _way(score) in ways)


def scores_of_context_use(study: Study, *, runs: Sequence[Row], cut: Collection[str]) -> Chosen:
    """Chooses the models of the chart of context use.

    Where the study trained models: the largest of each family whose context was cut, then scored models measured in the same way.
    Otherwise: all scored models that were measured in the way that most of them share.

    Args:
        runs: rows of the table of runs.
        cut: ids of the scores that have an ablation.
    """
    records = {record.score_id: record for record in study.score_records()}
    rows = [row for row in runs if row["score_id"] in records and row["loss_nats"] is not None]
    others = [row["score_id"] for row in rows if row["run_id"] is None]
    if has_runs(study, runs):
        own = _largest_of_each_family([row for row in rows if row["score_id"] in cut])
        others = [score_id for score_id in others if score_id in cut]
    else:
        own = []
    ways = [_way(records[score_id]) for score_id in own or others]
    shared = max(ways, key=ways.count, default=None)
    together = [score_id for score_id in (*own, *others) if _way(records[score_id]) == shared]
    num_left_out = len(own) + len(others) - len(together[:MOST_TOGETHER])
    left_out = f"not drawn: {num_left_out} scored otherwise, or too many" if num_left_out else None
    return Chosen(tuple(together[:MOST_TOGETHER]), left_out)


def _way(score: ScoreRecord) -> tuple[str, str, str, int]:
    """What scores must share for a position to mean the same in all: tokens, split, windows and context."""
    return (score.tokens_fingerprint, score.split, score.windows, score.context_tokens)


def _largest_of_each_family(rows: Sequence[Row]) -> list[str]:
    """One score per architecture; of runs of about one size that of lowest validation loss, of scores of one run the first in the table."""
    of_family = {row["architecture"]: [other for other in rows if other["architecture"] == row["architecture"]] for row in rows}
    families = in_table_order(set(of_family) - {None})
    return [_best_of_largest(of_family[family])["score_id"] for family in families]


def _best_of_largest(rows: Sequence[Row]) -> Row:
    largest = max(row["body_params"] or 0 for row in rows)
    rung = [row for row in rows if (row["body_params"] or 0) * SAME_SIZE >= largest]
    return min(rung, key=lambda row: float("inf") if row["validation_loss_nats"] is None else row["validation_loss_nats"])


def score_labels(rows: Sequence[Row], *, records: Iterable[ScoreRecord]) -> dict[str, str]:
    """What charts call each score's model, by score id; where two would have one name a number follows."""
    by_id = {record.score_id: record for record in records}
    labels: dict[str, str] = {}
    for row in rows:
        name = shown = score_label(row, by_id[row["score_id"]])
        number = 1
        while shown in labels.values():
            number += 1
            shown = f"{name} ({number})"
        labels[row["score_id"]] = shown
    return labels


def score_label(row: Row, record: ScoreRecord) -> str:
    """``222K LSTM, 1 layer`` for a run; ``gpt2`` or ``best possible`` for a model that the study did not train."""
    if row["architecture"] is not None and row["body_params"] is not None:
        name = f"{size_label(row['body_params'])} {series_label(row['architecture'], (row['num_layers'],))}"
    else:
        name = NAMES_BY_TYPE.get(record.model_type or "") or _short_name(record.model)
    return f"{shortened(name)}, state carried" if record.carry_state else shortened(name)


def shortened(name: str) -> str:
    """A name that fits a chart, its middle left out where it is long: a longer one would leave no room for the curves."""
    return name if len(name) <= MOST_CHARACTERS else f"{name[: MOST_CHARACTERS - 9]}…{name[-8:]}"


def _short_name(model: str) -> str:
    """The last part of a folder or Hub id that tells models apart: ``gpt2`` of ``openai-community/gpt2``."""
    parts = [part for part in PurePosixPath(model).parts if part not in ("/", ".", "..")]
    telling = [part for part in parts if part not in FOLDERS_THAT_SAY_NOTHING]
    return (telling or parts or [model])[-1]
