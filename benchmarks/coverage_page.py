"""coverage_page: what interval_coverage.py found, as Markdown: tables, simulation errors, and which cells miss their target."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import simulated_scores as source

TARGET_POOLED = (94.0, 96.0)
TARGET_CELL = (93.0, 97.0)
TARGET_EFFECTIVE_CONTEXT = 93.0
BAND = "band over all bins at once"
RATIO_OF = ("long", "middle")

Rows = Mapping[str, Sequence[float]]
Arm = Mapping[int, Rows]  # number of documents -> row -> values


def coverage_page(results: Mapping[str, Arm], *, num_simulations: int, truths: Mapping[str, float]) -> str:
    """The page. ``results`` as interval_coverage.run gives them; ``truths``: true effective contexts in tokens."""
    parts = [_introduction(num_simulations)]
    for arm, cells in results.items():
        if arm.startswith("positions"):
            parts.append(_positions(arm.split(", ", 1)[1], cells, num_simulations))
    parts += [_seeds(results["seeds"], num_simulations), _effective_context(results["effective context"], truths, num_simulations)]
    return "\n\n".join(parts) + "\n"


def _introduction(num_simulations: int) -> str:
    between = source.DOCUMENT_SD**2
    share = between / (between + source.WINDOW_SD**2 + source.TOKEN_SD**2 / source.CONTEXT_TOKENS)
    limits = f"{TARGET_CELL[0]:g} to {TARGET_CELL[1]:g} %"
    paragraphs = [
        "# Do the intervals hold?",
        f"Written by `OMP_NUM_THREADS=1 python benchmarks/interval_coverage.py --simulations {num_simulations}`; every number in the tables is measured.",
        f"{num_simulations:,} simulated scores per cell go through the package's own statistics. How many per cent of the 95 % intervals hold "
        f"the truth? A share of 95 % is known to ±{100 * math.sqrt(0.95 * 0.05 / num_simulations):.1f} points (simulation error, one standard "
        f"error). Wanted: pooled {TARGET_POOLED[0]:g} to {TARGET_POOLED[1]:g} %, and no cell outside {limits} by more than two simulation "
        "errors; such cells are marked with an asterisk.",
        f"A document has a lognormal number of windows (median {source.MEDIAN_WINDOWS}, sigma {source.LENGTH_SIGMA:g}, rounded, at least 1) of "
        f"{source.CONTEXT_TOKENS} tokens. Its loss has a level of its own (standard deviation {source.DOCUMENT_SD:g} nats), "
        f"{abs(source.LENGTH_SLOPE):g} nats lower for every e-fold of length, and a slope of its own over the context ({source.SLOPE_SD:g}); "
        f"windows add {source.WINDOW_SD:g}, tokens {source.TOKEN_SD:g}. So {100 * share:.0f} % of the variance between the means of windows "
        f"lies between documents. A second model shares all this but for {source.OWN_DOCUMENT_SD:g} nats by document, and its tokens' losses "
        f"correlate with the first one's by {source.SHARED_TOKEN:g}. The truth is the ratio of expected sums, in which every window weighs the "
        "same: not the mean over documents.",
    ]
    return "\n\n".join(paragraphs)


def _positions(words: str, cells: Arm, num_simulations: int) -> str:
    names = [row for row in next(iter(cells.values())) if "|" not in row and row != BAND]
    pooled, pooled_error = _pooled([rows[name] for rows in cells.values() for name in names], num_simulations)
    plain, _ = _pooled([rows[f"{name} | D - 1"] for rows in cells.values() for name in names], num_simulations)

    def rows_of(suffix: str, *, widths: bool, chosen: Sequence[str] = names) -> list[str]:
        return [
            _line(
                name,
                [_cell(rows[f"{name}{suffix}"], num_simulations) for rows in cells.values()],
                [rows[f"{name} | width"] for rows in cells.values()] if widths else None,
            )
            for name in chosen
        ]

    return "\n".join(
        [
            f"## Loss by position: {words}",
            "",
            _header("95 % interval of", cells, "median width, nats or bits"),
            *rows_of("", widths=True),
            "",
            f"Pooled: **{pooled:.1f} %** (±{pooled_error:.1f}). {_outside(cells, names, num_simulations)}",
            "",
            _header("95 % band that is to hold all at once", cells, None),
            *rows_of("", widths=False, chosen=[BAND]),
            "",
            "The t quantile of these intervals has as many degrees of freedom as documents of equal weight that would average as well, "
            f"(Σw)²/Σw² - 1, w being a document's tokens. With the D - 1 of D documents they cover {plain:.1f} % pooled:",
            "",
            _header("with D - 1 degrees of freedom", cells, None),
            *rows_of(" | D - 1", widths=False),
        ]
    )


def _seeds(cells: Arm, num_simulations: int) -> str:
    names = [row for row in next(iter(cells.values())) if "|" not in row]
    return "\n".join(
        [
            "## With training seeds",
            "",
            f"Two families with three seeds each; seeds differ by {source.SEED_SD:g} nats everywhere and {source.SEED_DOCUMENT_SD:g} more "
            "document by document (standard deviations). An interval over documents alone is for these trained models. It is not for the "
            "recipe, that is for the loss expected over seeds: the more documents, the less it holds that. `across_seeds` adds the variance "
            "between seeds, with Satterthwaite's degrees of freedom.",
            "",
            _header("95 % interval of", cells, "median width, nats"),
            *[
                _line(
                    name,
                    # What is not meant to hold has no target to miss.
                    [_cell(rows[name], num_simulations, marked="over documents, of the recipe" not in name) for rows in cells.values()],
                    [rows[f"{name} | width"] for rows in cells.values()],
                )
                for name in names
            ],
        ]
    )


def _effective_context(cells: Arm, truths: Mapping[str, float], num_simulations: int) -> str:
    names = list(truths)
    context = source.CUTS[-1]
    inside = [name for name in names if truths[name] < context]
    pooled, pooled_error = _pooled([rows[name] for rows in cells.values() for name in inside], num_simulations)
    lines = [
        "## Effective context",
        "",
        f"The excess over the whole context of {context} tokens is a power law of the context, times a lognormal factor of each document "
        f"(sigma {source.EXCESS_SPREAD:g}). Up to {source.MAX_SEGMENTS} segments of {source.TARGETS_PER_SEGMENT} targets a document. Wanted: "
        f"at least {TARGET_EFFECTIVE_CONTEXT:g} %. An interval without an upper limit holds everything above its lower one (its width is taken "
        "up to the whole context); a value beyond the largest cut below the whole context is censored.",
        "",
        "| true tokens | documents | covered, % | median value | median width, octaves | no upper limit, % | censored, % |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in names:
        true = f"{context} or more" if truths[name] >= context else f"{truths[name]:.0f}"
        for number, rows in cells.items():
            value, octaves = (float(np.median(rows[f"{name} | {what}"])) for what in ("value", "octaves"))
            shares = [f"{100 * np.mean(rows[f'{name} | {what}']):.1f}" for what in ("no upper limit", "censored")]
            covered = _share(rows[name], num_simulations)
            lines.append(f"| {true} | {number} | {covered:.1f} | {value:.0f} | {octaves:.1f} | {' | '.join(shares)} |")
    lowest = min(_share(rows[name], num_simulations) for rows in cells.values() for name in inside)
    lines += [
        "",
        f"Pooled over the contexts inside the measured range: **{pooled:.1f} %** (±{pooled_error:.1f}), the lowest cell {lowest:.1f} %. The "
        "limits are simultaneous over all cuts, and the lower one is a cut: they may cover more than they claim, at the price of width.",
        "",
        f"The ratio of two effective contexts ({truths[RATIO_OF[0]]:.0f} by {truths[RATIO_OF[1]]:.0f} tokens), from resamples of documents "
        "that both models share (expanded percentiles). An interval is open where a model may still gain at the whole context.",
        "",
        "| documents | covered, % | open, % | median width where closed, octaves |",
        "| ---: | ---: | ---: | ---: |",
        *[
            f"| {number} | {_cell(rows['ratio'], num_simulations)} | {100 * np.mean(rows['ratio | open']):.1f} | "
            f"{float(np.median(rows.get('ratio | octaves', [math.nan]))):.1f} |"
            for number, rows in cells.items()
        ],
    ]
    return "\n".join(lines)


def _header(what: str, cells: Arm, width: str | None) -> str:
    columns = [what, *(f"{number} documents" for number in cells), *([width] if width else [])]
    return f"| {' | '.join(columns)} |\n| --- |{' ---: |' * (len(columns) - 1)}"


def _line(name: str, covered: Sequence[str], widths: Sequence[Sequence[float]] | None) -> str:
    medians = [" / ".join(f"{float(np.median(values)):.3f}" for values in widths)] if widths else []
    return f"| {' | '.join([name, *covered, *medians])} |"


def _cell(values: Sequence[float], num_simulations: int, *, marked: bool = True) -> str:
    return f"{_share(values, num_simulations):.1f}{' *' if marked and _misses(values, num_simulations) else ''}"


def _misses(values: Sequence[float], num_simulations: int) -> bool:
    share, error = _share(values, num_simulations), _error(_by_simulation(values, num_simulations))
    return share + 2 * error < TARGET_CELL[0] or share - 2 * error > TARGET_CELL[1]


def _outside(cells: Arm, names: Sequence[str], num_simulations: int) -> str:
    missing = [f"{name} at {number} documents" for name in names for number, rows in cells.items() if _misses(rows[name], num_simulations)]
    limits = f"{TARGET_CELL[0]:g} to {TARGET_CELL[1]:g} %"
    return (
        f"Outside {limits} beyond simulation error: {'; '.join(missing)}."
        if missing
        else f"No cell is outside {limits} beyond simulation error."
    )


def _by_simulation(values: Sequence[float], num_simulations: int) -> np.ndarray:
    """(num_simulations,) means: a row that holds several intervals of one simulation counts it once."""
    return np.asarray(values, dtype=np.float64).reshape(num_simulations, -1).mean(axis=1)


def _share(values: Sequence[float], num_simulations: int) -> float:
    return 100 * float(_by_simulation(values, num_simulations).mean())


def _error(by_simulation: np.ndarray) -> float:
    """Standard error of a mean over simulations, in per cent."""
    return 100 * float(by_simulation.std()) / math.sqrt(len(by_simulation))


def _pooled(rows: Sequence[Sequence[float]], num_simulations: int) -> tuple[float, float]:
    """Mean over cells and its simulation error, in per cent; cells of the same simulations are correlated, so simulations are averaged first."""
    by_simulation = np.mean([_by_simulation(values, num_simulations) for values in rows], axis=0)
    return 100 * float(by_simulation.mean()), _error(by_simulation)
