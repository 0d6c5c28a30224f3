"""The gate's result for a terminal: question, table, reasons, refusals, notes, and the outcome as the last line."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from clipsonic_eval.formats import aligned, printable
from clipsonic_eval.gate.verdicts import GateResult
from clipsonic_eval.reporting.gate import rows

_NARROWEST: Final = 8  # characters of a name that are always shown
_GAP: Final = 2  # spaces between columns


def render(result: GateResult, *, width: int | None = None) -> str:
    """Return the result as lines of text without colours.

    Args:
        result: of the gate.
        width: characters in a line; None: of the terminal. Long sentences are wrapped, long names are cut.
    """
    width = width or shutil.get_terminal_size().columns
    lines = list(_head(result))
    if result.verdicts:
        lines += ["", *aligned(_fitted(_cells(result), width)).splitlines(), ""]
    for paragraph in _paragraphs(result):
        lines += textwrap.wrap(paragraph, width, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join([*lines, rows.outcome(result)]) + "\n"


def _head(result: GateResult) -> Iterator[str]:
    for question in rows.questions(result):
        yield f"question: {question}"
    for name, described in (("baseline", result.baseline), ("candidate", result.candidate)):
        if described:
            yield f"{name}: {rows.side(described)}"
    if result.limits_sha256:
        yield f"limits: {result.limits_sha256[:8]}"


def _cells(result: GateResult) -> list[list[str]]:
    heads = [column.head for column in rows.COLUMNS]
    return [heads, *([column.text(v).text for column in rows.COLUMNS] for v in rows.ordered(result))]


def _paragraphs(result: GateResult) -> Iterator[str]:
    """Yield why a limit did not pass, what was refused, and the notes; a row that passed says all in its numbers."""
    for verdict in rows.ordered(result):
        if verdict.outcome != "not worse":
            yield f"{verdict.outcome}: {rows.subject(verdict)}: {printable(verdict.sentence)}"
    yield from (f"refused: {line}" for line in rows.refused(result.refusals))
    yield from (f"note: {note}" for note in rows.notes(result))


def _fitted(table: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Cut the names in the first column so that a line fits, down to a few characters."""
    others = sum(max(map(len, column)) + _GAP for column in list(zip(*table, strict=True))[1:])
    longest = max(_NARROWEST, width - others)
    return [[_cut(first, longest), *rest] for first, *rest in table]


def _cut(name: str, longest: int) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
