"""score_choices: the models that a visitor can choose from, by the names that all tabs give them."""

from hf_ctxscale.app.opened import OpenedStudy
from hf_ctxscale.charts.chosen_scores import score_label
from hf_ctxscale.reporting.claim_tables import model_name
from hf_ctxscale.reporting.sources import Row, in_order
from hf_ctxscale.study import UserError

Choices = dict[str, str]  # value -> what it is called


def score_choices(opened: OpenedStudy) -> Choices:
    """Every score that has losses, in the charts' order; where two would have one name the score's id follows."""
    names: Choices = {}
    for row in rows_by_score(opened).values():
        record = opened.scores[row["score_id"]]
        name = model_name(opened.sources, row["run_id"]) if row["run_id"] in opened.records else score_label(row, record)
        names[row["score_id"]] = f"{name} · {row['score_id']}" if name in names.values() else name
    return names


def rows_by_score(opened: OpenedStudy) -> dict[str, Row]:
    """The rows of the table of runs that have a score with losses, by its id."""
    rows = in_order((*opened.sources.runs, *opened.sources.others))
    return {row["score_id"]: row for row in rows if row["score_id"] in opened.scores and row["loss_nats"] is not None}


def default_scores(opened: OpenedStudy) -> tuple[str, ...]:
    """The two that the study itself sets against each other at its largest size, or the first two."""
    choices = score_choices(opened)
    scores_of = {row["run_id"]: score_id for score_id, row in reversed(rows_by_score(opened).items()) if row["run_id"] is not None}
    pairs = [
        (pair["size"], scores_of[pair["first_run_ids"][0]], scores_of[pair["second_run_ids"][0]])
        for pair in opened.fits.get("paired_differences") or ()
        if pair["first_run_ids"][0] in scores_of and pair["second_run_ids"][0] in scores_of
    ]
    # Of one size the pair of two families comes first, that of two depths after it.
    best = max(pairs, key=lambda pair: pair[0], default=None)
    return best[1:] if best else tuple(choices)[:2]


def kept(chosen: str | None, *, choices: Choices, default: str | None) -> str | None:
    """A visitor's choice where it can still be made, otherwise the default."""
    return chosen if chosen in choices else default


def as_options(choices: Choices) -> list[tuple[str, str]]:
    """What a dropdown takes: names and values."""
    return [(name, value) for value, name in choices.items()]


def chosen_value(given: str, *, choices: Choices, kind: str) -> str:
    """What somebody means who gives a name or a value.

    Raises:
        UserError: it is neither.
    """
    by_name = {name: value for value, name in choices.items()}
    if given not in choices and given not in by_name:
        raise UserError(f"this study holds no {kind} {given!r}; it holds: {', '.join(by_name) or 'none'}.")
    return given if given in choices else by_name[given]
