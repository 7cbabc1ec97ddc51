"""analyse_study: every fit and every claim of a study, into results/fits.json."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hf_ctxscale.analysis.claims import Claim, judge_claims
from hf_ctxscale.analysis.estimates import Estimate, jackknife
from hf_ctxscale.analysis.measured import Measured, MeasuredRun, load_measured
from hf_ctxscale.analysis.positions import window_means
from hf_ctxscale.analysis.power_laws import fit_position_power_law, fit_size_power_law
from hf_ctxscale.files import write_json
from hf_ctxscale.study import FITS_FORMAT, Study


def analyse_study(study: Study) -> dict[str, Any]:
    """Fits loss against size and against position, judges the claims, and writes results/fits.json.

    Works on a study that is not finished yet: what is there is analysed, what is left out is among the notes.

    Returns:
        what the file holds; None stands for "no number", always beside a reason.

    Raises:
        UserError: no run is finished and scored, or scores are of different documents.
    """
    measured = load_measured(study)
    by_size = [_fit_series(name, runs) for name, runs in measured.series.items()]
    by_position = [_fit_run(run) for runs in measured.series.values() for run in runs]
    fits = {
        "format": FITS_FORMAT,
        "loss_vs_parameters": by_size,
        "loss_vs_position": by_position,
        "claims": [_claim_entry(claim) for claim in judge_claims(measured)],
        "notes": _notes(measured),
    }
    write_json(study.fits_file, fits)
    return fits


def _fit_series(name: str, runs: Sequence[MeasuredRun]) -> dict[str, Any]:
    window = (1, runs[0].losses.context_tokens)
    loss_RP = np.concatenate([window_means(run.losses, [window]) for run in runs], axis=1)
    weights_D = runs[0].losses.num_tokens.sum(axis=1)
    fit = fit_size_power_law(np.array([run.record.params.body for run in runs]), loss_RP, weights_D=weights_D)
    points = []
    for p, run in enumerate(runs):
        loss = jackknife(loss_RP[:, p], weights_D=weights_D)
        points.append(
            {
                "run_id": run.record.run_id,
                "x": run.record.params.body,
                "loss_nats": _number(loss.value),
                "loss_low": _number(loss.low),
                "loss_high": _number(loss.high),
                "predicted": _number(fit.predicted_nats[p]),
                "residual": _number(fit.residual_nats[p]),
            }
        )
    return {
        "series": name,
        "architecture": runs[0].record.architecture,
        "num_layers": runs[0].record.num_layers,
        "x": "body_params",
        "form": "(N_c/N)^alpha",
        "params": {"alpha": _param(fit.alpha), "n_c": _param(fit.n_c)},
        "converged": fit.converged,
        "reason": fit.reason,
        "points": points,
    }


def _fit_run(run: MeasuredRun) -> dict[str, Any]:
    fit = fit_position_power_law(run.losses)
    return {
        "run_id": run.record.run_id,
        "form": "L_inf + A*t^-alpha",
        "params": {"l_inf": _param(fit.l_inf), "a": _param(fit.a), "alpha": _param(fit.alpha)},
        "converged": fit.converged,
        "reason": fit.reason,
        "bins": [list(window) for window in fit.bins],
        "residual_nats": [_number(residual) for residual in fit.residual_nats],
    }


def _claim_entry(claim: Claim) -> dict[str, Any]:
    return {
        "id": claim.id,
        "claim": claim.claim,
        "measured": _number(claim.measured.value),
        "unit": claim.unit,
        "low": _number(claim.measured.low),
        "high": _number(claim.measured.high),
        "confidence": claim.measured.confidence,
        "rule": claim.rule.sentence,
        "verdict": claim.verdict,
        "reason": claim.reason,
        "num_documents": claim.measured.num_documents,
        "num_runs": len(claim.runs),
        "seeds": sorted({run.record.seed for run in claim.runs}),
    }


def _notes(measured: Measured) -> list[str]:
    score = measured.runs[0].score
    seeds = sorted({run.record.seed for run in measured.runs})
    trained = "one seed" if len(seeds) == 1 else f"{len(seeds)} seeds, averaged"
    few = [name for name, runs in measured.series.items() if len({run.record.params.body for run in runs}) == 2]
    notes = [
        f"Measured on {len(measured.documents)} {score.split} documents of {score.corpus}, {score.windows} windows of "
        f"{measured.context_tokens} tokens; every window weighs the same.",
        f"Intervals cover the choice of test documents; they are conditional on these trained models ({trained}).",
        "Each interval stands for itself; none is widened for the number of claims.",
        *measured.notes,
    ]
    tokens = sorted({run.record.train_tokens for run in measured.runs})
    if len(tokens) > 1:
        notes.append(
            f"Sizes were trained on different numbers of tokens ({tokens[0] / 1e6:.1f} to {tokens[-1] / 1e6:.1f} million, equal within a size): "
            "what is said across sizes, the exponents of loss against size among it, mixes size and data."
        )
    if few:
        notes.append(f"Two sizes only ({', '.join(few)}): the power law runs through both points, so its residuals say nothing.")
    return notes


def _param(estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {"value": None, "low": None, "high": None}
    return {"value": _number(estimate.value), "low": _number(estimate.low), "high": _number(estimate.high)}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
