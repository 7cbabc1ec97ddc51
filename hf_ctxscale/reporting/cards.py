"""write_card: a section for a model card, with chart, table, method and command, and model-index metadata for its header."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_ctxscale.analysis.verdicts import MIN_DOCUMENTS
from hf_ctxscale.charts.chosen_scores import score_label
from hf_ctxscale.corpora import TABLE
from hf_ctxscale.files import read_table, write_text
from hf_ctxscale.records import ScoreRecord
from hf_ctxscale.reporting.card_words import Measure, card_measures, card_sentence, card_setup, chart_caption, is_folder
from hf_ctxscale.reporting.render import render
from hf_ctxscale.reporting.sources import Row
from hf_ctxscale.study import Study, UserError

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

CHART = "context_use.png"  # what the section links to


@dataclass(frozen=True)
class ScoreSection:
    """What a model's card says of one score.

    Attributes:
        name: of the model, as charts call it, or its Hub id.
        text: Markdown, from a heading of the second level on; it links to `CHART`.
        results: for the card's metadata.
    """

    name: str
    text: str
    results: tuple[EvalResult, ...]


def write_card(study: Study, score_id: str) -> Path:
    """Writes scores/SCORE_ID/card.md, which links to context_use.png beside it, and model-index.yaml.

    Every number is that of the result tables, whose row of this score has to be there; the chart too (charts/draw.py: draw_score).

    Returns:
        the path of card.md.

    Raises:
        UserError: the study holds no such score, its results were not written since, or its chart was not drawn.
    """
    score = _score(study, score_id)
    section = score_section(study, score_id, command=score.command)
    folder = study.scores / score_id
    if not (folder / CHART).is_file():
        raise UserError(
            f"{folder / CHART} does not exist; `hf-ctxscale score` with the model's name draws it and skips what is scored already."
        )
    write_text(folder / "card.md", section.text)
    write_text(folder / "model-index.yaml", _model_index(section))
    return folder / "card.md"


def score_section(study: Study, score_id: str, *, command: str | None) -> ScoreSection:
    """The section, from the result tables.

    Args:
        command: what makes the score again; None: nothing is said of it.

    Raises:
        UserError: the study holds no such score, or its results were not written since.
    """
    score = _score(study, score_id)
    row, cuts = _rows(study, score_id)
    measures, name = card_measures(row, score, cuts=cuts), card_name(row, score)
    text = render(
        "card.md.j2",
        sentence=card_sentence(row, score, name=name),
        warning=_warning(row),
        chart=CHART,
        caption=chart_caption(score),
        measures=measures,
        setup=card_setup(score, name=name),
        command=command,
        versions=", ".join(f"{name} {version}" for name, version in sorted(score.packages.items())),
    )
    return ScoreSection(name, text, _results(measures, score=score))


def card_name(row: Row, score: ScoreRecord) -> str:
    """The Hub id of a model, or what charts call it where it is the study's own or a folder on someone's disk."""
    return score_label(row, score) if score.run_id or is_folder(score.model) else score.model


def _score(study: Study, score_id: str) -> ScoreRecord:
    path = study.score_file(score_id)
    if not path.is_file():
        raise UserError(f"{path} does not exist; the command `hf-ctxscale score MODEL --corpus CORPUS --out {study.folder}` writes it.")
    return ScoreRecord.model_validate_json(path.read_text(encoding="utf-8"))


def _rows(study: Study, score_id: str) -> tuple[Row, list[Row]]:
    """The score's row of the table of runs and its rows of the table of ablations."""
    rows = [row for row in read_table(study.results_file("runs")).to_pylist() if row["score_id"] == score_id]
    if not rows:
        raise UserError(
            f"{study.results_file('runs')} holds no score {score_id!r}; write it anew with `hf-ctxscale analyse {study.folder}`."
        )
    ablation = study.results_file("ablation")
    cuts = read_table(ablation).to_pylist() if ablation.is_file() else []
    return rows[0], sorted((cut for cut in cuts if cut["score_id"] == score_id), key=lambda cut: cut["context_tokens"])


def _warning(row: Row) -> str | None:
    """Why nothing is decided by these numbers; None where there are documents enough."""
    documents = row["num_documents"] or 0
    if documents >= MIN_DOCUMENTS:
        return None
    return f"Undecided: measured on {documents} document{'' if documents == 1 else 's'}. An interval from fewer than {MIN_DOCUMENTS} is not to be relied on."


def _model_index(section: ScoreSection) -> str:
    """YAML that stands in a model card's header as it is."""
    from huggingface_hub import ModelCardData

    return ModelCardData(model_name=section.name, eval_results=list(section.results)).to_yaml() + "\n"


def _results(measures: tuple[Measure, ...], *, score: ScoreRecord) -> tuple[EvalResult, ...]:
    # Reports are written without the Hub's client, whose import takes a while.
    from huggingface_hub import EvalResult

    corpus = TABLE.get(score.corpus)
    dataset: dict[str, Any] = {
        "task_type": "text-generation",
        "dataset_type": corpus.hub_id if corpus and corpus.hub_id else score.corpus,
        "dataset_name": score.corpus,
        "dataset_split": None if score.split == "whole" else score.split,
        "dataset_revision": corpus.revision if corpus else None,
        "dataset_args": {
            "windows": score.windows,
            "context_tokens": score.context_tokens,
            "bos_policy": score.bos_policy,
            "num_documents": score.num_documents,
            "tokens_fingerprint": score.tokens_fingerprint,
        },
    }
    return tuple(
        EvalResult(metric_type=measure.key, metric_name=measure.name, metric_value=measure.value, metric_args=_limits(measure), **dataset)
        for measure in measures
        if measure.value is not None
    )


def _limits(measure: Measure) -> dict[str, Any]:
    """What a reader of the metadata needs beside the value."""
    limits = {} if measure.low is None or measure.high is None else {"low": measure.low, "high": measure.high, "confidence": 0.95}
    flags = {"censored": measure.censored, "high_censored": measure.high_censored}
    return {"unit": measure.unit, **limits, **{flag: True for flag, is_set in flags.items() if is_set}}
