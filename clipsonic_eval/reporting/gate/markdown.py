"""The gate's result as Markdown, for the summary of a CI step or a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from clipsonic_eval.gate.verdicts import GateResult
from clipsonic_eval.reporting.gate import rows
from clipsonic_eval.reporting.markup import TextTable, cells, code, markdown, markdown_escape


def render(result: GateResult) -> str:
    """Return the result as a section: the outcome as its heading, the question, the table, refusals and notes."""
    parts = [f"### {rows.outcome(result)}", *(f"Question: {question}." for question in rows.questions(result))]
    if result.verdicts:
        table = cells((*rows.COLUMNS, rows.REASON), {"": rows.ordered(result)})
        parts.append(markdown(TextTable(rows.caption(result), table)))
    parts.append("\n".join(_items(result)))
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _items(result: GateResult) -> Iterator[str]:
    yield from (f"- **refused** {markdown_escape(line)}" for line in rows.refused(result.refusals))
    yield from (f"- {markdown_escape(note)}" for note in rows.notes(result))
    for name, described in (("baseline", result.baseline), ("candidate", result.candidate)):
        if described:
            yield f"- {name}: {markdown_escape(rows.side(described))}"
    if result.limits_sha256:
        yield f"- limits: {code(result.limits_sha256[:8])}"
