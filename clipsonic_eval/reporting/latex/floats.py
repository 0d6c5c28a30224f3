r"""A table as a float of LaTeX: booktabs rules, threeparttable notes, and a width that fits the page.

Intervals stand beside their values where the page is wide enough, else beneath them; a table that is too wide or too
long even so becomes several floats. Sizes of letters are given in points, so that a table is as wide in every class.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from string import ascii_lowercase
from typing import Final, NamedTuple

from clipsonic_eval.reporting.latex import numbers
from clipsonic_eval.reporting.latex.escape import breakable, escape, lacking, marked_up
from clipsonic_eval.reporting.latex.numbers import Digits
from clipsonic_eval.reporting.latex.widths import POINTS, width, wrapped
from clipsonic_eval.reporting.markup import Text, TextTable

SMALL: Final = 7.0  # points of intervals and notes
_TYPEWRITER: Final = 3.8  # points of a letter in typewriter face of that size
_SIUNITX_MORE: Final = 1.5  # points that siunitx sets around ± beyond two thin spaces
GAP: Final = 3.0  # points on each side of a column
_TEXT: Final = 0.3  # share of the page that a column of text may take
_PAGE_HEIGHT: Final = 550.0  # points of the shortest page (article)
_COLUMN_HEIGHT: Final = 650.0  # points of the shortest column (ICASSP)
_LINE: Final = 9.6  # points from line to line
_SMALL: Final = rf"\def\ci#1{{{{\fontsize{{{SMALL:g}}}{{8}}\selectfont #1}}}}"  # holds inside the float
# in text, where every font has bold digits; signs from the mathematics font, since many machines have those of text as
# bitmaps only (Type 3, which IEEE rejects)
_SIUNITX: Final = (
    r"\sisetup{separate-uncertainty=true, detect-weight=true, mode=text, retain-explicit-plus=true}"
    "\n"
    r"\def\textpm{\ensuremath{\pm}}\def\textminus{\ensuremath{-}}"
)


class LatexStyle(NamedTuple):
    """How tables are set.

    Attributes:
        siunitx: align numbers by siunitx's ``S`` columns; False: by phantom digits, without a package.
        column: width of one column of the venue in points; by default that of the narrowest (spconf).
        page: width of its text in points; by default that of the narrowest (article).
    """

    siunitx: bool = False
    column: float = 244.0
    page: float = 345.0


PLAIN: Final = LatexStyle()


class _Shape(NamedTuple):
    """The float of a table: in one column or across the page, intervals beside their values or beneath."""

    starred: bool
    beside: bool


def latex(table: TextTable, style: LatexStyle = PLAIN) -> str:
    """Return a table as one float, or as several where it is too large for one.

    Args:
        table: of at least one row and one column.
        style: widths of the venue, and whether numbers are for siunitx.
    """
    packages = "booktabs,threeparttable" + (",siunitx" if style.siunitx else "")
    table, dropped = _without_optional(table, style)
    head = [rf"% needs \usepackage{{{packages}}}"]
    unknown = lacking(_all_text(table))
    if unknown:
        head.append(f"% pdfLaTeX shows the numbers of these characters, XeLaTeX and LuaLaTeX their shapes: {unknown}")
    if dropped:
        head.append(f"% left out for want of width: {', '.join(dropped)}; the csv file has it")
    parts = [part for tall in _by_rows(table, style) for part in _by_columns(tall, style)]
    floats = []
    for number, part in enumerate(parts, 1):
        several = len(parts) > 1
        named = replace(
            part,
            caption=part.caption + (f" Part {number} of {len(parts)}." if several else ""),
            notes=tuple(_own_notes(part, table, last=number == len(parts))),
            label=part.label + (f"-{number}" if number > 1 else ""),
        )
        floats.append(_float(named, style))
    return "\n".join([*head, *floats])


def _without_optional(table: TextTable, style: LatexStyle) -> tuple[TextTable, list[str]]:
    """Return a table that is too wide without its optional columns, and the headings of those that went."""
    going = [head for head in table.heads if head in table.optional]
    if not going or _total(table, style, _shape(table, style)) <= style.page:
        return table, []
    return replace(table, cells=table.cells.drop(columns=going)), going


def _all_text(table: TextTable) -> str:
    rows = [(Text(title), *row) for title, section in table.sections() for row in section]
    cells = "".join(cell.text + cell.small for row in rows for cell in row)
    return "".join([table.caption, *table.heads, cells, *table.notes])


def _own_notes(part: TextTable, whole: TextTable, *, last: bool) -> Iterator[str]:
    """Yield the notes on columns of a part; the other notes of the table stand under its last part."""
    for note in whole.notes:
        of_column = next((head for head in whole.heads if note.startswith(f"{head}: ")), None)
        if of_column in part.heads if of_column else last:
            yield note


def _lines(table: TextTable, style: LatexStyle) -> int:
    """Return how many lines of a table fit a page beside its caption, its rules and its notes."""
    places = [(style.page, _PAGE_HEIGHT)]  # a float of one column is as wide as the page where there is one column
    places += [] if _shape(table, style).starred else [(style.column, _COLUMN_HEIGHT)]
    left = []
    for room, height in places:
        caption = math.ceil(width(table.caption, points=10) / room)
        notes = sum(math.ceil(len(note) * _TYPEWRITER / room) for note in table.notes)
        left.append(height - 50 - 12 * caption - 8 * notes)
    return max(12, int(min(left) / _LINE))


def _by_rows(table: TextTable, style: LatexStyle) -> Iterator[TextTable]:
    """Yield a table in pieces of no more lines than fit a page."""
    small = any(cell.small for _, rows in table.sections() for row in rows for cell in row)
    most = _lines(table, style)
    start, lines, title = 0, 0, None
    for i, (name, _) in enumerate(zip(table.cells.index, table.cells.itertuples(), strict=True)):
        need = (2 if small else 1) + (2 if name and name != title else 0)
        if lines and lines + need > most:
            yield replace(table, cells=table.cells.iloc[start:i])
            start, lines = i, 0
        lines, title = lines + need, name
    yield replace(table, cells=table.cells.iloc[start:])


def _by_columns(table: TextTable, style: LatexStyle) -> list[TextTable]:
    """Return a table in as few pieces of equally many columns as fit the page, each with the names of the rows."""
    n = len(table.heads) - 1
    pieces = [table]
    for parts in range(2, n + 1):
        if all(_total(piece, style, _Shape(True, False)) <= style.page for piece in pieces):
            break
        ends = [1 + round(n * part / parts) for part in range(parts + 1)]
        pieces = [_piece(table, start, end) for start, end in pairwise(ends)]
    return pieces


def _piece(table: TextTable, start: int, end: int) -> TextTable:
    return replace(table, cells=table.cells.iloc[:, [0, *range(start, end)]])


def _shape(table: TextTable, style: LatexStyle) -> _Shape:
    """Return the smallest float that a table fits."""
    for shape in (_Shape(False, True), _Shape(False, False), _Shape(True, True)):
        if _total(table, style, shape) <= (style.page if shape.starred else style.column):
            return shape
    return _Shape(True, False)


class _Grid(NamedTuple):
    """The columns of a table with what their setting needs; index 0 is the column with the names of the rows.

    Attributes:
        columns: cells by column.
        digits: of each column; None where it holds text.
        split: whether the intervals of a column stand in a column of their own, beside the values.
        paragraph: width in points at which the texts of a column are broken into lines; 0 where they are not.
        stub: width of the column with the names, in points.
    """

    columns: list[list[Text]]
    digits: list[Digits | None]
    split: list[bool]
    paragraph: list[float]
    stub: float


def _grid(table: TextTable, style: LatexStyle, shape: _Shape) -> _Grid:
    rows = [row for _, section in table.sections() for row in section]
    columns = [list(column) for column in zip(*rows, strict=True)]
    split = [shape.beside and i > 0 and any(cell.small for cell in cells) for i, cells in enumerate(columns)]
    found = [None, *(numbers.digits(cells) for cells in columns[1:])]
    most = _TEXT * style.page
    widest = [max(width(cell.text, bold=cell.bold) for cell in cells) for cells in columns]
    paragraph = [most if column is None and wide > most else 0.0 for column, wide in zip(found, widest, strict=True)]
    small = max(width(cell.small, points=SMALL) for cell in columns[0])
    stub = paragraph[0] or max(width(table.heads[0]), widest[0], small)
    return _Grid(columns, found, split, paragraph, stub)


def _total(table: TextTable, style: LatexStyle, shape: _Shape) -> float:
    """Return the width of a table in points."""
    grid = _grid(table, style, shape)
    total = grid.stub
    for i, head in enumerate(table.heads[1:], 1):
        content = _content(grid, i) + (_SIUNITX_MORE if style.siunitx and grid.digits[i] else 0)
        total += 2 * GAP + max(content, *(width(line) for line in wrapped(head, content)))
    return total


def _content(grid: _Grid, i: int) -> float:
    """Return the width of the values of a column and their intervals, in points."""
    cells, column = grid.columns[i], grid.digits[i]
    main = grid.paragraph[i] or max(width(cell.text, bold=cell.bold) for cell in cells)
    if column is not None:
        main = max(main, width(column.widest()))
    small = max(width(cell.small, points=SMALL) for cell in cells)
    return main + GAP + small if grid.split[i] else max(main, small)


def _float(table: TextTable, style: LatexStyle) -> str:
    shape = _shape(table, style)
    grid = _grid(table, style, shape)
    name = "table*" if shape.starred else "table"
    marks = _marks(table)
    lines = [
        rf"\begin{{{name}}}",
        r"\centering",
        r"\begin{threeparttable}",
        rf"\caption{{{escape(table.caption)}}}",
        rf"\label{{{table.label}}}",
        rf"\fontsize{{{POINTS:g}}}{{{_LINE:g}}}\selectfont",
        rf"\setlength{{\tabcolsep}}{{{GAP:g}pt}}",
        *([_SMALL] if any(cell.small for cells in grid.columns for cell in cells) else []),
        *([_SIUNITX] if style.siunitx else []),
        rf"\begin{{tabular*}}{{\linewidth}}{{{_specification(grid, style)}}}",
        r"\toprule",
        " & ".join([escape(table.heads[0]), *_heads(table, grid, marks)]) + r" \\",
        *_body(table, grid, style),
        r"\bottomrule",
        r"\end{tabular*}",
        *_notes(table, marks),
        r"\end{threeparttable}",
        rf"\end{{{name}}}",
        "",
    ]
    return "\n".join(lines)


def _marks(table: TextTable) -> dict[str, str]:
    """Return the letter of each heading that has a note of its own."""
    noted = [head for head in dict.fromkeys(table.heads) if any(n.startswith(f"{head}: ") for n in table.notes)]
    return dict(zip(noted, ascii_lowercase, strict=False))


def _specification(grid: _Grid, style: LatexStyle) -> str:
    made = r"@{\extracolsep{\fill}}"
    for i, column in enumerate(grid.digits):
        if grid.paragraph[i]:
            made += f"p{{{grid.paragraph[i]:.1f}pt}}"
        elif column is not None and style.siunitx:
            made += column.siunitx()
        else:
            made += "c" if i else "l"
        if grid.split[i]:
            made += rf"@{{\extracolsep{{0pt}}\hspace{{{GAP:g}pt}}}}l@{{\extracolsep{{\fill}}\hspace{{{2 * GAP:g}pt}}}}"
    if grid.split[-1]:
        return made.removesuffix(rf"\hspace{{{2 * GAP:g}pt}}}}") + "}"
    return made + "@{}"


def _heads(table: TextTable, grid: _Grid, marks: Mapping[str, str]) -> Iterator[str]:
    for i, head in enumerate(table.heads[1:], 1):
        lines = [escape(line) for line in wrapped(head, _content(grid, i))]
        lines[-1] += rf"\tnote{{{marks[head]}}}" if head in marks else ""
        stacked = r"\\".join(lines)
        made = rf"\shortstack{{{stacked}}}" if len(lines) > 1 else stacked
        yield rf"\multicolumn{{{2 if grid.split[i] else 1}}}{{c}}{{{made}}}"


def _body(table: TextTable, grid: _Grid, style: LatexStyle) -> Iterator[str]:
    n = len(grid.columns) + sum(grid.split)
    for title, rows in table.sections():
        yield r"\midrule"
        if title:
            for line in wrapped(title, style.column):  # of no width, since spanning cells would widen the last column
                yield rf"\multicolumn{{{n}}}{{@{{}}l@{{}}}}{{\rlap{{\emph{{{escape(line)}}}}}}} \\"
        for row in rows:
            yield from _row(row, grid, style)


def _row(row: Sequence[Text], grid: _Grid, style: LatexStyle) -> Iterator[str]:
    """Yield the line of a row, and the line beneath with the intervals where they do not stand beside the values."""
    made, beneath = [_words(row[0], grid.paragraph[0])], [_small(row[0])]
    for i, cell in enumerate(row[1:], 1):
        column = grid.digits[i]
        made.append(_words(cell, grid.paragraph[i]) if column is None else _value(cell, column, style))
        made += [_small(cell)] if grid.split[i] else []
        beneath += ["", ""] if grid.split[i] else [f"{{{_small(cell)}}}" if cell.small else ""]
    if any(beneath):
        yield " & ".join(made) + r" \\[-1.5pt]"
        yield " & ".join(beneath) + r" \\[1pt]"
    else:
        yield " & ".join(made) + r" \\"


def _words(cell: Text, paragraph: float) -> str:
    """Return text, broken into lines where its column has a width."""
    if not paragraph:
        return numbers.text(cell)
    return rf"\raggedright\let\\\tabularnewline {breakable(cell.text)}"  # \raggedright takes \\ for its own lines


def _value(cell: Text, column: Digits, style: LatexStyle) -> str:
    if style.siunitx:
        return numbers.for_siunitx(cell, column) if cell.text else ""
    return numbers.plain(cell, column)


def _small(cell: Text) -> str:
    return rf"\ci{{{escape(cell.small)}}}" if cell.small else ""


def _notes(table: TextTable, marks: Mapping[str, str]) -> list[str]:
    if not table.notes:
        return []
    lines = [r"\begin{tablenotes}[flushleft]", rf"\fontsize{{{SMALL:g}}}{{8}}\selectfont\raggedright"]
    for note in table.notes:
        head = next((head for head in marks if note.startswith(f"{head}: ")), None)
        mark = marks[head] if head else ""
        lines.append(rf"\item[{mark}] {marked_up(note.removeprefix(f'{head}: ') if head else note)}")
    return [*lines, r"\end{tablenotes}"]
