"""Loss against size and data: E + A·N^-alpha + B·D^-beta, and the joint form of Kaplan et al.

Letters: R = 1 + B replicates (row 0 is the data), P points.
"""

import numpy as np

from hf_ctxscale.analysis.laws.bases import power_basis
from hf_ctxscale.analysis.laws.identifiable import Term
from hf_ctxscale.analysis.laws.joint_fit import fit_joint
from hf_ctxscale.analysis.laws.joint_form import JointProblem
from hf_ctxscale.analysis.laws.joint_law import JOINT_PARAMS, joint_law
from hf_ctxscale.analysis.laws.law_fit import LawFit, nothing_fitted
from hf_ctxscale.analysis.laws.separable_fit import fit_separable
from hf_ctxscale.analysis.laws.separable_law import separable_law
from hf_ctxscale.analysis.laws.weighting import checked_losses, relative_weights

JOINT_FORM = "[(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D"
SUM_FORM = "E + A*N^-alpha + B*D^-beta"
MIN_SIZES, MIN_BUDGETS = 4, 3


def grid_obstacle(n_P: np.ndarray, d_P: np.ndarray) -> str | None:
    """Why sizes and budgets of tokens cannot be told apart; None where they can."""
    budgets = [len(np.unique(d_P[n_P == n])) for n in np.unique(n_P)]
    enough = sum(count >= MIN_BUDGETS for count in budgets)
    if enough >= MIN_SIZES:
        return None
    return (
        f"not identifiable: size and data need {MIN_SIZES} sizes or more with {MIN_BUDGETS} budgets of tokens or more each; "
        f"this series has {enough} of {len(budgets)} sizes with so many"
    )


def fit_sum_law(
    n_P: np.ndarray, d_P: np.ndarray, loss_RP: np.ndarray, *, variance_P: np.ndarray | None = None, confidence: float = 0.95
) -> LawFit:
    """Fits E + A·N^-alpha + B·D^-beta with E, A, B >= 0 by least squares on weighted relative residuals.

    Args:
        n_P: sizes, (P,).
        d_P: tokens that each run was trained on, (P,); final losses of complete schedules, no token seen twice.
        loss_RP: losses in nats, (R, P).
        variance_P: known variances of the losses in nats², (P,); None: all relative residuals weigh the same.
        confidence: of the two-sided intervals.

    Source:
        The form of Hoffmann et al. 2022, approach 3; checked for convergence as Besiroglu et al. 2024 ask.
    """
    n_P, d_P = np.asarray(n_P, dtype=np.float64), np.asarray(d_P, dtype=np.float64)
    loss_RP = checked_losses(loss_RP, num_points=len(n_P))
    if obstacle := grid_obstacle(n_P, d_P):
        return nothing_fitted(SUM_FORM, ("e", "a", "alpha", "b", "beta"), reason=obstacle, num_points=len(n_P))
    (size_basis, size_middle), (data_basis, data_middle) = power_basis(n_P), power_basis(d_P)
    fit = fit_separable(loss_RP, bases=[size_basis, data_basis], variance_P=variance_P)
    terms = [Term("a", "alpha", "size"), Term("b", "beta", "data")]
    return separable_law(SUM_FORM, fit, loss_P=loss_RP[0], terms=terms, middles=[size_middle, data_middle], confidence=confidence)


def fit_joint_law(
    n_P: np.ndarray, d_P: np.ndarray, loss_RP: np.ndarray, *, variance_P: np.ndarray | None = None, confidence: float = 0.95
) -> LawFit:
    """Fits [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D by least squares on weighted log residuals.

    Args:
        n_P: sizes, (P,).
        d_P: tokens that each run was trained on, (P,); final losses of complete schedules, no token seen twice.
        loss_RP: losses in nats, (R, P).
        variance_P: known variances of the losses in nats², (P,); None: all points weigh the same.
        confidence: of the two-sided intervals.

    Source:
        Kaplan et al. 2020, equation 1.5 and section 4.
    """
    n_P, d_P = np.asarray(n_P, dtype=np.float64), np.asarray(d_P, dtype=np.float64)
    loss_RP = checked_losses(loss_RP, num_points=len(n_P))
    if obstacle := grid_obstacle(n_P, d_P):
        return nothing_fitted(JOINT_FORM, JOINT_PARAMS, reason=obstacle, num_points=len(n_P))
    log_n_P, log_d_P = np.log(n_P), np.log(d_P)
    middles = float(log_n_P.mean()), float(log_d_P.mean())
    root_weight_P = np.sqrt(relative_weights(loss_RP[0], variance_P=variance_P))
    problem = JointProblem(log_n_P - middles[0], log_d_P - middles[1], np.log(loss_RP), root_weight_P)
    return joint_law(JOINT_FORM, fit_joint(problem), loss_P=loss_RP[0], middles=middles, confidence=confidence)
