"""sections_of: the tables of a report under their headings, in the order in which both forms show them."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from hf_ctxscale.reporting.claim_tables import claims_table, crossover_tables, difference_tables, plateaus_table
from hf_ctxscale.reporting.comparison_table import comparisons_table
from hf_ctxscale.reporting.fit_tables import position_fits_table, size_and_data_fits_table, size_fit_tables
from hf_ctxscale.reporting.sources import Sources
from hf_ctxscale.reporting.table import Table
from hf_ctxscale.reporting.tables import runs_table, scored_table
from hf_ctxscale.reporting.words import fits_interval_sentence

MOST_OPEN = 12  # rows of a section that are shown when the page opens; the tables after them are folded


@dataclass(frozen=True)
class Titled:
    """A table with what it is of."""

    title: str
    table: Table
    folded: bool


@dataclass(frozen=True)
class Section:
    """A heading, a sentence or two under it, and tables."""

    heading: str
    words: str
    tables: tuple[Titled, ...]


def result_sections(sources: Sources) -> tuple[Section, ...]:
    """What was found: claims, crossovers, plateaus, fits, paired differences, scored models and their comparisons; empty ones are left out."""
    found = [
        _section("Claims", fits_interval_sentence(sources), [("Claims", claims_table(sources))], most_open=sys.maxsize),
        _section(
            "Crossovers",
            "Two families cross only where both were measured; a fit says nothing beyond its range.",
            crossover_tables(sources),
        ),
        _section(
            "Plateaus",
            "Which form predicts held-out documents best: a loss that stays flat after k tokens (c + b·ln(k/t) before them), a power law "
            "(L_inf + A·t^−alpha), or a power law that stops at k. Differences are of the errors of prediction, with their standard errors.",
            [("Plateaus", plateaus_table(sources))],
        ),
        _section("Fits", "" if sources.is_table else fits_interval_sentence(sources), _fits(sources)),
        _section(
            "Paired differences by position",
            "The same documents under two models. An interval holds for all positions of its pair at once.",
            difference_tables(sources),
            most_open=0,
        ),
        _section(
            "Scored models",
            "Models that this study did not train, and its own models where they were scored in another way too."
            if sources.has_runs
            else "",
            [("Scored models", scored_table(sources))],
        ),
        _section("Comparisons of scored models", str(sources.comparisons.get("note") or ""), [("Comparisons", comparisons_table(sources))]),
    ]
    return tuple(section for section in found if section.tables)


def run_sections(sources: Sources) -> tuple[Section, ...]:
    """A row for every run."""
    section = _section("Runs", "", [("Runs", runs_table(sources))])
    return (section,) if section.tables else ()


def _fits(sources: Sources) -> list[tuple[str, Table]]:
    return [
        *size_fit_tables(sources),
        ("Loss against size and data", size_and_data_fits_table(sources)),
        ("Loss against context position", position_fits_table(sources)),
    ]


def _section(heading: str, words: str, tables: Iterable[tuple[str, Table]], *, most_open: int = MOST_OPEN) -> Section:
    """Tables are open as long as their rows are few, so that the page can be read from top to bottom."""
    titled, num_rows = [], 0
    for title, table in tables:
        if table.rows:
            num_rows += len(table.rows)
            titled.append(Titled(title, table, folded=num_rows > most_open))
    return Section(heading, words, tuple(titled))
