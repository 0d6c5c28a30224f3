"""The gate: records of a candidate against records of a baseline, limit by limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from clipsonic_eval.errors import UserError, listed
from clipsonic_eval.gate.change import Change
from clipsonic_eval.gate.error_terms import evidence_of
from clipsonic_eval.gate.limits import Limits
from clipsonic_eval.gate.matching import Matched, content, match, pairs_of, same_run
from clipsonic_eval.gate.question import MIN_SEEDS, settle
from clipsonic_eval.gate.same_weights import equality, software
from clipsonic_eval.gate.verdicts import GateResult, Outcome, Question, Refusal, Verdict
from clipsonic_eval.gate.wording import about_weights_only, sentence
from clipsonic_eval.records import RunRecord
from clipsonic_eval.stats.decisions import decide, detectable, needed
from clipsonic_eval.stats.evidence import LEVEL, Evidence


def check(
    candidate: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
    limits: Limits,
    *,
    question: Question | None = None,
    systems: Mapping[str, str] | None = None,
) -> GateResult:
    """Judge a candidate by limits on its change from a baseline.

    Args:
        candidate: one record, or one per training seed of a recipe.
        baseline: the same of what it is compared with.
        limits: at least one.
        question: whose error term is used; None: the one that the records suggest, see
            :mod:`clipsonic_eval.gate.question`.
        systems: name in the candidate by name in the baseline; None: equal names.

    Returns:
        A verdict for every limit and system that could be compared, and a refusal for every one that could not. What
        concerns the whole call (no records, one run on both sides) is a refusal without a limit.

    Example:
        >>> from clipsonic_eval.gate.limits import from_texts
        >>> check([], [], from_texts(["fad<+3%"])).refusals[0].sentence
        'the baseline has no records, so nothing was compared; name a run'
    """
    empty = GateResult((), (), told(baseline), told(candidate), limits.sha256, level=LEVEL)
    try:
        matched, settled = prepare(candidate, baseline, limits, question, systems)
    except UserError as error:
        return replace(empty, refusals=(Refusal("", "", "", str(error)),))
    verdicts = _judge(matched, settled, candidate, baseline, limits)
    return replace(empty, verdicts=verdicts, refusals=tuple(matched.refusals), notes=tuple(matched.notes))


def told(side: Sequence[RunRecord]) -> dict[str, Any]:
    """Return what a reader wants to know of a side: hashes of the records, and their commit if it is one."""
    commits = {record.provenance.get("commit") for record in side}
    return {
        "records": [content(record) for record in side],
        "commit": commits.pop() if len(commits) == 1 else None,
    }


def prepare(
    candidate: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
    limits: Limits,
    question: Question | None,
    systems: Mapping[str, str] | None,
) -> tuple[Matched, Question]:
    """Return the changes to judge, and the question.

    Raises:
        UserError: nothing can be compared.
    """
    for name, side in (("baseline", baseline), ("candidate", candidate)):
        if not side:
            raise UserError(f"the {name} has no records, so nothing was compared; name a run")
        if not any(record.scores for record in side):
            raise UserError(f"the {name} has no scores, so nothing was compared; evaluate it again")
    pairs = pairs_of(candidate, baseline, limits, systems)
    if any(a == b for a, b in pairs) and any(same_run(new, old) for new in candidate for old in baseline):
        raise UserError("a record is compared with itself, so nothing would be found; name another run on one side")
    settled, why = settle(candidate, baseline, pairs, question)
    matched = match(candidate, baseline, limits, pairs, all_systems=not systems)
    if settled == "same weights" and (differs := software(candidate[0], baseline[0])):
        why.append(f"differs between the sides: {differs}")
    if settled == "same queries" and (same := _same_wavs(candidate, baseline, pairs)):
        why.append(f"the wavs are the same bytes on both sides: {listed(same)}")
    matched.notes[:0] = why
    return matched, settled


def _same_wavs(
    candidate: Sequence[RunRecord], baseline: Sequence[RunRecord], pairs: Sequence[tuple[str, str]]
) -> list[str]:
    """Return the systems whose wavs did not change at all, where the records hold hashes of them."""
    old, new = ([record.hashes for record in side] for side in (baseline, candidate))
    wavs = {
        a: ([one.get(a, {}).get("wavs") for one in old], [one.get(b, {}).get("wavs") for one in new]) for a, b in pairs
    }
    return [name for name, (before, after) in wavs.items() if None not in before and before == after]


def _judge(
    matched: Matched,
    question: Question,
    candidate: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
    limits: Limits,
) -> tuple[Verdict, ...]:
    """Judge the changes; those that cannot be judged join the refusals."""
    sides = len(baseline), len(candidate)
    few = question == "recipe" and min(sides) < MIN_SEEDS
    term: Question = "same queries" if few else question
    verdicts: list[Verdict] = []
    shown: list[tuple[Change, Evidence]] = []
    for change in matched.changes:
        try:
            change.require_comparable()
            if question == "same weights":
                verdicts.append(equality(change, candidate[0], baseline[0]))
            else:
                shown.append((change, evidence_of(change, term, limits.min_common)))
        except UserError as error:
            matched.refuse(str(error), change.system, change.limit)
    decided = [_verdict(*one, question=question) for one in _decided(shown)]
    return (*verdicts, *([about_weights_only(one, sides) for one in decided] if few else decided))


def _decided(shown: Sequence[tuple[Change, Evidence]]) -> list[tuple[Change, Evidence, float, Outcome, float]]:
    """Return margin, outcome and Holm's p-value beside each change and its evidence."""
    margins = [change.limit.margin(change.baseline) for change, _ in shown]
    outcomes = decide([evidence for _, evidence in shown], margins, LEVEL)
    return [(*one, margin, *outcome) for one, margin, outcome in zip(shown, margins, outcomes, strict=True)]


def _verdict(
    change: Change, evidence: Evidence, margin: float, outcome: Outcome, p_holm: float, question: Question
) -> Verdict:
    verdict = Verdict(
        change.system,
        change.metric,
        str(change.limit),
        question,
        outcome,
        change.baseline,
        change.candidate,
        margin,
        "",
        evidence,
        p_holm,
        detectable(evidence, LEVEL, margin=margin),
        needed(evidence, margin) if outcome == "cannot tell" else None,
    )
    return replace(verdict, sentence=sentence(change.name, verdict))
