"""From answers to a run record: scores with intervals, paired differences, with and without the excluded listeners."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clipsonic_eval import provenance
from clipsonic_eval.checks.evaluation import NOT_COMPUTED
from clipsonic_eval.errors import ShapeError, UserError, listed
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.listening import choices, opinions
from clipsonic_eval.listening.answers import SIMULATED, Answer
from clipsonic_eval.listening.exclusion import Check, apply_rules, kept_listeners
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.stats import paired
from clipsonic_eval.types import Finding, Score, Skip

KIND: Final = "listening"  # of the records
EVERYONE: Final = (
    "all_listeners"  # folder of the record without exclusions; its value and interval are details of a score
)
Row = Mapping[str, Any]
_MADE_UP: Final = "answers that `listen simulate` made up are among these: the numbers say nothing about the systems"


@dataclass(frozen=True, slots=True)
class ListeningResult:
    """Everything that the answers of a listening test say.

    Attributes:
        record: of the listeners who broke no rule.
        everyone: the same of all listeners.
        checks: every rule applied to every listener.
        ordinal: differences by the proportional-odds model.
        agreement: of the listeners, a row per protocol.
        listeners: each listener beside the others.
    """

    record: RunRecord
    everyone: RunRecord
    checks: tuple[Check, ...]
    ordinal: tuple[Row, ...]
    agreement: tuple[Row, ...]
    listeners: tuple[Row, ...]


def analyse(
    plan: ListeningPlan, answers: Sequence[Answer], skipped: Sequence[Skip] = (), *, n_boot: int = 2000, seed: int = 0
) -> ListeningResult:
    """Analyse the answers of a listening test.

    Args:
        plan: that the test was run with.
        answers: of all listeners, checked against it.
        skipped: rows that were left out, for the record.
        n_boot: resamples of listeners and queries.
        seed: of the resamples.

    Raises:
        UserError: nothing can be computed from these answers, or no listener is left after exclusion.
    """
    if n_boot < 100:
        raise UserError(f"{n_boot} resamples: at least 100")
    answers, draws = sorted(answers), {"n_boot": n_boot, "seed": seed}
    checks = apply_rules(plan, answers)
    kept = kept_listeners(checks)
    if not kept:
        broken = listed(sorted({check.rule for check in checks if not check.kept}))
        raise UserError(
            f"every listener broke a rule of the plan ({broken}), so no number is left; look at the answers before you "
            "believe them"
        )
    own = [answer for answer in answers if answer.listener in kept]
    made_up = "-simulated" if any(one.listener.startswith(SIMULATED) for one in answers) else ""
    everyone = _record(plan, answers, f"all{made_up}", skipped, draws)
    record = _record(plan, own, f"rules-{config_hash(dict(plan.rules))[:8]}{made_up}", skipped, draws)
    record = dataclasses.replace(record, scores=tuple(_beside(score, everyone) for score in record.scores))
    notes: list[str] = []
    ordinal, agreement, beside = _sensitivity(plan, own, draws, notes)
    findings = {KIND: (*record.findings.get(KIND, ()), *(Finding(NOT_COMPUTED, "warning", (), n) for n in notes))}
    return ListeningResult(
        record=dataclasses.replace(record, findings={k: v for k, v in findings.items() if v}),
        everyone=everyone,
        checks=tuple(checks),
        ordinal=tuple(ordinal),
        agreement=tuple(agreement),
        listeners=tuple(beside),
    )


def _record(
    plan: ListeningPlan, answers: Sequence[Answer], who: str, skipped: Sequence[Skip], draws: Mapping[str, int]
) -> RunRecord:
    """Return the record of some listeners.

    Raises:
        UserError: no protocol gives a number.
    """
    scores: list[Score] = []
    comparisons: list[Comparison] = []
    problems = []
    for name in plan.protocols:
        try:
            found, compared = _numbers(plan, answers, name, opinions.head(plan, name, who), draws)
        except ShapeError as error:
            problems.append(str(error))
            continue
        scores += found
        comparisons += compared
    if not scores:
        raise UserError(f"no number can be computed from these answers: {problems[0] if problems else 'nothing rated'}")
    holm = paired.holm([one.p_value for one in comparisons])
    findings = [Finding(NOT_COMPUTED, "error", (), why) for why in problems]
    findings += [Finding("simulated", "error", (), _MADE_UP)] if who.endswith("simulated") else []
    return RunRecord(
        kind=KIND,
        scores=tuple(scores),
        comparisons=tuple(dataclasses.replace(c, p_holm=p) for c, p in zip(comparisons, holm, strict=True)),
        systems={score.system: {"kind": "listening-test"} for score in scores},
        skipped={KIND: tuple(skipped)} if skipped else {},
        findings={KIND: tuple(findings)} if findings else {},
        config={**draws, "plan": plan.id, "rules": dict(plan.rules), "who": who},
        hashes={KIND: {"answers": config_hash([list(answer) for answer in answers])}},
        provenance=provenance.collect(),
    )


def _numbers(
    plan: ListeningPlan, answers: Sequence[Answer], name: str, head: str, draws: Mapping[str, int]
) -> tuple[list[Score], list[Comparison]]:
    if plan.protocols[name].layout == "pair":
        return choices.preferences(plan, answers, head, **draws)
    found = opinions.ratings(plan, answers, name)
    if found is None:
        return [], []
    try:
        scores = opinions.scores(found, head, **draws)
        return scores, opinions.comparisons(found)
    except ShapeError as error:
        raise ShapeError(opinions.refused(found, error)) from None


def _beside(score: Score, everyone: RunRecord) -> Score:
    """Return a score with value and interval of all listeners among its details."""
    other = everyone.score(score.metric, score.system)
    if other is None or other.ci is None:
        return score
    low, high = other.ci
    ends = {EVERYONE: other.value, f"{EVERYONE}_low": low, f"{EVERYONE}_high": high}
    return dataclasses.replace(score, details={**score.details, **ends})


def _sensitivity(
    plan: ListeningPlan, answers: Sequence[Answer], draws: Mapping[str, int], notes: list[str]
) -> tuple[list[Row], list[Row], list[Row]]:
    """Return rows of the ordinal model, of agreement, and of each listener; why one is missing goes into ``notes``."""
    ordinal: list[Row] = []
    agreement: list[Row] = []
    beside: list[Row] = []
    for name in plan.protocols:
        found = opinions.ratings(plan, answers, name) if plan.protocols[name].layout != "pair" else None
        if found is None:
            continue
        rated = {answer.listener for answer in answers if answer.kind == "rated" and answer.protocol == name}
        beside += opinions.listener_rows(found, sorted(rated))
        for of, rows, of_ratings_only in ((_ordinal, ordinal, True), (_agreement, agreement, False)):
            try:
                if not of_ratings_only or plan.protocols[name].layout == "rating":
                    rows.extend(of(found, draws))
            except ShapeError as error:
                notes.append(opinions.refused(found, error))
    corrected = paired.holm([row["p_value"] for row in ordinal])
    return [{**row, "p_holm": p} for row, p in zip(ordinal, corrected, strict=True)], agreement, beside


def _ordinal(found: opinions.Ratings, draws: Mapping[str, int]) -> list[dict[str, Any]]:
    del draws
    return opinions.ordinal_rows(found)


def _agreement(found: opinions.Ratings, draws: Mapping[str, int]) -> list[dict[str, Any]]:
    return [opinions.agreement_row(found, **draws)]
