"""Rules of exclusion, which stand in the plan before there is an answer: who broke which, by how much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from clipsonic_eval.listening.answers import Answer
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.protocols import EQUAL, LEFT, PROTOCOLS, REFERENCE, RIGHT
from clipsonic_eval.listening.trials import GOLD, HEADPHONES, RATED, REPEAT, SIDE, TRAP, Trial

_PLACE: Final = {LEFT: -1.0, EQUAL: 0.0, RIGHT: 1.0}
_SLIDER_STEP, _HIDDEN_REFERENCE = 20.0, 90.0
_HEARD: Final = 0.8
# rule: (what it counts, whether the limit is the least)
MEANING: Final[Mapping[str, tuple[str, bool]]] = {
    "headphones_right": ("softest tones found", True),
    "side_right": ("sides told", True),
    "trap_right": ("share of the traps that were seen", True),
    "gold_right": ("share of the known answers given", True),
    "repeat_distance": ("mean distance between two answers to one trial, in steps", False),
    "too_fast": ("share of answers before 80 % of the sound was played", False),
    "least_sd": ("standard deviation of the answers, in steps", True),
    "least_answered": ("share of the list that was answered", True),
}


class Check(NamedTuple):
    """A rule applied to a listener: the value, the limit, and whether the value is within it."""

    listener: str
    rule: str
    value: float
    limit: float
    kept: bool


def apply_rules(plan: ListeningPlan, answers: Iterable[Answer]) -> list[Check]:
    """Apply every rule of the plan to every listener; a rule that nothing was asked for is left out.

    A plan of ours has all rules, one of a test that was run elsewhere those that can be told there.

    Args:
        plan: of the test.
        answers: of all listeners.
    """
    by_listener: dict[str, list[Answer]] = {}
    for answer in answers:
        by_listener.setdefault(answer.listener, []).append(answer)
    found = []
    for listener, own in sorted(by_listener.items()):
        for rule, value in _values(plan, own).items():
            if rule not in plan.rules:
                continue
            limit = plan.rules[rule]
            if rule in ("headphones_right", "side_right"):
                limit = min(limit, plan.checks[rule.removesuffix("_right")])
            kept = value >= limit if MEANING[rule][1] else value <= limit
            found.append(Check(listener, rule, value, limit, kept))
    return found


def kept_listeners(checks: Iterable[Check]) -> set[str]:
    """Return the listeners who broke no rule."""
    found: dict[str, bool] = {}
    for check in checks:
        found[check.listener] = found.get(check.listener, True) and check.kept
    return {listener for listener, kept in found.items() if kept}


def _values(plan: ListeningPlan, own: Sequence[Answer]) -> dict[str, float]:
    """Return the value of each rule for one listener."""
    trials = plan.trials(own[0].number)
    of_kind: dict[str, list[Answer]] = {}
    for answer in own:
        of_kind.setdefault(answer.kind, []).append(answer)
    asked = {kind: sum(trial.kind == kind for trial in trials) for kind in (HEADPHONES, SIDE, TRAP)}

    def right(kind: str) -> int:
        return sum(answer.answer == trials[answer.trial].expected for answer in of_kind.get(kind, ()))

    values: dict[str, float] = {}
    if asked[HEADPHONES]:
        values["headphones_right"] = right(HEADPHONES)
    if asked[SIDE]:
        values["side_right"] = right(SIDE)
    if asked[TRAP]:
        values["trap_right"] = right(TRAP) / asked[TRAP]
    known = [_is_right(answer, trials) for answer in own if _has_known_answer(answer)]
    if known:
        values["gold_right"] = float(np.mean(known))
    distances = _repeat_distances(trials, own)
    if distances:
        values["repeat_distance"] = float(np.mean(distances))
    rated = of_kind.get(RATED, [])
    if rated:
        values["too_fast"] = float(np.mean([answer.played < _HEARD for answer in rated]))
        values["least_sd"] = _spread(rated)
    questions = sum(_questions(trial) for trial in trials)
    values["least_answered"] = min(1.0, len(own) / questions)
    return values


def _questions(trial: Trial) -> int:
    return sum(
        len(trial.systems) if name in PROTOCOLS and PROTOCOLS[name].layout == "sliders" else 1
        for name in trial.protocols
    )


def _has_known_answer(answer: Answer) -> bool:
    hidden = answer.kind == RATED and answer.systems == (REFERENCE,) and _layout(answer) == "sliders"
    return answer.kind == GOLD or hidden


def _is_right(answer: Answer, trials: Sequence[Trial]) -> bool:
    """Return whether a known answer was given: exactly of a pair, within a step of a rating, 90 at least of sliders."""
    layout, expected = _layout(answer), trials[answer.trial].expected
    if layout == "pair":
        return answer.answer == expected
    if layout == "sliders":
        return float(answer.answer) >= _HIDDEN_REFERENCE
    return abs(float(answer.answer) - float(expected)) <= 1


def _layout(answer: Answer) -> str:
    return PROTOCOLS[answer.protocol].layout


def in_steps(answer: Answer) -> float:
    """Return an answer on a scale with steps of one; 20 points of a slider are a step."""
    if answer.answer in _PLACE:
        return _PLACE[answer.answer]
    return float(answer.answer) / (_SLIDER_STEP if _layout(answer) == "sliders" else 1.0)


def _repeat_distances(trials: Sequence[Trial], own: Sequence[Answer]) -> list[float]:
    first = {answer.key[1:]: answer for answer in own}
    pairs = [
        (answer, first.get((trials[answer.trial].repeats, answer.protocol, answer.systems)))
        for answer in own
        if answer.kind == REPEAT
    ]
    return [abs(in_steps(again) - in_steps(once)) for again, once in pairs if once is not None]


def _spread(rated: Sequence[Answer]) -> float:
    """Return the largest standard deviation that a listener's answers have by any protocol, in steps."""
    by_protocol: dict[str, list[float]] = {}
    for answer in rated:
        by_protocol.setdefault(answer.protocol, []).append(in_steps(answer))
    return max(float(np.std(values)) for values in by_protocol.values())
