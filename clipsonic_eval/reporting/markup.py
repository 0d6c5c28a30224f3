"""Tables as Markdown and CSV, defined by lists of columns; LaTeX is made in :mod:`clipsonic_eval.reporting.latex`.

A table for people and its CSV file come from one list of :class:`Column`; a new column is one entry in that list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from clipsonic_eval.formats import markdown_table

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True)
class Text:
    """The content of one cell.

    Attributes:
        text: plain text.
        bold: whether it is set in bold.
        small: a part that is set smaller in LaTeX, the interval.
        underline: whether the text is underlined, in LaTeX.
    """

    text: str
    bold: bool = False
    small: str = ""
    underline: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table for people, of its CSV file, or of both.

    Attributes:
        head: heading in the table for people; "" leaves the column out there.
        csv_name: name in the CSV file; "" leaves the column out there.
        value: gives the value in a row of the CSV file.
        text: gives the cell in a row of the table for people.
    """

    head: str = ""
    csv_name: str = ""
    value: Callable[[Any], object] = lambda _: None
    text: Callable[[Any], Text] = lambda _: Text("")


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table for people.

    Attributes:
        caption: one or two sentences; says n and the interval.
        cells: :class:`Text` by row and column; the index holds the section title of each row, "" for none.
        notes: footnotes in order, e.g. the signatures of the columns.
        label: LaTeX label.
        optional: headings of columns that LaTeX leaves out where the table is too wide.
    """

    caption: str
    cells: DataFrame
    notes: tuple[str, ...] = ()
    label: str = "tab:results"
    optional: tuple[str, ...] = ()

    @property
    def heads(self) -> tuple[str, ...]:
        """Column headings."""
        return tuple(map(str, self.cells.columns))

    def sections(self) -> Iterator[tuple[str, list[tuple[Text, ...]]]]:
        """Yield each section: its title and its rows."""
        rows = zip(self.cells.index, self.cells.itertuples(index=False, name=None), strict=True)
        for title, members in groupby(rows, key=itemgetter(0)):
            yield str(title), [row for _, row in members]


def cells(columns: Iterable[Column], sections: Mapping[str, Sequence[object]]) -> DataFrame:
    """Return the cells of a table for people.

    Args:
        columns: those with a ``head`` are shown, in order.
        sections: rows by section title, as ``Column.text`` takes them.
    """
    from pandas import DataFrame

    shown = [column for column in columns if column.head]
    titles = [title for title, rows in sections.items() for _ in rows]
    made = [[column.text(row) for column in shown] for rows in sections.values() for row in rows]
    return DataFrame(made, index=titles, columns=[column.head for column in shown])


def csv(columns: Iterable[Column], rows: Iterable[object]) -> str:
    """Return rows as CSV; numbers keep the shortest digits that read back exactly, None is an empty cell.

    Args:
        columns: those with a ``csv_name`` are written, in order.
        rows: as ``Column.value`` takes them.
    """
    written = [column for column in columns if column.csv_name]
    return plain_csv([c.csv_name for c in written], ([c.value(row) for c in written] for row in rows))


def plain_csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows of values as CSV under their names; numbers as :func:`csv` writes them."""
    from pandas import DataFrame

    frame = DataFrame([list(row) for row in rows], columns=list(names), dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def markdown(table: TextTable) -> str:
    """Return a GitHub-flavoured table with its caption above and its notes below."""
    rows: list[list[str]] = []
    for title, section in table.sections():
        if title:
            rows.append([f"*{markdown_escape(title)}*", *[""] * (len(table.heads) - 1)])
        rows += [[_md_cell(cell) for cell in row] for row in section]
    notes = "".join(f"- {note}\n" for note in table.notes)
    return f"{table.caption}\n\n{markdown_table(table.heads, rows)}" + (f"\n{notes}" if notes else "")


def _md_cell(cell: Text) -> str:
    main = markdown_escape(cell.text)
    main = f"**{main}**" if cell.bold and main else main
    return f"{main} {markdown_escape(cell.small)}".strip()


def markdown_escape(text: str) -> str:
    r"""Return text that Markdown shows as it stands, in a table too.

    Example:
        >>> print(markdown_escape("a|b*_[c](d)"))
        a\|b\*\_[c]\(d)
    """
    for mark in "\\|*_`<":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("](", "]\\(")  # no links; intervals keep their plain brackets


def code(text: str) -> str:
    """Return text as Markdown code, safe for a list (signatures have bars in them)."""
    return f"`{text.replace('`', '')}`"
