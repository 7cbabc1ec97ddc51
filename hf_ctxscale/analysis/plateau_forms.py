"""The shapes of loss against context position that plateau.py sets against each other, and their least-squares fits.

Every form is c + b·basis(t), c and b at least 0, with a basis for each exponent and each position k at which a curve may stop: a fit takes
the best basis of a grid, with c and b in closed form.

Letters: W windows (bins) of positions, G bases of one form, S curves that are fitted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from hf_ctxscale.analysis.positions import Window, last_octave, log_bins

FormName = Literal["flat after k", "power law", "power law that stops at k"]

# Steps of 2.7 %: next to the best exponent of the grid, the best of all lowers the squared error by far less than noise raises it.
EXPONENTS = np.geomspace(0.02, 4.0, 200)
SMALLEST_STOP = 2  # a curve that stops at position 1 has no shape


@dataclass(frozen=True)
class Form:
    """One shape with all its bases.

    Attributes:
        name: of the form.
        basis_GW: mean of the basis over the tokens of each bin, the exact mean and not its value at a midpoint.
        alpha_G: exponent of each basis; NaN where the form has none.
        stop_G: position from which on each basis is flat; NaN where it never is.
    """

    name: FormName
    basis_GW: np.ndarray
    alpha_G: np.ndarray
    stop_G: np.ndarray

    def params(self, *, best: int, c: float, b: float) -> dict[str, float]:
        """A fit's parameters by the names of the form: c + b·max(0, ln k - ln t), or l_inf + a·t^-alpha."""
        if self.name == "flat after k":
            return {"c": c, "b": b, "k": float(self.stop_G[best])}
        curve = {"l_inf": c, "a": b, "alpha": float(self.alpha_G[best])}
        return curve if self.name == "power law" else {**curve, "k": float(self.stop_G[best])}


@dataclass(frozen=True)
class FittedForms:
    """The fits of one form to S curves: which basis is best for each, and its coefficients, (S,) each."""

    best_S: np.ndarray
    c_S: np.ndarray
    b_S: np.ndarray

    def values(self, basis_GX: np.ndarray) -> np.ndarray:
        """Losses of every fit, (S, X), where ``basis_GX`` holds the form's bases at X windows."""
        return self.c_S[:, None] + self.b_S[:, None] * basis_GX[self.best_S]


def plateau_bins(context_tokens: int) -> tuple[Window, ...]:
    """Log bins, with an edge at T/2 too: the last octave is predicted from what comes before it."""
    middle = last_octave(context_tokens)[0] - 1
    bins: list[Window] = []
    for first, last in log_bins(context_tokens):
        bins += [(first, middle), (middle + 1, last)] if first <= middle < last else [(first, last)]
    return tuple(bins)


def plateau_forms(num_tokens_T: np.ndarray, *, bins: Sequence[Window]) -> tuple[Form, ...]:
    """The three candidates on bins that cover positions 1..T once.

    Args:
        num_tokens_T: tokens at every position: what each weighs in the mean of its bin.
        bins: the windows; a curve may stop at the end of each one from position 2 to T/2.
    """
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(bins)), bins
    log_t = np.log(np.arange(1, len(num_tokens_T) + 1))
    starts = [first - 1 for first, _ in bins]
    share_T = num_tokens_T / np.repeat(np.add.reduceat(num_tokens_T, starts), [last - first + 1 for first, last in bins])

    def bin_means(values_GT: np.ndarray) -> np.ndarray:
        return np.add.reduceat(share_T * values_GT, starts, axis=1)

    half = len(num_tokens_T) // 2
    stops = np.array([last for _, last in bins if SMALLEST_STOP <= last <= half], dtype=np.float64)
    broken_GW = bin_means(np.maximum(0.0, np.log(stops)[:, None] - log_t))
    power_GW = bin_means(np.exp(-EXPONENTS[:, None] * log_t))
    after_KW = np.array([first for first, _ in bins]) > stops[:, None]
    stopped_KGW = np.where(after_KW[:, None], stops[:, None, None] ** -EXPONENTS[:, None], power_GW)
    nothing = math.nan
    return (
        Form("flat after k", broken_GW, np.full(len(stops), nothing), stops),
        Form("power law", power_GW, EXPONENTS, np.full(len(EXPONENTS), nothing)),
        Form(
            "power law that stops at k",
            stopped_KGW.reshape(-1, len(bins)),
            np.tile(EXPONENTS, len(stops)),
            np.repeat(stops, len(EXPONENTS)),
        ),
    )


def fit_form(loss_SW: np.ndarray, *, basis_GW: np.ndarray, weight_W: np.ndarray) -> FittedForms:
    """Weighted least squares of S curves on every basis, both coefficients at least 0; the basis of least error is kept.

    Args:
        loss_SW: means by bin, in nats.
        basis_GW: the form's bases on the same bins.
        weight_W: of the squared residuals, such as one over the variance.
    """
    share_W = weight_W / weight_W.sum()
    mean_S, mean_G = loss_SW @ share_W, basis_GW @ share_W
    loss_c, basis_c = loss_SW - mean_S[:, None], basis_GW - mean_G[:, None]
    square_S, square_G = np.square(loss_c) @ share_W, np.square(basis_c) @ share_W
    # A basis that is level on these bins adds nothing to the constant.
    slope_SG = np.divide((loss_c * share_W) @ basis_c.T, square_G, out=np.zeros((len(loss_SW), len(basis_GW))), where=square_G > 0)
    b_SG = np.maximum(slope_SG, 0.0)
    c_SG = mean_S[:, None] - b_SG * mean_G
    error_SG = square_S[:, None] + b_SG * (b_SG - 2 * slope_SG) * square_G
    # Below its bound the constant is 0, and the basis stands alone.
    below_SG = c_SG < 0
    if below_SG.any():
        level_G = np.square(basis_GW) @ share_W
        alone_SG = (loss_SW * share_W) @ basis_GW.T / level_G
        error_alone_SG = (np.square(loss_SW) @ share_W)[:, None] - np.square(alone_SG) * level_G
        b_SG, c_SG, error_SG = (
            np.where(below_SG, x, y) for x, y in ((alone_SG, b_SG), (np.zeros_like(c_SG), c_SG), (error_alone_SG, error_SG))
        )
    best_S = error_SG.argmin(axis=1)
    rows = np.arange(len(loss_SW))
    return FittedForms(best_S, c_SG[rows, best_S], b_SG[rows, best_S])
