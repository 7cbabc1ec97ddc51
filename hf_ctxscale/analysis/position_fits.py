"""Loss against context position of every run of a study: the law through its log-spaced bins, as fits.json holds it.

Letters: R replicates, P runs, W bins of positions.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from hf_ctxscale.analysis.fit_entries import Entry, curve_entries, law_entry, number, point_entries
from hf_ctxscale.analysis.laws.position_law import fit_position_law
from hf_ctxscale.analysis.measured import Measured
from hf_ctxscale.analysis.positions import Window, log_bins, mean_loss
from hf_ctxscale.analysis.replicates import Replicates


def position_entries(measured: Measured, replicates: Replicates) -> tuple[list[Entry], list[str]]:
    """The law of every run, in the order of the runs' series; and notes on bins that no law can be fitted to."""
    bins = log_bins(measured.context_tokens)
    loss_RPW = replicates.losses(bins)
    if len(measured.documents) < 2:
        # Resamples of one document are all alike: they would look like a certainty.
        loss_RPW = loss_RPW[:1]
    place = {run.record.run_id: p for p, run in enumerate(measured.runs)}
    entries, notes = [], []
    for run in (run for runs in measured.series.values() for run in runs):
        p = place[run.record.run_id]
        known_W = (np.isfinite(loss_RPW[:, p]) & (loss_RPW[:, p] > 0)).all(axis=0)
        if not known_W.all():
            left_out = [window for window, known in zip(bins, known_W, strict=True) if not known]
            notes.append(f"{run.record.run_id}: positions {_listed(left_out)} have too few documents, or a loss of 0, and are in no fit.")
        windows = [window for window, known in zip(bins, known_W, strict=True) if known]
        if not windows:
            continue
        num_tokens_T = np.zeros(measured.context_tokens, dtype=np.int64)
        for first, last in windows:
            num_tokens_T[first - 1 : last] = run.losses.num_tokens[:, first - 1 : last].sum(axis=0)
        law = fit_position_law(
            without_gaps(windows),
            loss_RPW[:, p, known_W],
            num_tokens_T=num_tokens_T,
            variance_W=replicates.window_variances(p, windows),
        )
        points = []
        for first, last in windows:
            loss = mean_loss(run.losses, positions=(first, last))
            ends = {"loss_nats": number(loss.value), "loss_low": number(loss.low), "loss_high": number(loss.high)}
            points.append({"position_from": first, "position_to": last, **ends})
        ends_P = np.array([windows[0][0], windows[-1][1]], dtype=np.float64)
        ids = {"run_id": run.record.run_id, "score_id": run.score.score_id, "label": None}
        entries.append({**ids, **law_entry(law), "points": point_entries(points, fit=law), "curve": curve_entries(law, ends_P)})
    return entries, notes


def without_gaps(windows: Sequence[Window]) -> list[Window]:
    """Each window as far as the next one begins: what is between them counts no token, so that the means stay those of the windows."""
    return [(first, after - 1) for (first, _), (after, _) in pairwise(windows)] + [windows[-1]]


def _listed(windows: Sequence[Window]) -> str:
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in windows)
