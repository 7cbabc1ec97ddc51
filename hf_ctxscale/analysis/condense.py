"""condense_study: a copy of a study that is small enough to ship, and from which `analyse` and `draw` still make every fit, claim and chart."""

import shutil
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from hf_ctxscale.analysis.claims_of_context import BEYOND_100, EARLY
from hf_ctxscale.analysis.condensed import binned_losses_file, open_losses, save_binned
from hf_ctxscale.analysis.plateau_forms import plateau_bins
from hf_ctxscale.analysis.positions import EARLY_WINDOW, GAIN_WINDOW, LATE_WINDOW, Window, last_octave, log_bins
from hf_ctxscale.study import Study, UserError


def condensed_bins(context_tokens: int) -> tuple[Window, ...]:
    """Log bins, split wherever a window begins or ends that some statistic, claim or fit takes the mean over.

    Every such mean is then one of whole bins, and the same from the condensed study as from the full one.
    """
    octave_before = (context_tokens // 4 + 1, context_tokens // 2)
    named = (GAIN_WINDOW, EARLY, EARLY_WINDOW, LATE_WINDOW, BEYOND_100, octave_before, last_octave(context_tokens))
    windows = (*log_bins(context_tokens), *plateau_bins(context_tokens), *named)
    edges = sorted({0} | {edge for first, last in windows for edge in (first - 1, last) if edge <= context_tokens})
    return tuple((low + 1, high) for low, high in pairwise(edges))


def condense_study(study: Study, *, folder: Path) -> Study:
    """Copies settings, records, histories, ablations and results into a new folder, with losses by bin in place of losses by position.

    Models, token streams, tokenizer, charts and reports stay behind: `hf-ctxscale draw` makes the last two again. Nothing appears in the
    folder until all of it is there.

    Raises:
        UserError: the folder exists already, or the study holds no scores, or losses of them are missing.
    """
    if not study.score_records():
        raise UserError(f"{str(study.folder)!r} holds no scores, so there is nothing to condense; name a study that was scored.")
    if folder.exists():
        raise UserError(f"{str(folder)!r} exists already; name a folder that does not, or remove this one first.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".tmp"))
    try:
        for path in _kept(study):
            copy = aside / path.relative_to(study.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        for score in study.score_records():
            losses = open_losses(study, score.score_id)
            save_binned(binned_losses_file(Study(aside), score.score_id), losses, bins=condensed_bins(losses.context_tokens))
        aside.chmod(0o755)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Study(folder)


def _kept(study: Study) -> Iterator[Path]:
    """Files that travel as they are."""
    named = [study.config_file, study.table_file, study.tokens / "corpus.json"]
    for run in study.run_records():
        named += [study.run_file(run.run_id), study.history_file(run.run_id), study.validation_curves_file(run.run_id)]
    for score in study.score_records():
        named += [study.score_file(score.score_id), study.ablation_file(score.score_id), study.byte_losses_file(score.score_id)]
    named += sorted(study.results.glob("*"))
    return (path for path in named if path.is_file() and not path.name.startswith("."))
