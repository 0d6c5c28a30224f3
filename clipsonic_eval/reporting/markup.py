"""Tables as Markdown and LaTeX: the content of a cell is decided elsewhere, its markup here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """The content of one cell: plain text, whether it is set in bold, and a part that is set smaller in LaTeX."""

    text: str
    bold: bool = False
    small: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table for people.

    Attributes:
        caption: one or two sentences; says n and the interval.
        heads: column headings.
        sections: rows by section title ("" for none), in order.
        notes: footnotes in order, e.g. the signatures of the columns.
        label: LaTeX label.
    """

    caption: str
    heads: tuple[str, ...]
    sections: tuple[tuple[str, tuple[tuple[Text, ...], ...]], ...]
    notes: tuple[str, ...] = ()
    label: str = "tab:results"


def markdown(table: Table) -> str:
    """Return a GitHub-flavoured table with its caption above and its notes below."""
    width = len(table.heads)
    lines = [table.caption, "", _md_row(table.heads), "|" + "---|" * width]
    for title, rows in table.sections:
        if title:
            lines.append(_md_row([f"*{_md_escape(title)}*", *[""] * (width - 1)]))
        lines += [_md_row([_md_cell(c) for c in row]) for row in rows]
    lines += ["", *[f"- {note}" for note in table.notes]] if table.notes else []
    return "\n".join(lines) + "\n"


def _md_cell(cell: Text) -> str:
    main = _md_escape(cell.text)
    main = f"**{main}**" if cell.bold and main else main
    return f"{main} {_md_escape(cell.small)}".strip()


def _md_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _md_escape(text: str) -> str:
    for mark in "\\|*_`<":
        text = text.replace(mark, f"\\{mark}")
    return text


def code(text: str) -> str:
    """Return text as Markdown code, safe for a list (signatures have bars in them)."""
    return f"`{text.replace('`', '')}`"


_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": r"$-$",
    "Δ": r"$\Delta$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "→": r"$\to$",
    "–": "--",
}


def latex_escape(text: str) -> str:
    """Return text that LaTeX sets as it stands (text mode, no packages needed)."""
    return "".join(_LATEX.get(c, c) for c in text)


def latex_code(text: str) -> str:
    """Return text in typewriter face that may break after its separators."""
    parts = latex_escape(text).replace(r"\textbar{}", r"\textbar{}\allowbreak{}").replace("/", r"/\allowbreak{}")
    return rf"\texttt{{{parts}}}"


def latex(table: Table) -> str:
    """Return a ``table*`` environment; needs the package booktabs."""
    width = len(table.heads)
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{latex_escape(table.caption)}}}",
        rf"\label{{{table.label}}}",
        r"\begin{tabular}{l" + "l" * (width - 1) + "}",
        r"\toprule",
        " & ".join(latex_escape(h) for h in table.heads) + r" \\",
    ]
    for title, rows in table.sections:
        lines.append(r"\midrule")
        if title:
            lines.append(rf"\multicolumn{{{width}}}{{l}}{{\emph{{{latex_escape(title)}}}}} \\")
        lines += [" & ".join(_latex_cell(c) for c in row) + r" \\" for row in rows]
    lines += [r"\bottomrule", r"\end{tabular}"]
    if table.notes:
        lines += [r"\par\smallskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright"]
        lines += [_latex_note(note) + r"\par" for note in table.notes]
        lines += [r"\end{minipage}"]
    return "\n".join([*lines, r"\end{table*}", ""])


def _latex_cell(cell: Text) -> str:
    main = latex_escape(cell.text)
    main = rf"\textbf{{{main}}}" if cell.bold and main else main
    return f"{main} {{\\scriptsize {latex_escape(cell.small)}}}" if cell.small else main


def _latex_note(note: str) -> str:
    """Set the parts between back-ticks in typewriter face, the rest as text."""
    parts = note.split("`")
    return "".join(latex_code(p) if i % 2 else latex_escape(p) for i, p in enumerate(parts))
