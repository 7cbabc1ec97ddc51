"""model_card: the README.md of a model's repository, written from its run's record and the study's results."""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import ModelCardData

from hf_ctxscale.architectures import TABLE
from hf_ctxscale.corpora import TABLE as CORPORA
from hf_ctxscale.files import read_table
from hf_ctxscale.publishing import model_card_words as words
from hf_ctxscale.records import RunRecord, ScoreRecord
from hf_ctxscale.reporting.cards import ScoreSection, score_section
from hf_ctxscale.reporting.citations import bibtex
from hf_ctxscale.reporting.methods import software_version
from hf_ctxscale.reporting.render import render
from hf_ctxscale.reporting.sources import Row, Sources, read_sources
from hf_ctxscale.study import Study

TEMPLATES = Path(__file__).parent / "templates"
UNSCORED = "It was not scored: nothing is known of how it uses its context. hf-ctxscale score measures that."


@dataclass(frozen=True)
class RunResults:
    """What the study measured of one run, at the score that claims rest on, or one like it with an ablation.

    Attributes:
        bins: loss by position in log-spaced bins.
    """

    score_id: str
    section: ScoreSection
    bins: tuple[Row, ...]


def run_results(study: Study, record: RunRecord, *, sources: Sources | None) -> RunResults | None:
    """The results of a run; None: it was not scored, or not analysed since."""
    row = next((row for row in sources.runs if row["run_id"] == record.run_id), None) if sources else None
    if sources is None or row is None or row["score_id"] is None or row["loss_nats"] is None:
        return None
    score_id = _with_ablation(row["score_id"], sources=sources)
    positions = read_table(study.results_file("positions")).to_pylist()
    bins = sorted((bin_ for bin_ in positions if bin_["score_id"] == score_id), key=lambda bin_: bin_["position_from"])
    return RunResults(score_id, score_section(study, score_id, command=None), tuple(bins))


def _with_ablation(score_id: str, *, sources: Sources) -> str:
    """The score itself, or one of the same run and the same windows that has an ablation too."""
    main = sources.scores[score_id]
    if main.ablation is not None:
        return score_id
    listed = {row["score_id"] for row in sources.others}
    alike = (
        score.score_id
        for score in sources.scores.values()
        if score.ablation and score.score_id in listed and _windows(score) == _windows(main)
    )
    return next(alike, score_id)


def _windows(score: ScoreRecord) -> tuple[object, ...]:
    same = (score.run_id, score.weights_fingerprint, score.tokens_fingerprint, score.split, score.context_tokens)
    return (*same, score.windows, score.windows_seed, score.max_windows_per_document, score.bos_ids, score.carry_state, score.num_blocks)


def study_sources(study: Study) -> Sources | None:
    """What the study's files hold; None: it has no results yet."""
    return read_sources(study) if study.results_file("runs").is_file() else None


def model_card(
    record: RunRecord, *, repo_id: str, sources: Sources | None, results: RunResults | None, needs_code: bool, study_name: str, licence: str
) -> str:
    """The card, metadata first.

    Args:
        repo_id: the repository that it is for.
        sources: of the study; None: it has no results yet.
        results: of the run; None: it was not scored.
        needs_code: whether the repository holds code that loading it runs.
        licence: as the Hub names it, such as ``apache-2.0``.
    """
    corpus = sources.corpus_name if sources else "a text that the run's record does not name"
    intro = words.intro(record, corpus=corpus, study=study_name)
    return render(
        "model_card.md.j2",
        templates=TEMPLATES,
        metadata=_metadata(record, repo_id=repo_id, corpus=corpus, results=results, licence=licence),
        title=repo_id.split("/")[-1],
        intro=intro,
        unscored=None if results else UNSCORED,
        section=results.section.text if results else "",
        positions=words.positions_rows(results.bins) if results else (),
        loading=words.loading(repo_id, needs_code=needs_code),
        command=f"hf-ctxscale score {repo_id} --corpus TEXT --context {record.context_tokens} --ablation --out STUDY",
        training=words.training_rows(record, corpus=corpus, sources=sources),
        sizes=words.sizes_rows(record),
        size_note=words.size_note(record),
        limits=words.limits(record, corpus=corpus, has_positions=record.params.position_embedding > 0),
        licence_note=words.licence_note(licence, corpus=corpus),
        bibtex=bibtex(intro, version=software_version()),
    )


def _metadata(record: RunRecord, *, repo_id: str, corpus: str, results: RunResults | None, licence: str) -> str:
    dataset = CORPORA[corpus].hub_id if corpus in CORPORA else None
    return ModelCardData(
        library_name="transformers",
        pipeline_tag="text-generation",
        license=licence,
        tags=["hf-ctxscale", "context-use", "scaling-laws", TABLE[record.architecture].model_type, "arxiv:2001.08361"],
        datasets=[dataset] if dataset else None,
        model_name=repo_id.split("/")[-1],
        eval_results=list(results.section.results) if results else None,
    ).to_yaml()
