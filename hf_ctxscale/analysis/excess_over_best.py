"""excess_over_best: every run's loss above the best possible one by position, where the corpus is one whose probabilities are known."""

from typing import Any

from hf_ctxscale.analysis.condensed import open_losses
from hf_ctxscale.analysis.measured import Measured, finished_scores, way_of
from hf_ctxscale.analysis.paired_differences import position_differences
from hf_ctxscale.records import EXACT_PREDICTOR
from hf_ctxscale.study import Study, UserError


def excess_over_best(study: Study, measured: Measured) -> list[dict[str, Any]]:
    """As results/fits.json holds it, an entry per run; empty where no best possible prediction was scored on the same tokens.

    Limits hold in all bins of positions at once, over documents; the same tokens are predicted by both.
    """
    way = way_of(measured.runs[0].score)
    exact = [score for run, score in finished_scores(study) if run is None and score.model_type == EXACT_PREDICTOR and way_of(score) == way]
    if not exact:
        return []
    try:
        best = open_losses(study, exact[0].score_id).aligned_to(measured.documents)
    except UserError:
        return []
    entries = []
    for run in (run for runs in measured.series.values() for run in runs):
        curve = position_differences([run.losses], [best], weights_D=measured.weights_D)
        entries.append({"run_id": run.record.run_id, "best_score_id": exact[0].score_id, "bins": curve.entries("excess_nats")})
    return entries
