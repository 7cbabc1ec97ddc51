"""What every made-up law of fits.json has: parameters, convergence, log-Huber values, profiles, and its curve."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Row = dict[str, Any]

NOTHING = {"value": None, "low": None, "high": None}


def fitted(form: str, values: dict[str, float], *, banded: bool, open_ended: str) -> Row:
    """A converged law; the parameter ``open_ended`` has no interval and says why."""
    params = {}
    for name, value in values.items():
        limits = {"low": value * 0.9, "high": value * 1.1} if banded and name != open_ended else {"low": None, "high": None}
        reason = "the interval of alpha reaches 0" if name == open_ended else None if banded else "no replicates: no interval"
        params[name] = {"value": float(value), **limits, "reason": reason}
    return {
        "form": form,
        "params": params,
        "converged": True,
        "reason": None,
        "convergence": {"objective": 3.2e-4, "gradient": 1.5e-11, "num_starts": 12, "starts_agreeing": 12},
        "log_huber": {name: value * 1.01 for name, value in values.items()},
        "profiles": [profile(name, values[name]) for name in values if name.startswith(("alpha", "beta"))],
    }


def unfitted(form: str, names: Sequence[str], reason: str) -> Row:
    """A law that the data do not allow."""
    params = {name: NOTHING | {"reason": reason} for name in names}
    return {"form": form, "params": params, "converged": False, "reason": reason, "convergence": None, "log_huber": None, "profiles": []}


def profile(parameter: str, value: float) -> Row:
    at = np.geomspace(0.02, 2.0, 33)
    return {"parameter": parameter, "at": at.tolist(), "rise": (4 * np.log(at / value) ** 2).tolist()}


def compared(loss: float, predict: Callable | None, at: float) -> Row:
    predicted = float(predict(at)) if predict else None
    return {"predicted": predicted, "residual": None if predicted is None else loss - predicted}


def curve(predict: Callable, low: float, high: float, *, banded: bool) -> list[Row]:
    return [
        {"x": float(x), "loss_nats": float(y), "low": float(y) - 0.04 if banded else None, "high": float(y) + 0.04 if banded else None}
        for x, y in ((x, predict(x)) for x in np.geomspace(low, high, 40))
    ]
