"""methods_paragraph: how the numbers came about, as a paper's methods section would say it; only what the study's files hold is said."""

from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from hf_ctxscale.analysis.laws.size_and_data_laws import JOINT_FORM
from hf_ctxscale.analysis.laws.size_laws import PAPER_FORM
from hf_ctxscale.analysis.positions import GAIN_WINDOW, LATE_WINDOW, last_octave
from hf_ctxscale.architectures import series_label
from hf_ctxscale.charts.series import in_table_order
from hf_ctxscale.records import RunRecord, ScoreRecord, WindowPolicy
from hf_ctxscale.reporting.claim_tables import span
from hf_ctxscale.reporting.law_names import AXES, FORMS
from hf_ctxscale.reporting.measured_how import text_in_words
from hf_ctxscale.reporting.numbers import counted, percent, significant, whole
from hf_ctxscale.reporting.sources import Sources

WINDOWS: dict[WindowPolicy, str] = {
    "within": "non-overlapping windows inside single documents, from a random offset and never from a document's first token",
    "start": "windows from each document's first token",
    "packed": "windows of documents joined by their end-of-text token",
}


def methods_paragraph(sources: Sources) -> str:
    """One paragraph, ready for a paper; the works that it names are those of citations.py."""
    sentences = [*_training(sources), *_scoring(sources), *_laws(sources), *_intervals(sources), *_statements(sources), *_software(sources)]
    return " ".join(sentences)


def software_version() -> str:
    """The version of this package; in words where only its folder is there, as on a Space."""
    try:
        return version("hf-ctxscale")
    except PackageNotFoundError:
        return "(version unknown)"


def _training(sources: Sources) -> Iterable[str]:
    trained = [record for record in sources.records.values() if record.state == "finished" and record.run_id not in sources.rejected]
    if not trained:
        return
    families = in_table_order({record.architecture for record in trained})
    series = sorted({(families.index(record.architecture), record.num_layers) for record in trained})
    kinds = [series_label(families[place], (depth,)) for place, depth in series]
    bodies, tokens = [run.params.body for run in trained], [run.train_tokens for run in trained]
    train = (sources.corpus.get("splits") or {}).get("train") or {}
    text = sources.corpus_name
    if train.get("num_tokens"):
        text += f" ({counted(train['num_documents'], 'training document')}, {counted(train['num_tokens'], 'token')})"
    seeds = Counter((record.series, record.target_body_params, record.train_tokens) for record in trained)
    fewest, most = min(seeds.values()), max(seeds.values())
    yield (
        f"We trained {counted(len(trained), 'model')} ({'; '.join(kinds)}) with {span(min(bodies), max(bodies))} parameters outside embeddings and output "
        f"head on {text}, "
        f"each on {span(min(tokens), max(tokens))} tokens with a context of {counted(trained[0].context_tokens, 'token')} and "
        f"{_seeds_in_words(fewest, most)}."
    )
    vocab_size = sources.corpus.get("vocab_size")
    if vocab_size:
        yield f"The vocabulary has {whole(vocab_size)} tokens."
    settings = sources.settings.get("training") or {}
    if settings:
        warmup = settings.get("warmup_fraction")
        warm = f" after a linear warm-up over {percent(warmup, decimals=0)} of the steps" if warmup is not None else ""
        precisions = " and ".join(sorted({record.precision for record in trained}))
        yield f"Training used AdamW in {precisions}, its learning rate falling to zero along a cosine{warm}."
    if sources.rejected:
        yield (
            f"Learning rates were chosen by validation loss; {counted(len(sources.rejected), 'run')} of {len(trained) + len(sources.rejected)} lost to another "
            "rate and are left out."
        )


def _seeds_in_words(fewest: int, most: int) -> str:
    """Of the settings: ``one random seed``, ``3 random seeds``, ``1 to 3 random seeds for each setting``."""
    if fewest < most:
        return f"{fewest} to {most} random seeds for each setting"
    return "one random seed" if most == 1 else f"{most} random seeds"


def _scoring(sources: Sources) -> Iterable[str]:
    scores = sources.main_scores
    if not scores:
        return
    yield "Loss is the negative log-likelihood of the next token in nats."
    ways = dict.fromkeys(_scored_how(score) for score in scores)
    if len(ways) == 1:
        yield f"It was measured on {next(iter(ways))}."
    else:
        yield f"It was measured in {len(ways)} ways, given for each model in the table of scores."
    contexts = {score.context_tokens for score in scores}
    rows = [row for row in (*sources.runs, *sources.others) if row["score_id"] in {score.score_id for score in scores}]
    if len(contexts) == 1 and any(row["context_gain_nats"] is not None for row in rows):
        (early, late), (first, last) = GAIN_WINDOW, last_octave(contexts.pop())
        yield f"The context gain is the mean loss at positions {early}–{late} minus that at positions {first}–{last}, paired by document."
    if any(row["icl_score"] is not None for row in rows):
        yield f"The in-context learning score (Olsson et al. 2022) is taken over positions up to {LATE_WINDOW[1]}."
    if any(score.ablation for score in scores):
        yield "To separate the context from the place in the document, the same target tokens were predicted again with the context cut to its last k tokens."


def _scored_how(score: ScoreRecord) -> str:
    return (
        f"{counted(score.num_documents, 'document')} of {text_in_words(score)} in {counted(score.num_blocks, 'window')} of "
        f"{counted(score.context_tokens, 'token')}: {WINDOWS[score.windows]}"
    )


def _laws(sources: Sources) -> Iterable[str]:
    kinds = ("loss_vs_size", "loss_vs_size_and_data", "loss_vs_position")
    fits = {kind: [fit for fit in sources.fits.get(kind) or () if fit["convergence"]] for kind in kinds}
    if not any(fits.values()):
        return
    covers = (sources.fits.get("intervals") or {}).get("covers")
    if sources.is_table:
        num_points = {fit["label"]: len(fit["points"]) for of_kind in fits.values() for fit in of_kind}
        yield f"The data are {counted(sum(num_points.values()), 'point')} in {len(num_points)} series, measured elsewhere."
    if fits["loss_vs_size"]:
        over = _listed([AXES[axis] for axis in AXES if any(fit["x"] == axis for fit in fits["loss_vs_size"])])
        where = "" if sources.is_table else f" over {over}"
        yield f"To each series we fitted {_forms(fits['loss_vs_size'])}{where}."
    if fits["loss_vs_size_and_data"]:
        which = "" if sources.is_table else ", from final losses of complete schedules on unique tokens,"
        yield f"Loss against size and data{which} was fitted by {_forms(fits['loss_vs_size_and_data'])}."
    if fits["loss_vs_position"]:
        yield f"Loss against context position was fitted by {_forms(fits['loss_vs_position'])}{'' if sources.is_table else ' over log-spaced bins'}."
    weights = "" if covers in ("scatter", "none") else " weighted by the known variances"
    forms = {fit["form"] for of_kind in fits.values() for fit in of_kind}
    of_logs = " (for the forms of Kaplan et al., squared residuals of the logarithm)" if forms & {PAPER_FORM, JOINT_FORM} else ""
    yield f"Fits minimise squared relative residuals{of_logs}{weights}."
    if forms - {PAPER_FORM, JOINT_FORM}:
        yield (
            "Laws with an irreducible loss are fitted by variable projection: it and the coefficients, not below zero, are solved for each exponent on a "
            "grid and polished jointly from many starts."
        )
    if JOINT_FORM in forms:
        yield "The joint form is fitted by Levenberg and Marquardt's descent from many starts."
    yield (
        "Objective, gradient and the agreement of starts are reported, since intervals from an optimiser that stopped early are worth nothing "
        "(Besiroglu et al. 2024)."
    )
    if any(fit["log_huber"] for of_kind in fits.values() for fit in of_kind):
        yield "The log-Huber loss with δ = 0.001 (Hoffmann et al. 2022) is reported beside it as a sensitivity."
    yield "A parameter that the data do not pin down is reported as not identifiable."


def _forms(fits: Sequence[Any]) -> str:
    return _listed([FORMS.get(form, form) for form in dict.fromkeys(fit["form"] for fit in fits)])


def _intervals(sources: Sources) -> Iterable[str]:
    intervals = sources.fits.get("intervals") or {}
    covers = intervals.get("covers")
    if covers not in ("documents", "documents and seeds"):
        if intervals.get("sentence"):
            yield str(intervals["sentence"])
        return
    yield (
        f"Intervals of fits and claims are percentiles of {whole(intervals['num_replicates'])} replicates. Documents are crossed with models: every replicate "
        f"draws one resample of the {counted(intervals['num_documents'], 'document')}, shared by all models; deviations "
        "from the data are widened to those of Student's t with the documents' degrees of freedom."
    )
    if covers == "documents and seeds":
        spread = f"{significant(intervals['seed_spread_nats'], digits=2)} nats, {counted(intervals['seed_degrees_of_freedom'], 'degree')} of freedom"
        yield (
            f"To each model it adds a seed deviation from the spread between seeds, pooled over all settings with several ({spread}; t-scaled) and taken to be "
            "the same everywhere."
        )
    else:
        yield "With one seed per model the intervals are conditional on these trained models: another seed may change them."


def _statements(sources: Sources) -> Iterable[str]:
    fits = sources.fits
    judged = [plateau for plateau in fits.get("plateaus") or () if plateau["candidates"]]
    if judged:
        yield (
            "Whether a loss levels off was judged between a loss that is flat after k tokens, a power law, and a power law that stops at k, each fitted on "
            f"half of the documents and judged on the other half with the bins' covariance, shrunk (Schäfer and Strimmer 2005), over {judged[0]['num_splits']} "
            "splits whose overlap the standard error allows for (Nadeau and Bengio 2003), and by predicting the last octave from the positions before it; "
            "a tie within one standard error is undecided."
        )
    if fits.get("crossovers"):
        yield (
            "Two series are said to cross only inside the range that both were measured in, and with an interval only where at least 97.5 % of replicates "
            "cross exactly once, in one direction."
        )
    if fits.get("paired_differences"):
        yield "Differences by position are paired by document, with simultaneous bands."
    if any(claim["kind"] == "gap" and claim["run_ids"] for claim in fits.get("claims") or ()):
        yield "Where families are compared, each stands with its depth of lowest validation loss; the test documents have no say in that choice."
    tested = [claim for claim in fits.get("claims") or () if claim["p_adjusted"] is not None]
    if tested:
        yield (
            f"The {counted(len(fits['claims']), 'claim')} are judged by rules on their intervals, written beside them; p-values of the {len(tested)} that "
            "could be tested are corrected for their number (Holm 1979)."
        )


def _software(sources: Sources) -> Iterable[str]:
    versions: dict[str, dict[str, None]] = {}
    records: list[RunRecord | ScoreRecord] = [*sources.records.values(), *sources.main_scores]
    for record in records:
        for name, found in record.packages.items():
            versions.setdefault(name, {})[found] = None
    others = [f"{name} {' and '.join(found)}" for name, found in sorted(versions.items()) if name in ("torch", "transformers")]
    yield f"All of this was done with hf-ctxscale {software_version()}{f' on {_listed(others)}' if others else ''}."


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
