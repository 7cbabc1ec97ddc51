"""made_up_fits: results/fits.json of format 2 for a synthetic study, with the laws that a real analysis might have found; nothing is estimated with care.

``write_made_up_fits(study)`` writes it beside the tables of `synthetic_study.write_synthetic_study`; ``made_up_table_fits`` is that of a CSV.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from made_up_laws import compared, curve, fitted, unfitted
from made_up_statements import claims, crossovers, excess_over_best, paired_differences, plateaus

from hf_ctxscale.architectures import series_label
from hf_ctxscale.files import read_table, write_json
from hf_ctxscale.paper import ALPHA_N, JOINT
from hf_ctxscale.study import Study

Row = dict[str, Any]

X_AXES = ("body_params", "total_params", "train_flops", "train_seconds")
SIZE_FORM, OFFSET_FORM = "(N_c/N)^alpha", "E + A*N^-alpha"
SUM_FORM, JOINT_FORM = "E + A*N^-alpha + B*D^-beta", "[(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D"
POSITION_FORM = "L_inf + A*t^-alpha"


def write_made_up_fits(study: Study, **options: Any) -> Row:
    """Writes the study's fits.json and returns what it holds."""
    fits = made_up_fits(
        read_table(study.results_file("runs")).to_pylist(), read_table(study.results_file("positions")).to_pylist(), **options
    )
    write_json(study.fits_file, fits)
    return fits


def made_up_fits(runs: Sequence[Row], positions: Sequence[Row], *, size_and_data: bool = True, best_possible: bool = False) -> Row:
    """Every kind of entry. Runs whose id ends in ``-trial`` lost to another learning rate and are left out.

    Args:
        runs: rows of results/runs.parquet.
        positions: rows of results/positions.parquet.
        size_and_data: whether the Transformers have a grid of sizes and tokens (its runs are made up and in no table).
        best_possible: whether the corpus is one whose best possible loss is known.
    """
    chosen = [row for row in runs if row["loss_nats"] is not None and row["run_id"] and not row["run_id"].endswith("-trial")]
    seeds = sorted({row["seed"] for row in chosen})
    documents = max((row["num_documents"] for row in chosen), default=None)
    series: dict[tuple[str, int], list[Row]] = {}
    for row in chosen:
        series.setdefault((row["architecture"], row["num_layers"]), []).append(row)
    return {
        "format": 2,
        "source": "study",
        "intervals": intervals(seeds, documents),
        "loss_vs_size": [size_fit(key, rows, x, form) for key, rows in series.items() for x in X_AXES for form in (SIZE_FORM, OFFSET_FORM)],
        "loss_vs_size_and_data": [
            data_fit(key, form, grid=size_and_data and key[0] == "gpt2") for key in series for form in (SUM_FORM, JOINT_FORM)
        ],
        "loss_vs_position": [
            position_fit(row, [own for own in positions if own["score_id"] == row["score_id"]]) for rows in series.values() for row in rows
        ],
        "plateaus": plateaus(chosen),
        "crossovers": crossovers(series),
        "paired_differences": paired_differences(series, positions),
        "excess_over_best": excess_over_best(chosen, positions) if best_possible else [],
        "claims": claims(chosen),
        "notes": ["Measured on made-up documents.", intervals(seeds, documents)["sentence"]],
    }


def intervals(seeds: Sequence[int], num_documents: int | None) -> Row:
    if num_documents is None or num_documents < 2:
        covers, sentence = "none", "No intervals: they need several test documents."
    elif len(seeds) < 2:
        covers = "documents"
        sentence = "Intervals are 95 % ones over the choice of test documents, conditional on these trained models (one seed)."
    else:
        covers, sentence = (
            "documents and seeds",
            f"Intervals are 95 % ones over the choice of test documents and the spread of {len(seeds)} seeds.",
        )
    both = covers == "documents and seeds"
    return {
        "covers": covers,
        "sentence": sentence,
        "confidence": 0.95,
        "num_replicates": 0 if covers == "none" else 2000,
        "num_documents": num_documents,
        "seeds": list(seeds),
        "seed_spread_nats": 0.012 if both else None,
        "seed_degrees_of_freedom": 12 if both else None,
    }


def size_fit(key: tuple[str, int], rows: Sequence[Row], x: str, form: str) -> Row:
    """One series' law over one x, where it has sizes enough."""
    points = [row for row in rows if row[x] is not None]
    at, loss = np.array([row[x] for row in points], float), np.array([row["loss_nats"] for row in points])
    sizes, wanted = len(set(at)), 2 if form == SIZE_FORM else 4
    names = ("alpha", "n_c") if form == SIZE_FORM else ("e", "a", "alpha")
    banded = bool(points) and all(row["loss_nats_low"] is not None for row in points)
    entry = {"series": f"{key[0]}-{key[1]}", "architecture": key[0], "num_layers": key[1], "label": series_label(key[0], {key[1]}), "x": x}
    if sizes < wanted:
        reason = f"{sizes} {'size is' if sizes == 1 else 'sizes are'} too few for a law with {len(names)} parameters"
        law = unfitted(form, names, reason)
        predict = None
    else:
        offset = 0.0 if form == SIZE_FORM else 0.5 * loss.min()
        slope, intercept = np.polyfit(np.log(at), np.log(loss - offset), 1)
        values = (
            {"alpha": -slope, "n_c": float(np.exp(-intercept / slope))}
            if form == SIZE_FORM
            else {"e": offset, "a": float(np.exp(intercept)), "alpha": -slope}
        )
        law = fitted(form, values, banded=banded, open_ended="n_c")
        predict = lambda at: offset + np.exp(intercept + slope * np.log(at))  # noqa: E731
    if form == SIZE_FORM and x == "body_params":
        entry["paper"] = {"alpha": ALPHA_N}
    return (
        entry
        | {"paper": None, **entry}
        | law
        | {
            "points": [
                {
                    "run_id": row["run_id"],
                    "x": row[x],
                    "loss_nats": row["loss_nats"],
                    "loss_low": row["loss_nats_low"],
                    "loss_high": row["loss_nats_high"],
                }
                | compared(row["loss_nats"], predict, row[x])
                for row in points
            ],
            "curve": curve(predict, at.min(), at.max(), banded=banded) if predict else [],
        }
    )


def data_fit(key: tuple[str, int], form: str, *, grid: bool) -> Row:
    """One series' law over size and data: Hoffmann's own numbers on four sizes by four budgets, or nothing."""
    entry = {"series": f"{key[0]}-{key[1]}", "architecture": key[0], "num_layers": key[1], "label": series_label(key[0], {key[1]})}
    paper = {"alpha_n": JOINT["alpha_n"], "alpha_d": JOINT["alpha_d"]} if form == JOINT_FORM else None
    values = (
        {"e": 1.69, "a": 406.4, "alpha": 0.34, "b": 410.7, "beta": 0.28}
        if form == SUM_FORM
        else {"alpha_n": 0.076, "alpha_d": 0.103, "n_c": 6.4e13, "d_c": 1.8e13}
    )
    if not grid:
        law = unfitted(form, tuple(values), "1 token budget per size; at least 4 sizes with 3 budgets each are needed")
        return entry | law | {"points": [], "curves": [], "paper": paper}
    sizes, budgets = np.geomspace(3e4, 3e6, 4), np.geomspace(1e7, 4e8, 4)
    loss = lambda n, d: 1.69 + 406.4 * n**-0.34 + 410.7 * d**-0.28  # noqa: E731
    noise = np.random.default_rng(1).normal(0, 0.01, (4, 4))
    return (
        entry
        | fitted(form, values, banded=True, open_ended="")
        | {
            "points": [
                {"run_id": f"{entry['series']}-grid-{i}-{j}", "n": n, "d": d, "loss_nats": loss(n, d) + noise[i, j]}
                | {"predicted": loss(n, d), "residual": noise[i, j]}
                for i, n in enumerate(sizes)
                for j, d in enumerate(budgets)
            ],
            "curves": [{"n": n, "curve": curve(lambda d, n=n: loss(n, d), budgets[0], budgets[-1], banded=True)} for n in sizes],
            "paper": paper,
        }
    )


def position_fit(run: Row, bins: Sequence[Row]) -> Row:
    """A law of loss by position through a run's bins, its exponent on a coarse grid."""
    middle = np.array([np.sqrt(row["position_from"] * row["position_to"]) for row in bins])
    loss = np.array([row["loss_nats"] for row in bins])
    best = None
    for alpha in np.arange(0.1, 2.0, 0.05):
        basis = np.stack([np.ones_like(middle), middle**-alpha], axis=1)
        coefficients, *_ = np.linalg.lstsq(basis, loss)
        error = float(((basis @ coefficients - loss) ** 2).sum())
        if best is None or error < best[0]:
            best = (error, alpha, *coefficients)
    _, alpha, l_inf, a = best
    predict = lambda t: l_inf + a * np.asarray(t, float) ** -alpha  # noqa: E731
    banded = all(row["loss_low"] is not None for row in bins)
    law = fitted(POSITION_FORM, {"l_inf": float(l_inf), "a": float(a), "alpha": float(alpha)}, banded=banded, open_ended="")
    points = [
        {key: row[key] for key in ("position_from", "position_to", "loss_nats", "loss_low", "loss_high")}
        | compared(row["loss_nats"], predict, at)
        for row, at in zip(bins, middle, strict=True)
    ]
    drawn = curve(predict, middle[0], middle[-1], banded=banded)
    return {"run_id": run["run_id"], "score_id": run["score_id"], "label": None} | law | {"points": points, "curve": drawn}


def made_up_table_fits(kind: Literal["size", "size_and_data", "position"]) -> Row:
    """What fits.json holds for a CSV of (N, loss), (N, D, loss) or (position, loss): the first two with a column of series."""
    nothing: Row = {
        key: []
        for key in ("loss_vs_size", "loss_vs_size_and_data", "loss_vs_position", "plateaus", "crossovers", "paired_differences", "claims")
    }
    covers = {
        "covers": "scatter",
        "sentence": "Intervals are 95 % ones from the scatter of the points about the fitted law.",
        "num_replicates": 1000,
    }
    fits = {
        "format": 2,
        "source": "table",
        "intervals": intervals([0], None) | {"seeds": []} | covers,
        **nothing,
        "notes": ["1 row without a loss was left out."],
    }
    rows = [
        {"run_id": None, "body_params": n, "loss_nats": 1.7 + 400 * n**-0.34, "loss_nats_low": None, "loss_nats_high": None}
        for n in np.geomspace(1e6, 1e9, 7)
    ]
    unnamed = {"architecture": None, "num_layers": None}
    if kind == "size":
        named = {
            series: [row | {"loss_nats": row["loss_nats"] + 0.1 * place} for row in rows] for place, series in enumerate(("ours", "theirs"))
        }
        fits["loss_vs_size"] = [
            size_fit(("", 0), own, "body_params", form) | unnamed | {"series": series, "label": series}
            for series, own in named.items()
            for form in (SIZE_FORM, OFFSET_FORM)
        ]
    elif kind == "size_and_data":
        fits["loss_vs_size_and_data"] = [
            data_fit(("", 0), form, grid=True) | unnamed | {"series": "all", "label": "all"} for form in (SUM_FORM, JOINT_FORM)
        ]
    else:
        bins = [
            {"position_from": t, "position_to": t, "loss_nats": 2.5 + 3 * t**-0.6, "loss_low": None, "loss_high": None}
            for t in range(1, 65)
        ]
        fits["loss_vs_position"] = [position_fit({"run_id": None, "score_id": None}, bins) | {"label": "all"}]
    return fits
