"""Made-up plateaus, crossovers, paired differences and claims for a synthetic study's fits.json: one of every kind and verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

from hf_ctxscale.architectures import series_label
from hf_ctxscale.paper import ALPHA_N
from hf_ctxscale.study import size_label

Row = dict[str, Any]

CANDIDATES = ("flat after k", "power law", "power law that stops at k")


def plateaus(runs: Sequence[Row]) -> list[Row]:
    """LSTMs are flat, Transformers a power law; the first run is not decided and the last one cannot be judged."""
    found = []
    for place, run in enumerate(runs):
        lstm = "lstm" in run["architecture"]
        verdict = "undecided" if place == 0 else "plateau" if lstm else "power law"
        best = CANDIDATES[0] if lstm else CANDIDATES[1]
        scores = {CANDIDATES[0]: 1.01, CANDIDATES[1]: 1.02, CANDIDATES[2]: 1.015} | {best: 0.97}
        params = {"flat after k": {"c": 3.0, "b": 0.4, "k": 40}, "power law": {"l_inf": 2.7, "a": 3.1, "alpha": 0.6}}
        params["power law that stops at k"] = params["power law"] | {"k": 64}
        few = place == len(runs) - 1 and len(runs) > 1
        found.append(
            {
                "run_id": run["run_id"],
                "candidates": []
                if few
                else [
                    {
                        "form": form,
                        "params": params[form],
                        "score": scores[form],
                        "score_std_error": 0.02,
                        "last_octave_score": scores[form] + 0.3,
                    }
                    for form in CANDIDATES
                ],
                "best": None if few else best,
                "verdict": "undecided" if few else verdict,
                "difference": None if few else 0.05,
                "std_error": None if few else 0.02,
                "last_octave_difference": None if few else 0.03,
                "last_octave_std_error": None if few else 0.025,
                "num_splits": 20,
                "num_documents": run["num_documents"],
                "reason": "fewer than 20 documents"
                if few
                else "the forms tie within one standard error"
                if verdict == "undecided"
                else None,
            }
        )
    return found


def crossovers(series: Mapping[tuple[str, int], Sequence[Row]]) -> list[Row]:
    """Each LSTM depth against each Transformer series on the body axis: crosses, is better throughout, has no overlap, in turn."""
    found = []
    pairs = [(a, b) for a in series for b in series if a[0] == "lstm" and b[0] == "gpt2"]
    for place, (first, second) in enumerate(pairs):
        labels = [series_label(key[0], {key[1]}) for key in (first, second)]
        sizes = sorted(row["body_params"] for row in series[second])
        verdict = ("crosses once", "second is better throughout", "no overlap", "undecided")[place % 4]
        crosses = verdict == "crosses once"
        found.append(
            {
                "x": "body_params",
                "first": f"{first[0]}-{first[1]}",
                "second": f"{second[0]}-{second[1]}",
                "first_label": labels[0],
                "second_label": labels[1],
                "overlap": None if verdict == "no overlap" else [sizes[0], sizes[-1]],
                "share_crossing_once": None if verdict == "no overlap" else 0.99 if crosses else 0.2,
                "x_cross": 51_000.0 if crosses else None,
                "low": 33_000.0 if crosses else None,
                "high": 78_000.0 if crosses else None,
                "direction": "second below first above it" if crosses else None,
                "verdict": verdict,
                "sentence": f"{labels[0]} against {labels[1]}: {verdict}.",
            }
        )
    return found


def paired_differences(series: Mapping[tuple[str, int], Sequence[Row]], positions: Sequence[Row]) -> list[Row]:
    """The 1-layer LSTM minus the Transformer at every size, and the deepest minus the shallowest LSTM at the largest."""
    lstms = {key: rows for key, rows in series.items() if key[0] == "lstm"}
    transformers = [rows for key, rows in series.items() if key[0] == "gpt2"]
    if not lstms:
        return []
    shallow, deep = lstms[min(lstms)], lstms[max(lstms)]
    pairs = list(zip(shallow, transformers[0], strict=False)) if transformers else []
    pairs += [(deep[-1], shallow[-1])] if len(lstms) > 1 else []
    return [_paired_difference(first, second, positions) for first, second in pairs]


def _paired_difference(first: Row, second: Row, positions: Sequence[Row]) -> Row:
    labels = [series_label(run["architecture"], {run["num_layers"]}) for run in (first, second)]
    bins = [[row for row in positions if row["score_id"] == run["score_id"]] for run in (first, second)]
    banded = first["loss_nats_low"] is not None
    return {
        "size": second["body_params"],
        "first_run_ids": [first["run_id"]],
        "second_run_ids": [second["run_id"]],
        "first_label": labels[0],
        "second_label": labels[1],
        "sentence": f"At {size_label(second['body_params'])} body parameters: {labels[0]} minus {labels[1]}.",
        "bins": [
            {
                "position_from": a["position_from"],
                "position_to": a["position_to"],
                "difference_nats": a["loss_nats"] - b["loss_nats"],
                "low": a["loss_nats"] - b["loss_nats"] - 0.05 if banded else None,
                "high": a["loss_nats"] - b["loss_nats"] + 0.05 if banded else None,
            }
            for a, b in zip(*bins, strict=True)
        ],
    }


def claims(runs: Sequence[Row]) -> list[Row]:
    """A claim of every kind; one seed cannot support a gap or an exponent."""
    seeds = sorted({run["seed"] for run in runs})
    one = len(seeds) < 2
    conditional = "one seed: this interval is conditional on these trained models, and another seed may change it" if one else None
    verdict = "undecided" if one else "supported"
    tokens = [run["train_tokens"] for run in runs if run["train_tokens"] is not None]
    shared = {
        "confidence": 0.95,
        "num_documents": max((run["num_documents"] for run in runs), default=None),
        "num_runs": len(runs),
        "seeds": seeds,
        "run_ids": [run["run_id"] for run in runs],
        "train_tokens": [min(tokens), max(tokens)] if tokens else None,
        "paper": None,
        "unit": "nats",
    }
    return [
        shared
        | {
            "id": "transformer_below_lstm_222k",
            "claim": "At 222K body parameters the Transformer has a lower test loss than the best LSTM.",
            "kind": "gap",
            "measured": 0.301,
            "low": 0.263,
            "high": 0.339,
            "p_value": 0.0005,
            "p_adjusted": 0.002,
            "rule": "supported if the 95 % interval of the LSTM's loss minus the Transformer's lies above 0 and Holm's p is at most 0.05",
            "verdict": verdict,
            "reason": conditional,
        },
        shared
        | {
            "id": "lstm_1_flat_beyond_64",
            "claim": "The 1-layer LSTM is flat beyond 64 tokens.",
            "kind": "gain",
            "measured": 0.0025,
            "low": -0.0175,
            "high": 0.0125,
            "confidence": 0.9,
            "p_value": 0.004,
            "p_adjusted": 0.012,
            "rule": "supported if the 90 % interval of the context gain lies inside ±0.02 nats and Holm's p is at most 0.05",
            "verdict": "supported",
            "reason": None,
        },
        shared
        | {
            "id": "transformer_gains_beyond_64",
            "claim": "The Transformer gains more than 0.02 nats beyond 64 tokens.",
            "kind": "gain",
            "measured": 0.004,
            "low": -0.011,
            "high": 0.015,
            "p_value": 0.003,
            "p_adjusted": 0.012,
            "rule": "supported if the 95 % interval lies above 0.02 nats and Holm's p is at most 0.05",
            "verdict": "not supported",
            "reason": None,
        },
        shared
        | {
            "id": "alpha_lstm-1",
            "claim": "The exponent of LSTM, 1 layer, is the paper's.",
            "kind": "exponent",
            "measured": 0.064,
            "low": 0.058,
            "high": 0.070,
            "confidence": 0.9,
            "unit": "",
            "paper": ALPHA_N,
            "p_value": 0.001,
            "p_adjusted": 0.003,
            "rule": "supported if the 90 % interval lies inside ±10 % of the paper's value, not supported if it lies wholly outside",
            "verdict": "undecided" if one else "not supported",
            "reason": conditional,
        },
        shared
        | {
            "id": "alpha_gpt2_above_lstm-4",
            "claim": "The Transformer's exponent is above that of LSTM, 4 layers.",
            "kind": "exponent",
            "measured": None,
            "low": None,
            "high": None,
            "unit": "",
            "p_value": None,
            "p_adjusted": None,
            "rule": "supported if the 95 % interval of the difference lies above 0 and Holm's p is at most 0.05",
            "verdict": "undecided",
            "reason": "2 sizes of LSTM, 4 layers; 3 are needed",
        },
    ]


def excess_over_best(runs: Sequence[Row], positions: Sequence[Row], *, best_nats: float = 2.0) -> list[Row]:
    """Every run's loss above a level that no model can beat, with a band of two hundredths."""
    entries = []
    for run in runs:
        bins = [
            {key: row[key] for key in ("position_from", "position_to")}
            | {
                "excess_nats": row["loss_nats"] - best_nats,
                "low": row["loss_nats"] - best_nats - 0.02,
                "high": row["loss_nats"] - best_nats + 0.02,
            }
            for row in positions
            if row["score_id"] == run["score_id"]
        ]
        entries.append({"run_id": run["run_id"], "best_score_id": "exact-score", "bins": bins})
    return entries
