"""Verdicts of the gate, and what the whole call comes to."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from clipsonic_eval import frames
from clipsonic_eval.stats.decisions import Outcome
from clipsonic_eval.stats.evidence import Evidence

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["EXIT_CANNOT_TELL", "EXIT_REFUSED", "EXIT_WORSE", "GateResult", "Outcome", "Question", "Refusal", "Verdict"]

Question = Literal["same weights", "same queries", "recipe", "cost"]

EXIT_WORSE, EXIT_REFUSED, EXIT_CANNOT_TELL = 1, 2, 4
_COLUMNS = (
    "system", "metric", "limit", "question", "outcome", "baseline", "candidate", "harm", "low", "high", "margin",
    "p_holm", "detectable", "needed", "sentence",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one limit: one metric of one system.

    Attributes:
        system: name.
        metric: registry name.
        limit: as the user wrote it, e.g. ``fad<+3%``.
        question: whose error term was used. ``same weights``: none, numbers must be equal. ``same queries``: one model
            against another, clips paired by key. ``recipe``: training seeds. ``cost``: processes.
        outcome: of the test.
        baseline: value of the baseline, the mean over its records.
        candidate: value of the candidate, the same.
        margin: largest harm that the limit allows, in the metric's unit; 0 where numbers must be equal.
        sentence: why, in one sentence; where nobody can tell, with the change that would have been found and the n or
            seeds that would settle it.
        evidence: for the harm; None where numbers must be equal.
        p_holm: one-sided p-value of worse after Holm's correction over the call.
        detectable: smallest harm that this much data finds with a power of 80 %, in the metric's unit.
        needed: number of units (clips, seeds, …) that would settle it with a power of 80 %; None where it is settled.
    """

    system: str
    metric: str
    limit: str
    question: Question
    outcome: Outcome
    baseline: float
    candidate: float
    margin: float
    sentence: str
    evidence: Evidence | None = None
    p_holm: float | None = None
    detectable: float | None = None
    needed: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A limit that could not be checked: what was asked for cannot be compared, so the call cannot pass.

    Attributes:
        system: name; "" if it concerns the whole call.
        metric: registry name; "" if it concerns all.
        limit: as written; "" if it concerns all.
        sentence: why, and the fix.
    """

    system: str
    metric: str
    limit: str
    sentence: str


@dataclass(frozen=True, slots=True, repr=False)
class GateResult:
    """Everything that one call of the gate found.

    Attributes:
        verdicts: one per limit and system that could be compared.
        refusals: those that could not.
        baseline: what was compared with: its name (path or pin), content hashes, commit.
        candidate: the same.
        limits_sha256: of the limits in canonical form.
        notes: sentences for the reader: which question was taken and why, what it can't tell, warnings.
        level: of the one-sided tests, family-wise over the call for ``worse``.
    """

    verdicts: tuple[Verdict, ...]
    refusals: tuple[Refusal, ...] = ()
    baseline: Mapping[str, Any] = field(default_factory=dict)
    candidate: Mapping[str, Any] = field(default_factory=dict)
    limits_sha256: str = ""
    notes: tuple[str, ...] = ()
    level: float = 0.05

    def __repr__(self) -> str:
        counts = Counter([*(verdict.outcome for verdict in self.verdicts), *("refused" for _ in self.refusals)])
        return f"GateResult({', '.join(f'{n} {what}' for what, n in counts.items()) or 'nothing was compared'})"

    def _repr_html_(self) -> str:
        """Return the verdicts, refusals and notes as HTML, for notebooks."""
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        table: str = self.to_frame().to_html(index=False, float_format="{:.4g}".format)
        return table + (f"<ul>{notes}</ul>" if notes else "")

    def to_frame(self) -> DataFrame:
        """Return one row per limit and system: limit, outcome, both values, the harm with its limits, p, sentence.

        ``low`` and ``high`` are the limits of the two one-sided 95 % intervals of the harm. What was refused has the
        outcome ``refused`` and no numbers.
        """
        nan = float("nan")
        rows: list[tuple[Any, ...]] = []
        for v in self.verdicts:
            e = v.evidence
            harm = (nan, nan, nan) if e is None else (e.harm, e.lower, e.upper)
            rows.append((v.system, v.metric, v.limit, v.question, v.outcome, v.baseline, v.candidate, *harm, v.margin,
                         v.p_holm, v.detectable, v.needed, v.sentence))  # fmt: skip
        rows += [
            (r.system, r.metric, r.limit, "", "refused", *[nan] * 6, None, None, None, r.sentence)
            for r in self.refusals
        ]
        return frames.frame(rows, _COLUMNS)

    def exit_code(self, *, strict: bool = False) -> int:
        """Return 1 if something is worse, 2 if something was refused or nothing compared, 4 if strict and undecided."""
        outcomes = {verdict.outcome for verdict in self.verdicts}
        if "worse" in outcomes:
            return EXIT_WORSE
        if self.refusals or not outcomes:
            return EXIT_REFUSED
        return EXIT_CANNOT_TELL if strict and "cannot tell" in outcomes else 0
