"""fit_coverage_page: what fit_coverage.py found, as Markdown: coverage, bias and width of every interval, and how often plateaus are told right."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import simulated_studies as source

TARGET = (93.0, 97.0)
NUM_REPLICATES = 1_000  # of every simulated study

Rows = Mapping[str, Sequence[float]]
Arm = Mapping[str, Rows]  # cell in words -> row -> values

HEADINGS = {
    "paper law": "Loss against size: (N_c/N)^alpha, the crossover and the gap",
    "offset law": "Loss against size: E + A·N^-alpha",
    "size and data": "Loss against size and data: E + A·N^-alpha + B·D^-beta",
    "position law": "Loss against context position: L_inf + A·t^-alpha",
}


def fit_coverage_page(results: Mapping[str, Arm], *, num_simulations: int) -> str:
    """The page. ``results`` as fit_coverage.run gives them."""
    parts = [_introduction(num_simulations)]
    parts += [_intervals(heading, results[arm], num_simulations) for arm, heading in HEADINGS.items() if arm in results]
    if "narrow range" in results:
        parts.append(_narrow(results["narrow range"]))
    if "plateaus" in results:
        parts.append(_plateaus(results["plateaus"]))
    return "\n\n".join(parts) + "\n"


def _introduction(num_simulations: int) -> str:
    error = 100 * math.sqrt(0.95 * 0.05 / num_simulations)
    paragraphs = [
        "# Do fits, crossovers and claims hold?",
        f"Written by `OMP_NUM_THREADS=1 python benchmarks/fit_coverage.py --simulations {num_simulations}`; every number in the tables is measured.",
        f"{num_simulations:,} simulated studies per column go through the package's own analysis, with {NUM_REPLICATES:,} replicates each. How many per "
        f"cent of the 95 % intervals hold the truth? A share of 95 % is known to ±{error:.1f} points (simulation error, one standard error). "
        f"Wanted: {TARGET[0]:g} to {TARGET[1]:g} %; what is outside by more than two simulation errors is marked with an asterisk. A parameter that "
        "came back as not identifiable has no interval: how often that happened stands in brackets, and coverage is that of the others.",
        f"Documents have a lognormal number of windows (median {source.MEDIAN_WINDOWS}, sigma {source.LENGTH_SIGMA:g}, 1 to "
        f"{source.MAX_WINDOWS}). They are crossed with runs: a document is harder for every run alike (by a factor with standard deviation "
        f"{source.LEVEL_SD:g}); each family adds {source.FAMILY_DOCUMENT_SD:g} nats by document, each run {source.RUN_DOCUMENT_SD:g}, windows "
        f"{source.WINDOW_SD:g}, tokens {source.TOKEN_SD:g}; a seed moves a run's loss by {source.SEED_SD:g} nats. The truth is the law itself.",
    ]
    return "\n\n".join(paragraphs)


def _intervals(heading: str, cells: Arm, num_simulations: int) -> str:
    names = [row for row in next(iter(cells.values())) if row.endswith("| none")]
    lines = [
        f"## {heading}",
        "",
        f"| 95 % interval of | {' | '.join(cells)} | median width |",
        f"| --- |{' ---: |' * (len(cells) + 1)}",
    ]
    for name in (row.removesuffix(" | none") for row in names):
        covered = [_covered(rows, name) for rows in cells.values()]
        widths = " / ".join(_width(rows, name) for rows in cells.values())
        lines.append(f"| {name} | {' | '.join(covered)} | {widths} |")
    pooled = [value for rows in cells.values() for name in names for value in rows.get(name.removesuffix(" | none"), ())]
    lines += ["", f"Pooled: **{100 * float(np.mean(pooled)):.1f} %**." if pooled else "No interval was given."]
    return "\n".join(lines)


def _covered(rows: Rows, name: str) -> str:
    hits, none = rows.get(name, ()), float(np.mean(rows[f"{name} | none"]))
    missing = f" ({100 * none:.1f} % none)" if none else ""
    if not hits:
        return f"none{missing}"
    share = float(np.mean(hits))
    error = 100 * math.sqrt(max(share * (1 - share), 1e-12) / len(hits))
    outside = 100 * share + 2 * error < TARGET[0] or 100 * share - 2 * error > TARGET[1]
    return f"{100 * share:.1f}{' *' if outside else ''}{missing}"


def _width(rows: Rows, name: str) -> str:
    widths = rows.get(f"{name} | width", ())
    return f"{float(np.median(widths)):.3g}" if widths else "none"


def _narrow(cells: Arm) -> str:
    names = list(next(iter(cells.values())))
    lines = [
        "## Not identifiable",
        "",
        "Four sizes within a factor of three, from a law E + A·N^-alpha: a range too short to tell its parameters. How many per cent came back "
        "as not identifiable?",
        "",
        f"| parameter | {' | '.join(cells)} |",
        f"| --- |{' ---: |' * len(cells)}",
        *[f"| {name} | {' | '.join(f'{100 * float(np.mean(rows[name])):.1f}' for rows in cells.values())} |" for name in names],
    ]
    return "\n".join(lines)


def _plateaus(cells: Arm) -> str:
    names = list(dict.fromkeys(row.split(" | ")[0] for row in next(iter(cells.values()))))
    lines = [
        "## Plateau or power law",
        "",
        "One model's losses over 512 positions, from a law that is known. How many per cent of the verdicts were right / undecided / wrong?",
        "",
        f"| true curve | {' | '.join(cells)} |",
        f"| --- |{' ---: |' * len(cells)}",
    ]
    for name in names:
        shares = [
            " / ".join(f"{100 * float(np.mean(rows[f'{name} | {what}'])):.1f}" for what in ("right", "undecided", "wrong"))
            for rows in cells.values()
        ]
        lines.append(f"| {name} | {' | '.join(shares)} |")
    return "\n".join(lines)
