"""Plateau or power law: known curves are told apart, ties are not decided, and every part agrees with a slow version."""

from collections.abc import Callable

import numpy as np
import pytest

from hf_ctxscale.analysis.plateau import Candidate, Plateau, _Judges, _verdict, judge_plateau, shrunk_covariance
from hf_ctxscale.analysis.plateau_forms import FormName, plateau_bins, plateau_forms
from hf_ctxscale.analysis.positions import PositionLosses, window_means

Maker = Callable[..., PositionLosses]
T256 = np.arange(1, 257.0)
TOKEN_SD = 2.0  # nats between tokens at one position, as real text has


def judged(make_losses: Maker, curve_T: np.ndarray, *, seed: int = 0, **changes: float) -> Plateau:
    values = {"num_documents": 100, "noise_sd": TOKEN_SD, "seed": seed, "noise_seed": 1000 + seed}
    return judge_plateau(make_losses(curve_T, **values | changes))


@pytest.mark.parametrize(
    ("form", "curve_T"),
    [
        ("flat after k", 3.5 + 0.4 * np.maximum(0, np.log(64 / T256))),
        ("power law that stops at k", 2.5 + 3 * np.minimum(T256, 64) ** -0.3),
        ("power law", 2.0 + 3 * T256**-0.3),
    ],
)
def test_a_curve_of_each_form_is_recovered_from_noisy_documents(form: str, curve_T: np.ndarray, make_losses: Maker) -> None:
    verdicts = [judged(make_losses, curve_T, seed=seed) for seed in range(15)]
    assert {plateau.verdict for plateau in verdicts} == {"power law" if form == "power law" else "plateau"}
    # The stopped law comes close to the straight line in logs as its exponent falls.
    assert sum(plateau.best == form for plateau in verdicts) >= 12
    true_scores = []
    for plateau in verdicts:
        assert (plateau.difference > plateau.std_error) == (plateau.verdict == "plateau")
        assert plateau.reason is None
        true = next(candidate for candidate in plateau.candidates if candidate.form == form)
        true_scores.append(true.score)
        if "k" in true.params:
            assert 40 <= true.params["k"] <= 102
    assert 1 < np.mean(true_scores) < 1.5


def test_a_law_whose_last_octave_is_lost_in_noise_is_undecided_and_hardly_ever_called_a_plateau(make_losses: Maker) -> None:
    verdicts = [judged(make_losses, 3 + 1.5 * T256**-1.2, seed=seed, num_documents=40).verdict for seed in range(40)]
    assert verdicts.count("undecided") > 20
    assert verdicts.count("plateau") <= 2


def test_a_level_curve_is_a_tie(make_losses: Maker) -> None:
    plateaus = [judged(make_losses, np.full(256, 3.0), seed=seed) for seed in range(20)]
    assert sum(plateau.verdict == "undecided" for plateau in plateaus) >= 19
    tie = next(plateau for plateau in plateaus if plateau.verdict == "undecided")
    assert tie.reason is not None
    assert tie.reason.startswith("a tie: the scores differ by ")


def test_judges_that_disagree_leave_it_undecided() -> None:
    names: tuple[FormName, ...] = ("flat after k", "power law", "power law that stops at k")
    candidates = tuple(Candidate(name, {}, score, 0.1, 0.0) for name, score in zip(names, (2.0, 3.0, 1.5), strict=True))
    noise_S = np.tile([-0.1, 0.1], 10)
    scores_FS = np.array([[2.0], [3.0], [1.5]]) + np.outer([0, 1, 0], noise_S)

    def decided(*last: float) -> Plateau:
        return _verdict(candidates, scores_FS, last_FS=np.array(last)[:, None] + np.outer([0, 1, 0], noise_S), num_documents=100)

    disagreed = decided(1.0, 1.0, 2.0)
    assert (disagreed.verdict, disagreed.best) == ("undecided", "power law that stops at k")
    assert (disagreed.difference, disagreed.last_octave_difference) == pytest.approx((1.5, -1.0))
    # Every split shares half of its documents with the others: Nadeau and Bengio's correction.
    assert disagreed.std_error == pytest.approx(np.sqrt((1 / 20 + 1) * noise_S.var(ddof=1)))
    assert disagreed.reason == "the judges disagree: the last octave, predicted from earlier positions, speaks for the law"
    for last in ((1.0, 2.0, 1.0), (1.0, 1.0, 1.0), (0.0, 1.0, 1.05)):
        assert (decided(*last).verdict, decided(*last).reason) == ("plateau", None)


def test_the_level_of_documents_changes_nothing(make_losses: Maker) -> None:
    curve = 2.5 + 3 * T256**-0.3
    quiet, loud = (judged(make_losses, curve, document_sd=sd) for sd in (0.01, 1.0))
    for one, other in zip(quiet.candidates, loud.candidates, strict=True):
        assert other.score == pytest.approx(one.score, rel=0.15)


def test_the_order_of_documents_in_the_file_leaves_the_verdict(make_losses: Maker) -> None:
    losses = make_losses(2.5 + 3 * T256**-0.3, num_documents=60, noise_sd=TOKEN_SD)
    one, other = judge_plateau(losses), judge_plateau(losses.rows(np.arange(60)[::-1]))
    assert one.verdict == other.verdict == "power law"
    assert judge_plateau(losses) == one


def test_losses_without_any_noise_are_judged_without_a_warning(make_losses: Maker) -> None:
    with np.errstate(all="raise"):
        for curve, verdict in ((2 + 3 * T256**-0.3, "power law"), (3 + np.maximum(0, np.log(32 / T256)), "plateau")):
            assert judged(make_losses, curve, noise_sd=0.0).verdict == verdict


def test_what_cannot_be_judged_says_why(make_losses: Maker) -> None:
    curve = 2 + 3 * T256**-0.3
    losses = make_losses(curve)
    gap = losses.num_tokens.copy()
    gap[:, 199] = 0
    missing = PositionLosses(losses.documents, losses.num_blocks, gap, gap, losses.loss_sum_nats * (gap > 0))
    broken = PositionLosses(
        losses.documents, losses.num_blocks, losses.num_tokens, losses.num_bytes, np.where(gap > 0, losses.loss_sum_nats, np.nan)
    )
    few = losses.num_tokens * (np.arange(256) < np.where(np.arange(30) == 0, 256, 200)[:, None])
    one_late = PositionLosses(losses.documents, losses.num_blocks, few, few, losses.loss_sum_nats * (few > 0))
    for given, words in (
        (make_losses(curve[:8]), "this needs 6 bins of positions in the first half of the context; a context of 8 tokens has 4"),
        (make_losses(curve, num_documents=19), "19 documents; this needs 20, since they are split into halves"),
        (missing, "some context positions hold no token"),
        (broken, "some losses are not finite"),
        (one_late, "some bins rest on too few documents to be halved"),
    ):
        plateau = judge_plateau(given)
        assert (plateau.verdict, plateau.reason, plateau.candidates, plateau.best) == ("undecided", words, (), None)
        assert np.isnan(plateau.difference)


def test_scores_are_those_of_a_slow_version(make_losses: Maker) -> None:
    losses = make_losses(2.5 + 3 * T256[:64] ** -0.3, num_documents=24, noise_sd=TOKEN_SD)
    bins = plateau_bins(64)
    starts = [first - 1 for first, _ in bins]
    sums, counts = (np.add.reduceat(array, starts, axis=1).astype(float) for array in (losses.loss_sum_nats, losses.num_tokens))
    num_early = sum(last <= 32 for _, last in bins)
    judges = _Judges.of(sums, counts, num_early=num_early)
    halves = [window_means(losses.rows(index), bins)[:1] for index in (np.arange(12), np.arange(12, 24))]

    # Each document left out of the bins' means less the mean over all positions, one by one.
    without = [losses.rows(np.delete(np.arange(24), d)) for d in range(24)]
    shapes = np.array([window_means(rest, bins)[0] - window_means(rest, [(1, 64)])[0] for rest in without])
    shapes = 23 * np.sqrt(2 / 24) * (shapes - shapes.mean(axis=0))
    covariance = shrunk_covariance(shapes)
    covariance += 1e-6 * np.diag(covariance).mean() * np.eye(len(bins))
    inverse = np.linalg.inv(covariance)
    ones = np.ones(len(bins))
    weight = 1 / np.diag(covariance)
    for form in plateau_forms(losses.num_tokens.sum(axis=0), bins=bins):
        residual = (halves[1] - judges.fit(form, halves[0]).values(form.basis_GW))[0]
        residual -= (ones @ inverse @ residual) / (ones @ inverse @ ones)
        expected = residual @ inverse @ residual / (len(bins) - 1)
        assert judges.shape_errors(form, halves[0], judged_SW=halves[1]) == pytest.approx(expected, rel=1e-8)
    # The last octave's mean less the level before it.
    share = losses.num_tokens.sum(axis=0)[32:] / losses.num_tokens[:, 32:].sum()
    late = np.add.reduceat(share, [first - 33 for first, _ in bins[num_early:]])
    early = weight[:num_early] / weight[:num_early].sum()
    contrasts = shapes[:, num_early:] @ late - shapes[:, :num_early] @ early
    assert judges.last_variance == pytest.approx(contrasts.var(ddof=1), rel=1e-4)


def test_a_shrunk_covariance_is_that_of_the_formula_element_by_element() -> None:
    values = np.random.default_rng(0).normal(size=(12, 5)) @ np.triu(np.ones((5, 5)))
    n = len(values)
    unit = (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)
    uncertain, total = 0.0, 0.0
    correlation = np.eye(5)
    for i in range(5):
        for j in range(5):
            if i != j:
                w = unit[:, i] * unit[:, j]
                correlation[i, j] = n / (n - 1) * w.mean()
                uncertain += n / (n - 1) ** 3 * np.square(w - w.mean()).sum()
                total += correlation[i, j] ** 2
    shrinkage = uncertain / total
    assert 0 < shrinkage < 1
    std = values.std(axis=0, ddof=1)
    expected = np.where(np.eye(5, dtype=bool), 1.0, (1 - shrinkage) * correlation) * np.outer(std, std)
    np.testing.assert_allclose(shrunk_covariance(values), expected, rtol=1e-10)
    np.testing.assert_allclose(np.diag(shrunk_covariance(values)), values.var(axis=0, ddof=1))
