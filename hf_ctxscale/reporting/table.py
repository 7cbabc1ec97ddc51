"""Table: headings and rows of text, which both forms of a report show."""

from collections.abc import Iterable
from dataclasses import dataclass

from hf_ctxscale.reporting.numbers import MISSING


@dataclass(frozen=True)
class TableRow:
    """One row; ``kind`` is what the row's colour says: a verdict or a run's state."""

    cells: tuple[str, ...]
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes:
        headings: one for each column.
        rows: of as many cells.
        numeric: columns that are set flush right.
        under: columns of sentences, which a page shows under their row, so that the others fit beside each other.
    """

    headings: tuple[str, ...]
    rows: tuple[TableRow, ...]
    numeric: frozenset[str] = frozenset()
    under: frozenset[str] = frozenset()

    @property
    def beside(self) -> tuple[str, ...]:
        """The columns that a page shows beside each other."""
        return tuple(heading for heading in self.headings if heading not in self.under)

    def cells_beside(self, row: TableRow) -> tuple[tuple[str, str], ...]:
        """A row's cells in those columns, each with its heading."""
        return tuple(cell for cell in zip(self.headings, row.cells, strict=True) if cell[0] not in self.under)

    def cells_under(self, row: TableRow) -> tuple[tuple[str, str], ...]:
        """A row's sentences, each with its heading; empty ones are left out."""
        return tuple(cell for cell in zip(self.headings, row.cells, strict=True) if cell[0] in self.under and cell[1] != MISSING)


def without_empty(table: Table, headings: Iterable[str]) -> Table:
    """The table without those of some columns in which nothing stands."""
    for heading in headings:
        at = table.headings.index(heading)
        if any(row.cells[at] != MISSING for row in table.rows):
            continue
        rows = tuple(TableRow((*row.cells[:at], *row.cells[at + 1 :]), row.kind) for row in table.rows)
        table = Table((*table.headings[:at], *table.headings[at + 1 :]), rows, table.numeric - {heading}, table.under - {heading})
    return table
