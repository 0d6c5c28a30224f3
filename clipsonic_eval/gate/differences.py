"""Differences between two sides without limits: every metric of every system, described and not judged."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from clipsonic_eval import frames
from clipsonic_eval.errors import UserError
from clipsonic_eval.gate.change import Change
from clipsonic_eval.gate.check import prepare, told
from clipsonic_eval.gate.error_terms import evidence_of
from clipsonic_eval.gate.limits import Limit, Limits
from clipsonic_eval.gate.matching import CONTROLS
from clipsonic_eval.gate.same_weights import equality
from clipsonic_eval.gate.verdicts import Question, Refusal
from clipsonic_eval.records import RunRecord
from clipsonic_eval.stats.evidence import Evidence

if TYPE_CHECKING:
    from pandas import DataFrame

_COLUMNS = (
    "system", "metric", "baseline", "candidate", "change", "low", "high", "p_worse", "n", "unit", "test", "sentence",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """The change of one metric of one system.

    Attributes:
        system: name in the baseline.
        metric: registry name.
        higher_is_better: direction of the metric.
        baseline: value, the mean over its records.
        candidate: the same.
        evidence: for the harm; None for the same weights, whose numbers have no error.
        sentence: for the same weights, whether the numbers are equal and which stage moved them.
    """

    system: str
    metric: str
    higher_is_better: bool
    baseline: float
    candidate: float
    evidence: Evidence | None = None
    sentence: str = ""

    @property
    def change(self) -> float:
        """Candidate minus baseline; on the common queries, where the evidence is over these."""
        if self.evidence is None:
            return self.candidate - self.baseline
        return -self.evidence.harm if self.higher_is_better else self.evidence.harm

    @property
    def interval(self) -> tuple[float, float] | None:
        """Limits of the two one-sided 95 % intervals of the change; together a 90 % interval."""
        if self.evidence is None:
            return None
        low, high = self.evidence.lower, self.evidence.upper
        return (-high, -low) if self.higher_is_better else (low, high)


@dataclass(frozen=True, slots=True, repr=False)
class Differences:
    """Everything that differs between two sides.

    Attributes:
        differences: one per metric and system that both sides have.
        question: whose error term was used.
        refusals: what does not compare.
        baseline: its name and the hashes of its records.
        candidate: the same.
        notes: sentences for the reader.
    """

    differences: tuple[Difference, ...]
    question: Question
    refusals: tuple[Refusal, ...] = ()
    baseline: Mapping[str, Any] = field(default_factory=dict)
    candidate: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        refused = f", {len(self.refusals)} do not compare" if self.refusals else ""
        return f"Differences({self.question}: {len(self.differences)} of metrics and systems{refused})"

    def _repr_html_(self) -> str:
        """Return the differences and notes as HTML, for notebooks."""
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        table: str = self.to_frame().to_html(index=False, float_format="{:.4g}".format)
        return table + (f"<ul>{notes}</ul>" if notes else "")

    def to_frame(self) -> DataFrame:
        """Return one row per metric and system: both values, the change with its interval, p that it is worse."""
        nan = float("nan")
        rows = []
        for d in self.differences:
            low, high = d.interval or (nan, nan)
            e = d.evidence
            of = (nan, None, "", "") if e is None else (e.p_worse, e.n, e.unit, e.test)
            rows.append((d.system, d.metric, d.baseline, d.candidate, d.change, low, high, *of, d.sentence))
        return frames.frame(rows, _COLUMNS)


def differences(
    candidate: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
    *,
    question: Question | None = None,
    systems: Mapping[str, str] | None = None,
) -> Differences:
    """Describe how a candidate differs from a baseline, metric by metric; p-values are not corrected for their number.

    Args:
        candidate: one record, or one per training seed.
        baseline: the same.
        question: whose error term is used; None: the one that the records suggest.
        systems: name in the candidate by name in the baseline; None: equal names.

    Raises:
        UserError: nothing can be compared.
    """
    every = _every_metric(baseline)
    if not every:
        raise UserError("the baseline has no scores, so nothing was compared; name a run")
    matched, settled = prepare(candidate, baseline, Limits(every), question, systems)
    found = []
    for change in matched.changes:
        try:
            change.require_comparable()
            if settled == "same weights":
                said = equality(change, candidate[0], baseline[0]).sentence
                found.append(_difference(change, None, said))
            else:
                found.append(_difference(change, evidence_of(change, settled, 0.95)))
        except UserError as error:
            matched.refuse(str(error), change.system, change.limit)
    return Differences(
        tuple(found),
        settled,
        tuple(replace(refusal, limit="") for refusal in matched.refusals),
        told(baseline),
        told(candidate),
        tuple(matched.notes),
    )


def _difference(change: Change, evidence: Evidence | None, sentence: str = "") -> Difference:
    higher = change.old[0].higher_is_better
    return Difference(change.system, change.metric, higher, change.baseline, change.candidate, evidence, sentence)


def _every_metric(side: Sequence[RunRecord]) -> tuple[Limit, ...]:
    """Return a limit without an amount for every metric of a system: it matches scores and is not applied."""
    higher = {
        score.metric: score.higher_is_better
        for record in side
        for score in record.scores
        if score.system not in CONTROLS
    }
    return tuple(Limit(metric, "-" if better else "+", ()) for metric, better in higher.items())
