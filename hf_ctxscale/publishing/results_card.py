"""results_card: the README.md of a results dataset: what was measured, claims, tables with the meaning of their columns, how to load them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from huggingface_hub import DatasetCardData

from hf_ctxscale.corpora import TABLE
from hf_ctxscale.publishing.results_tables import PublishedTable
from hf_ctxscale.reporting.claim_tables import claims_table
from hf_ctxscale.reporting.render import render
from hf_ctxscale.reporting.report import build_report
from hf_ctxscale.reporting.sources import Sources, read_sources
from hf_ctxscale.reporting.table import Table, TableRow
from hf_ctxscale.reporting.words import interval_sentence
from hf_ctxscale.study import Study

TEMPLATES = Path(__file__).parent / "templates"
DEFAULT_TABLE = "runs"
TAGS = ("hf-ctxscale", "evaluation", "language-modeling", "scaling-laws", "long-context")
CLAIM_COLUMNS = ("claim", "measured", "interval", "verdict")
# The Hub's own classes, by the number of rows that they end at.
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))


def results_card(study: Study, *, repo_id: str, tables: Sequence[PublishedTable]) -> str:
    """The card, header included.

    Args:
        study: with its charts drawn.
        tables: that the repository holds; each is one config.

    Raises:
        UserError: results or charts are missing.
    """
    sources, report = read_sources(study), build_report(study)
    body = render(
        "results_card.md.j2",
        templates=TEMPLATES,
        report=report,
        repo_id=repo_id,
        tables=tables,
        claims=_narrow(claims_table(sources)),
        intervals=interval_sentence(sources),
        licences=tuple(_licences(sources)),
    )
    return f"---\n{_header(report.title, tables)}\n---\n\n{body}"


def _header(title: str, tables: Sequence[PublishedTable]) -> str:
    num_rows = sum(table.num_rows for table in tables)
    data = DatasetCardData(
        pretty_name=title,
        tags=list(TAGS),
        size_categories=next((label for end, label in SIZES if num_rows < end), None),
        configs=[
            {"config_name": table.name, "data_files": table.path, **({"default": True} if table.name == DEFAULT_TABLE else {})}
            for table in tables
        ],
    )
    return data.to_yaml()


def _narrow(table: Table) -> Table:
    """The columns that fit on a page of the Hub; the report has them all."""
    kept = [table.headings.index(heading) for heading in CLAIM_COLUMNS]
    return Table(CLAIM_COLUMNS, tuple(TableRow(tuple(row.cells[at] for at in kept), row.kind) for row in table.rows))


def _licences(sources: Sources) -> Iterator[str]:
    """A sentence on each text that was measured."""
    names = {score.corpus for score in sources.main_scores} | ({sources.corpus_name} if sources.has_runs else set())
    for name in sorted(names):
        corpus = TABLE.get(name)
        if corpus is None:
            yield f"{name}: text of its owner's choice, whose licence is not recorded here."
        else:
            yield f"{name}: {corpus.description}."
