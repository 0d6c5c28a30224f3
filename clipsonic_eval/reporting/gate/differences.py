"""Differences between two sides as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from clipsonic_eval.formats import aligned, decimals_of, interval, number, p_value, printable
from clipsonic_eval.gate.differences import Difference, Differences
from clipsonic_eval.reporting.gate import rows
from clipsonic_eval.reporting.headings import decimals

_HEADS = ("System", "Metric", "Baseline", "Candidate", "Change", "90 % interval", "p worse", "n")
_MOST_DECIMALS = 8


def render(found: Differences) -> str:
    """Return the question, a table of all differences, and what does not compare."""
    lines = [f"question: {rows.QUESTIONS[found.question]}"]
    for name, described in (("baseline", found.baseline), ("candidate", found.candidate)):
        lines.append(f"{name}: {rows.side(described)}")
    if found.differences:
        lines += ["", *aligned([_HEADS, *map(_row, found.differences)]).splitlines(), ""]
    lines += _sentences(found)
    return "\n".join(lines) + "\n"


def _row(d: Difference) -> tuple[str, ...]:
    places = decimals(d.metric)
    if d.change:
        places = max(places, decimals_of(d.change, d.interval, _MOST_DECIMALS))
    values = [number(value, places) for value in (d.baseline, d.candidate)]
    change = number(d.change, places, sign=True)
    p, n = ("", "") if d.evidence is None else (p_value(d.evidence.p_worse), str(d.evidence.n))
    return printable(d.system), printable(d.metric), *values, change, interval(d.interval, places), p, n


def _sentences(found: Differences) -> Iterator[str]:
    yield from (printable(d.sentence) for d in found.differences if d.sentence.startswith("numerics moved"))
    yield from (f"does not compare: {line}" for line in rows.refused(found.refusals))
    yield from (f"note: {printable(note.removeprefix('question: '))}" for note in found.notes)
    if any(d.evidence is not None for d in found.differences):
        yield "p worse: one-sided, not corrected for the number of rows; --limit METRIC<+CHANGE judges"
