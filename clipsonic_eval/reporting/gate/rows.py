"""What every format shows of a gate's result: its rows and their columns, the question, both sides, the outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from clipsonic_eval.formats import decimals_of, interval, number, printable
from clipsonic_eval.gate.verdicts import EXIT_REFUSED, EXIT_WORSE, GateResult, Outcome, Question, Refusal, Verdict
from clipsonic_eval.reporting.headings import decimals
from clipsonic_eval.reporting.markup import Column, Text

QUESTIONS: Final[Mapping[Question, str]] = {
    "same weights": "same weights, other code: the numbers must be equal",
    "same queries": "one model against another on the same queries; error term: clips, paired by key",
    "recipe": "one recipe against another; error term: training seeds",
    "cost": "one cost against another on one machine; error term: processes",
}
_CHANGE: Final = "Change: candidate minus baseline"
_TESTED: Final = (
    "; in brackets the limits of its two one-sided 95 % intervals. Worse: p below the level after Holm's correction, "
    "and the change beyond the limit. Not worse: the harmful end of the interval within the limit"
)
_MOST_DECIMALS: Final = 8
_HASH_DIGITS: Final = 8
_URGENCY: Final[tuple[Outcome, ...]] = ("worse", "cannot tell", "not worse")


def ordered(result: GateResult) -> list[Verdict]:
    """Return the verdicts, the worse ones first and those that passed last, else in their order."""
    return sorted(result.verdicts, key=lambda verdict: _URGENCY.index(verdict.outcome))


def questions(result: GateResult) -> list[str]:
    """Return each question that the verdicts answer, with its error term."""
    return [QUESTIONS[question] for question in dict.fromkeys(verdict.question for verdict in result.verdicts)]


def caption(result: GateResult) -> str:
    """Return how the table reads; numbers that must be equal have neither intervals nor tests."""
    tested = any(verdict.evidence is not None for verdict in result.verdicts)
    return f"{_CHANGE}{_TESTED if tested else ''}."


def notes(result: GateResult) -> list[str]:
    """Return the notes, each on one line; those on the question follow it and need not name it again."""
    return [printable(note.removeprefix("question: ")) for note in result.notes]


def side(described: Mapping[str, Any]) -> str:
    """Return what was compared, on one line: its name, the first digits of its contents' hashes, its commit.

    Example:
        >>> side({"name": "main", "records": ["1a2b3c4d5e6f"], "commit": "9f8e7d6c5b4a"})
        'main (contents 1a2b3c4d; commit 9f8e7d6c)'
    """
    hashes = ", ".join(str(digest)[:_HASH_DIGITS] for digest in described.get("records", ()))
    commit = str(described.get("commit") or "")[:_HASH_DIGITS]
    parts = [part for part in (hashes and f"contents {hashes}", commit and f"commit {commit}") if part]
    name = str(described.get("name") or "unnamed")
    return printable(f"{name} ({'; '.join(parts)})" if parts else name)


def subject(row: Verdict | Refusal) -> str:
    """Return which limit of which system a row is about, "" if it is about the whole call."""
    limit = row.limit.removeprefix(f"{row.system}:")
    named = limit if row.metric in limit else f"{row.metric} {limit}".strip()
    return printable(" ".join(part for part in (row.system, named) if part))


def refused(refusals: Sequence[Refusal]) -> list[str]:
    """Return what was refused and why, one line each; systems that share a limit and a reason share a line.

    Example:
        >>> why = "of '{}': the two sides do not compare; evaluate both alike"
        >>> both = [Refusal(name, "fad", "fad<+3%", "fad " + why.format(name)) for name in ("ZS", "PD")]
        >>> refused(both)
        ['fad<+3% of ZS, PD: the two sides do not compare; evaluate both alike']
    """
    alike: dict[tuple[str, str, str], list[Refusal]] = {}
    for refusal in refusals:
        reason = refusal.sentence.removeprefix(f"{refusal.metric} of '{refusal.system}': ")
        own = "" if reason != refusal.sentence else refusal.system  # a sentence without the name is the system's own
        alike.setdefault((own, refusal.limit or refusal.metric, reason), []).append(refusal)
    return [printable(_together(several, reason)) for (*_, reason), several in alike.items()]


def _together(several: Sequence[Refusal], reason: str) -> str:
    first = several[0]
    if len(several) == 1:
        return ": ".join(part for part in (subject(first), first.sentence) if part)
    return f"{first.limit or first.metric} of {', '.join(refusal.system for refusal in several)}: {reason}"


def outcome(result: GateResult) -> str:
    """Return what the call comes to and how many limits had each outcome, on one line.

    Example:
        >>> outcome(GateResult(()))
        'Gate: cannot be compared (nothing was compared)'
    """
    code, counts = result.exit_code(), Counter(verdict.outcome for verdict in result.verdicts)
    undecided = "cannot tell" if counts["cannot tell"] else "not worse"
    word = {EXIT_WORSE: "worse", EXIT_REFUSED: "cannot be compared"}.get(code, undecided)
    found = [f"{counts[name]} {name}" for name in _URGENCY if counts[name]]
    found += [f"{len(result.refusals)} refused"] if result.refusals else []
    return f"Gate: {word} ({', '.join(found) or 'nothing was compared'})"


def values(verdict: Verdict) -> str:
    """Return the values of both sides, ``baseline → candidate``."""
    places = _places(verdict)
    return f"{number(verdict.baseline, places)} → {number(verdict.candidate, places)}"


def change(verdict: Verdict) -> str:
    """Return candidate minus baseline with the limits of the two one-sided 95 % intervals, where there are any."""
    places = _places(verdict)
    shown = number(verdict.candidate - verdict.baseline, places, sign=True)
    return f"{shown} {interval(_limits(verdict), places)}".rstrip()


def _limits(verdict: Verdict) -> tuple[float, float] | None:
    """Return the one-sided limits of the change; harm turns into change by the direction that the limit states."""
    if verdict.evidence is None:
        return None
    lower, upper = verdict.evidence.lower, verdict.evidence.upper
    return (-upper, -lower) if ">" in verdict.limit else (lower, upper)


def _places(verdict: Verdict) -> int:
    """Return enough decimals for the metric's values and for two digits of the interval's width."""
    difference = verdict.candidate - verdict.baseline
    needed = decimals_of(difference, _limits(verdict), _MOST_DECIMALS) if difference else 0
    return max(decimals(verdict.metric), needed)


COLUMNS: Final = (
    Column("System", text=lambda v: Text(printable(v.system))),
    Column("Metric", text=lambda v: Text(printable(v.metric))),
    Column("Limit", text=lambda v: Text(printable(v.limit))),
    Column("Baseline → candidate", text=lambda v: Text(values(v))),
    Column("Change", text=lambda v: Text(change(v))),
    Column("Verdict", text=lambda v: Text(v.outcome, bold=v.outcome == "worse")),
)
REASON: Final = Column("Reason", text=lambda v: Text(printable(v.sentence)))
