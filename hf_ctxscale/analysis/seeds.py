"""Intervals over documents and training seeds at once: for what a recipe gives, not only for the models that happened to be trained.

Letters: S seeds, D documents, R = 1 + D replicates.
"""

import math

import numpy as np
import scipy

from hf_ctxscale.analysis.estimates import Estimate, degrees_of_freedom, jackknife, no_estimate


def across_seeds(values_SR: np.ndarray, *, confidence: float = 0.95, weights_D: np.ndarray | None = None) -> Estimate:
    """Mean over training seeds, with an interval for what another seed on other documents would give on average.

    Its variance is the delete-one-document variance of the mean over seeds plus the variance between seeds divided by their number; the
    degrees of freedom are Satterthwaite's. Without the second part (the jackknife of the mean over seeds) an interval holds for these
    trained models alone.

    Args:
        values_SR: for every seed the statistic on all documents, then without each one of them, (S, 1 + D); the same documents for all.
            For a difference of two recipes: the differences, seed by seed.
        confidence: of the two-sided interval.
        weights_D: what each document weighs, such as its number of tokens, (D,); None: all the same.

    Source:
        Satterthwaite 1946, "An approximate distribution of estimates of variance components".
    """
    assert values_SR.ndim == 2, values_SR.shape
    num_seeds, num_documents = len(values_SR), values_SR.shape[1] - 1
    documents = jackknife(values_SR.mean(axis=0), confidence=confidence, weights_D=weights_D)
    if not documents.has_interval:
        return documents
    if num_seeds < 2:
        reason = "one seed: how much seeds differ is not known"
        return no_estimate(reason, value=documents.value, confidence=confidence, num_documents=num_documents)
    between_seeds = float(values_SR[:, 0].var(ddof=1)) / num_seeds
    over_documents = documents.std_error**2
    variance = over_documents + between_seeds
    if variance == 0:
        return documents
    freedom = variance**2 / (
        over_documents**2 / degrees_of_freedom(num_documents, weights_D=weights_D) + between_seeds**2 / (num_seeds - 1)
    )
    std_error = math.sqrt(variance)
    half = float(scipy.stats.t.ppf(0.5 + confidence / 2, freedom)) * std_error
    return Estimate(documents.value, documents.value - half, documents.value + half, std_error, confidence, num_documents)
