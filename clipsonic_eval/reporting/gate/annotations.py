"""The gate's result as workflow commands of GitHub Actions, which become annotations of the run.

Source: GitHub's documentation of workflow commands; the escapes are those of actions/toolkit (``core.error``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from clipsonic_eval.formats import printable
from clipsonic_eval.gate.verdicts import GateResult
from clipsonic_eval.reporting.gate import rows

MOST: Final = 10  # annotations of one type that GitHub shows per step
_GATE: Final = "clipsonic-eval gate"
_DATA: Final = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY: Final = {**_DATA, ":": "%3A", ",": "%2C"}


def render(result: GateResult) -> str:
    """Return one command per line: errors for worse and refused, warnings for cannot tell, notices for the rest.

    At most :data:`MOST` of a type, since GitHub drops the others: the last one then names what it stands for.
    """
    worse = [(rows.subject(v), v.sentence) for v in result.verdicts if v.outcome == "worse"]
    refused = [(rows.subject(r), r.sentence) for r in result.refusals]
    if result.exit_code() and not worse and not refused:
        refused = [("", rows.outcome(result))]  # nothing was compared: never a run without an error
    undecided = [(rows.subject(v), v.sentence) for v in result.verdicts if v.outcome == "cannot tell"]
    told = [("", rows.outcome(result)), *(("", note) for note in rows.notes(result))]
    commands = [*_commands("error", worse + refused), *_commands("warning", undecided), *_commands("notice", told)]
    return "".join(f"{command}\n" for command in commands)


def _commands(kind: str, items: Sequence[tuple[str, str]]) -> Iterator[str]:
    shown = items if len(items) <= MOST else items[: MOST - 1]
    for title, sentence in shown:
        yield _command(kind, title or _GATE, printable(sentence))
    rest = items[len(shown) :]
    if rest:
        named = "\n".join(title or printable(sentence) for title, sentence in rest)
        yield _command(kind, f"{_GATE}: {len(rest)} more", named)


def _command(kind: str, title: str, message: str) -> str:
    return f"::{kind} title={_escaped(title, _PROPERTY)}::{_escaped(message, _DATA)}"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(c, c) for c in text)
