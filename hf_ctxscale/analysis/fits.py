"""analyse_study: every fit, every comparison and every claim of a study, into results/fits.json."""

import json
from collections import defaultdict
from dataclasses import asdict
from typing import Any

from hf_ctxscale.analysis.claims import judge_claims
from hf_ctxscale.analysis.excess_over_best import excess_over_best
from hf_ctxscale.analysis.fit_entries import CONFIDENCE
from hf_ctxscale.analysis.measured import Measured, load_measured
from hf_ctxscale.analysis.paired_differences import paired_differences
from hf_ctxscale.analysis.plateau import judge_plateau
from hf_ctxscale.analysis.position_fits import position_entries
from hf_ctxscale.analysis.replicates import Replicates, draw_replicates
from hf_ctxscale.analysis.size_fits import size_and_data_entries, size_entries
from hf_ctxscale.analysis.verdicts import MIN_DOCUMENTS
from hf_ctxscale.files import write_json
from hf_ctxscale.study import FITS_FORMAT, Study

LEAST_MISMATCH = 0.001  # of body parameters that a note speaks of
CONDITIONAL = "conditional on these trained models"


def analyse_study(study: Study) -> dict[str, Any]:
    """Fits loss against size, size and data, and position; judges plateaus, crossovers and claims; writes results/fits.json.

    Works on a study that is not finished yet: what is there is analysed, what is left out is among the notes. Claims, laws of size and
    crossovers rest on one number of training tokens per size, laws of position and plateaus on every run.

    Returns:
        what the file holds; None stands for "no number", always beside a reason.

    Raises:
        UserError: no run is finished and scored, or scores are of different documents.
    """
    measured = load_measured(study)
    full = measured.at_full_budget()
    replicates = draw_replicates(measured)
    by_size, crossovers, size_notes = size_entries(full, replicates)
    by_size_and_data, data_notes = size_and_data_entries(measured, replicates, unique_tokens=_unique_train_tokens(study))
    by_position, position_notes = position_entries(measured, replicates)
    runs = [run for runs in measured.series.values() for run in runs]
    intervals = _intervals(measured, replicates)
    fits = {
        "format": FITS_FORMAT,
        "source": "study",
        "intervals": intervals,
        "loss_vs_size": by_size,
        "loss_vs_size_and_data": by_size_and_data,
        "loss_vs_position": by_position,
        "plateaus": [{"run_id": run.record.run_id, **asdict(judge_plateau(run.losses))} for run in runs],
        "crossovers": crossovers,
        "paired_differences": [difference.entry() for difference in paired_differences(full)],
        "excess_over_best": excess_over_best(study, full),
        "claims": [claim.entry() for claim in judge_claims(full, replicates)],
        "notes": [*_notes(full, intervals["sentence"]), *size_notes, *data_notes, *position_notes],
    }
    write_json(study.fits_file, fits)
    content: dict[str, Any] = json.loads(study.fits_file.read_text(encoding="utf-8"))
    return content


def _intervals(measured: Measured, replicates: Replicates) -> dict[str, Any]:
    """What the intervals cover, and what they are made of."""
    num_documents, spread = len(measured.documents), replicates.seed_spread
    seeds = sorted({run.record.seed for run in measured.runs})
    covers = replicates.covers if num_documents > 1 else "none"
    percent = f"{100 * CONFIDENCE:g} %"
    trained = "one seed" if len(seeds) == 1 else "no model was trained with a second seed"
    sentences = {
        "none": f"No interval is possible: there is one test document, and what is said is {CONDITIONAL}.",
        "documents": f"{percent} intervals cover the choice of the {num_documents} test documents; they are {CONDITIONAL} ({trained}).",
    }
    if spread is not None:
        settings = {(run.record.series, run.record.target_body_params, run.record.train_tokens) for run in measured.runs}
        several = len(replicates.pool)
        seen = "" if several == len(settings) else f", seen in {several} of {len(settings)} settings and taken to hold in all"
        freedom = f"{spread.degrees_of_freedom} degree{'s' if spread.degrees_of_freedom > 1 else ''} of freedom"
        sentences["documents and seeds"] = (
            f"{percent} intervals of laws, crossovers and claims cover the choice of the {num_documents} test documents and the seed of each "
            f"run (a standard deviation of {spread.std_nats:.4f} nats between seeds, on {freedom}{seen}); "
            "those of a single model's losses, and of differences along the context, cover the documents alone."
        )
    return {
        "covers": covers,
        "sentence": sentences[covers],
        "confidence": CONFIDENCE,
        "num_replicates": replicates.num_replicates if covers != "none" else 0,
        "num_documents": num_documents,
        "seeds": seeds,
        "seed_spread_nats": spread.std_nats if spread else None,
        "seed_degrees_of_freedom": spread.degrees_of_freedom if spread else None,
    }


def _notes(measured: Measured, intervals: str) -> list[str]:
    score = measured.runs[0].score
    few = [name for name, runs in measured.series.items() if len({run.record.params.body for run in runs}) == 2]
    notes = [
        f"Measured on {len(measured.documents)} {score.split} document{'s' if len(measured.documents) > 1 else ''} of {score.corpus}, "
        f"{score.windows} windows of {measured.context_tokens} tokens; every window weighs the same.",
        intervals,
        "Each interval stands for itself; the verdicts are corrected for the number of claims (Holm).",
        *measured.notes,
    ]
    tokens = sorted({run.record.train_tokens for run in measured.runs})
    if len(tokens) > 1:
        notes.append(
            f"Sizes were trained on different numbers of tokens ({tokens[0] / 1e6:.1f} to {tokens[-1] / 1e6:.1f} million, equal within a size): "
            "what is said across sizes, the exponents of loss against size among it, mixes size and data."
        )
    mismatch = _size_mismatch(measured)
    if mismatch >= LEAST_MISMATCH:
        notes.append(
            f"Models of one size differ by up to {100 * mismatch:.2g} % in body parameters; their losses are compared as they are."
        )
    if 1 < len(measured.documents) < MIN_DOCUMENTS:
        notes.append(
            f"{len(measured.documents)} documents are few: an interval from fewer than {MIN_DOCUMENTS} is not to be relied on, so claims and "
            "crossovers are undecided."
        )
    if few:
        notes.append(f"Two sizes only ({', '.join(few)}): the power law runs through both points, so its residuals say nothing.")
    return notes


def _size_mismatch(measured: Measured) -> float:
    """How much larger the largest model of a target size is than the smallest, as a share; the most of all sizes."""
    bodies: dict[int, list[int]] = defaultdict(list)
    for run in measured.runs:
        bodies[run.record.target_body_params].append(run.record.params.body)
    return max(max(of_size) / min(of_size) - 1 for of_size in bodies.values())


def _unique_train_tokens(study: Study) -> int | None:
    """Tokens of the training text; None where its record is not there or is of another version."""
    path = study.tokens / "corpus.json"
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["splits"]["train"]["num_tokens"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
