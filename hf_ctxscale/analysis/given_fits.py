"""analyse_table: laws fitted to a table of numbers from elsewhere, into results/fits.json; nothing needs to be trained for it.

Letters: R replicates, P rows of the table, W bins of positions, T positions.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import scipy

from hf_ctxscale.analysis.fit_entries import CONFIDENCE, Entry, curve_entries, law_entry, point_entries
from hf_ctxscale.analysis.given_table import GivenTable, read_given_table
from hf_ctxscale.analysis.laws.law_fit import LawFit
from hf_ctxscale.analysis.laws.position_law import fit_position_law
from hf_ctxscale.analysis.laws.scatter import scatter_replicates
from hf_ctxscale.analysis.laws.size_and_data_laws import fit_joint_law, fit_sum_law
from hf_ctxscale.analysis.laws.size_laws import fit_offset_law, fit_paper_law
from hf_ctxscale.analysis.position_fits import without_gaps
from hf_ctxscale.analysis.positions import log_bins
from hf_ctxscale.analysis.size_lines import BODY, SizeLine, crossover_entry, size_and_data_entry
from hf_ctxscale.files import write_json
from hf_ctxscale.study import FITS_FORMAT, Study

NUM_REPLICATES = 1000


def analyse_table(study: Study) -> dict[str, Any]:
    """Fits every law that the columns of the study's table allow, for each of its series.

    Returns:
        what the file holds, as for a study, without what needs documents: plateaus, paired differences and claims.

    Raises:
        UserError: the table cannot be read, or no fit is possible.
    """
    table = read_given_table(study.table_file)
    by_size: list[Entry] = []
    by_size_and_data: list[Entry] = []
    by_position: list[Entry] = []
    lines: list[SizeLine] = []
    for place, (name, rows) in enumerate(table.by_series.items()):
        words = {"series": name, "architecture": None, "num_layers": None, "label": name}
        if table.kind == "position":
            by_position.append({"run_id": None, "score_id": None, "label": name, **_position_entry(rows, seed=place)})
            continue
        points = _points(rows.numbers)
        if table.kind == "size and data":
            by_size_and_data += [{**words, **entry} for entry in _size_and_data_entries(rows, points, seed=place)]
        if table.kind == "size" or len(np.unique(table.numbers["D"])) == 1:
            line = _size_line(name, rows, seed=place)
            lines.append(line)
            by_size += [{**words, **entry} for entry in line.entries(points)]
    intervals = _intervals(table, entries=(*by_size, *by_size_and_data, *by_position))
    fits = {
        "format": FITS_FORMAT,
        "source": "table",
        "intervals": intervals,
        "loss_vs_size": by_size,
        "loss_vs_size_and_data": by_size_and_data,
        "loss_vs_position": by_position,
        "plateaus": [],
        "crossovers": [crossover_entry(first, second) for first, second in combinations(lines, 2)],
        "paired_differences": [],
        "claims": [],
        "notes": [f"Fitted to {len(table.series_P)} rows of a table.", intervals["sentence"], *table.notes],
    }
    write_json(study.fits_file, fits)
    content: dict[str, Any] = json.loads(study.fits_file.read_text(encoding="utf-8"))
    return content


def _size_line(name: str, rows: GivenTable, *, seed: int) -> SizeLine:
    n_P = rows.numbers["N"]
    paper_law, offset_law = (_fitted(rows, fit, n_P, seed=seed) for fit in (fit_paper_law, fit_offset_law))
    # A table does not say what its N counts.
    return SizeLine(name, name, name, BODY, n_P, paper_law, offset_law, x_words="N")


def _size_and_data_entries(rows: GivenTable, points: list[Entry], *, seed: int) -> list[Entry]:
    n_P, d_P = rows.numbers["N"], rows.numbers["D"]
    bare = [{"loss_nats": point["loss_nats"]} for point in points]
    laws = [_fitted(rows, fit, n_P, d_P, seed=seed) for fit in (fit_sum_law, fit_joint_law)]
    return [size_and_data_entry(law, bare, n_P=n_P, d_P=d_P) for law in laws]


def _fitted(rows: GivenTable, fit: Callable[..., LawFit], *x: np.ndarray, seed: int) -> LawFit:
    """The law, and its intervals from the table's own errors, or from the scatter about it."""
    loss_P, std_error_P = rows.numbers["loss"], rows.numbers.get("std_error")
    variance_P = None if std_error_P is None else np.square(std_error_P)
    law = fit(*x, loss_P[None], variance_P=variance_P)
    return fit(*x, _replicates(rows, predicted_P=law.predicted_P, num_params=len(law.params), seed=seed), variance_P=variance_P)


def _position_entry(rows: GivenTable, *, seed: int) -> Entry:
    """The law through log-spaced bins of the rows; every row of a bin weighs the same, wherever in the bin it lies."""
    position_P, loss_P = rows.numbers["position"].astype(np.int64), rows.numbers["loss"]
    num_rows_T = np.bincount(position_P - 1)
    bins = [(first, last) for first, last in log_bins(len(num_rows_T)) if num_rows_T[first - 1 : last].any()]
    inside_WP = np.array([(position_P >= first) & (position_P <= last) for first, last in bins])
    share_WP = inside_WP / inside_WP.sum(axis=1, keepdims=True)
    std_error_P = rows.numbers.get("std_error")
    # Where no errors are given the rows vary alike, so that a bin of many rows is known better.
    variance_W = np.square(share_WP) @ np.square(loss_P if std_error_P is None else std_error_P)

    def fit(loss_RP: np.ndarray) -> LawFit:
        return fit_position_law(without_gaps(bins), loss_RP @ share_WP.T, num_tokens_T=num_rows_T, variance_W=variance_W)

    law = fit(loss_P[None])
    law = fit(_replicates(rows, predicted_P=law.predict(position_P)[0], num_params=len(law.params), seed=seed))
    numbers = {"loss": share_WP @ loss_P} | ({} if std_error_P is None else {"std_error": np.sqrt(variance_W)})
    reached = [(int(position_P[inside_P].min()), int(position_P[inside_P].max())) for inside_P in inside_WP]
    points = [
        {"position_from": first, "position_to": last, **point} for (first, last), point in zip(reached, _points(numbers), strict=True)
    ]
    return {**law_entry(law), "points": point_entries(points, fit=law), "curve": curve_entries(law, position_P.astype(np.float64))}


def _replicates(rows: GivenTable, *, predicted_P: np.ndarray, num_params: int, seed: int) -> np.ndarray:
    return scatter_replicates(
        rows.numbers["loss"],
        predicted_P=predicted_P,
        num_params=num_params,
        std_error_P=rows.numbers.get("std_error"),
        num_replicates=NUM_REPLICATES,
        seed=seed,
    )


def _points(numbers: Mapping[str, np.ndarray]) -> list[Entry]:
    """Losses with the interval that the table's standard errors give them."""
    loss_P = numbers["loss"]
    if "std_error" not in numbers:
        return [{"loss_nats": loss, "loss_low": None, "loss_high": None} for loss in loss_P.tolist()]
    half_P = scipy.stats.norm.ppf(0.5 + CONFIDENCE / 2) * numbers["std_error"]
    ends = zip(loss_P.tolist(), (loss_P - half_P).tolist(), (loss_P + half_P).tolist(), strict=True)
    return [{"loss_nats": loss, "loss_low": low, "loss_high": high} for loss, low, high in ends]


def _has_limits(entry: Entry) -> bool:
    return any(param["low"] is not None for param in entry["params"].values())


def _intervals(table: GivenTable, *, entries: Sequence[Entry]) -> dict[str, Any]:
    has_limits = any(_has_limits(entry) for entry in entries)
    covers = "none" if not has_limits else "errors" if "std_error" in table.numbers else "scatter"
    percent = f"{100 * CONFIDENCE:g} %"
    sentences = {
        "none": "No intervals: the table gives no standard errors, and has too few rows for a scatter about the laws."
        if any(entry["converged"] for entry in entries)
        else "No intervals: no law could be fitted.",
        "errors": f"{percent} intervals come from the standard errors in the table, taken as independent from row to row.",
        "scatter": f"{percent} intervals come from the scatter of the rows about each law, taken as independent and alike in relative size.",
    }
    return {
        "covers": covers,
        "sentence": sentences[covers],
        "confidence": CONFIDENCE,
        "num_replicates": NUM_REPLICATES if has_limits else 0,
        "num_documents": None,
        "seeds": sorted({int(seed) for seed in table.numbers.get("seed", ()) if np.isfinite(seed)}),
        "seed_spread_nats": None,
        "seed_degrees_of_freedom": None,
    }
