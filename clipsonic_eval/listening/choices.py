"""Preferences: strengths of systems by Davidson's model, as scores and differences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from clipsonic_eval.arraytypes import Float64, IntArray
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.listening.answers import Answer
from clipsonic_eval.listening.opinions import signed
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.protocols import EQUAL, LEFT, PROTOCOLS, RIGHT
from clipsonic_eval.listening.trials import RATED
from clipsonic_eval.records import Comparison
from clipsonic_eval.stats import crossed
from clipsonic_eval.stats.preferences import davidson
from clipsonic_eval.types import Score

PREFERENCE = "preference"
_OUTCOME = {LEFT: 1, EQUAL: 0, RIGHT: -1}


class _Choices(NamedTuple):
    """Answers as arrays: (n,) systems on the left and on the right, outcomes, listeners, queries."""

    names: list[str]
    left: IntArray
    right: IntArray
    outcomes: IntArray
    listeners: IntArray
    queries: IntArray


def preferences(
    plan: ListeningPlan, answers: Iterable[Answer], signature: str, *, n_boot: int, seed: int
) -> tuple[list[Score], list[Comparison]]:
    """Return the strength of every system, log odds of mean zero, and the differences of all pairs.

    ``details`` hold the share of its comparisons that a system won, half of the ties included, how often sides were
    equal, and how often the left one was preferred.

    Args:
        plan: of the test.
        answers: of the listeners who count.
        signature: from :func:`~clipsonic_eval.listening.opinions.head`.
        n_boot: resamples of listeners and queries.
        seed: of the resamples.

    Raises:
        ShapeError: some systems always won or lost, or were not compared with the rest.
    """
    own = [answer for answer in answers if answer.kind == RATED and answer.protocol == PREFERENCE]
    if not own:
        return [], []
    names = [name for name in plan.systems if any(name in answer.systems for answer in own)]
    left, right = (np.array([names.index(answer.systems[side]) for answer in own], np.intp) for side in (0, 1))
    outcomes = np.array([_OUTCOME[answer.answer] for answer in own], np.intp)
    who = crossed.numbered([answer.listener for answer in own])
    what = crossed.numbered([answer.query for answer in own])
    given = _Choices(names, left, right, outcomes, who, what)
    try:
        strengths, _, influence = davidson(left, right, outcomes)
    except ShapeError as error:
        named = ", ".join(f"{number} is '{name}'" for number, name in enumerate(names))
        raise ShapeError(f"{PREFERENCE}: {error} (of the systems, {named})") from None
    scores = []
    for number in range(len(names)):
        low, high = crossed.two_way_interval(float(strengths[number]), influence[:, number], who, what)
        ci = crossed.crossed_bootstrap_interval(
            float(strengths[number]), influence[:, number], who, what, n_boot=n_boot, seed=seed
        )
        details = {"two_way_low": low, "two_way_high": high, **_shares(given, number)}
        score = _score(given, number, float(strengths[number]), details, signature)
        scores.append(replace(score, ci=ci, ci_method=f"bootstrap-listeners-queries-{n_boot}", seed=seed))
    return scores, _comparisons(given, strengths, influence)


def _shares(given: _Choices, number: int) -> dict[str, float]:
    mine = (given.left == number) | (given.right == number)
    won = np.where(given.left[mine] == number, given.outcomes[mine], -given.outcomes[mine])
    return {
        "answers": int(mine.sum()),
        "listeners": len(np.unique(given.listeners[mine])),
        "won": float(np.mean((won + 1) / 2)),
        "equal": float(np.mean(given.outcomes == 0)),
        "left": float(np.mean(given.outcomes == 1)),
    }


def _score(given: _Choices, number: int, value: float, details: dict[str, float], signature: str) -> Score:
    n = len(np.unique(given.queries[(given.left == number) | (given.right == number)]))
    return Score(
        metric=PREFERENCE,
        system=given.names[number],
        value=value,
        ci=None,
        ci_method="none",
        n=n,
        n_rows=int(details["answers"]),
        unit=PROTOCOLS[PREFERENCE].unit,
        higher_is_better=True,
        signature=signed(signature, n),
        details=details,
    )


def _comparisons(given: _Choices, strengths: Float64, influence: Float64) -> list[Comparison]:
    """Return the differences of all pairs of strengths, (k,); influence is (n, k)."""
    found = []
    where = given.listeners, given.queries
    for a, b in combinations(range(len(given.names)), 2):
        difference, parts = float(strengths[a] - strengths[b]), influence[:, a] - influence[:, b]
        p = crossed.two_way_p(difference, parts, *where)
        ci = crossed.two_way_interval(difference, parts, *where)
        n = len(np.unique(given.queries[np.isin(given.left, (a, b)) & np.isin(given.right, (a, b))]))
        names = given.names[a], given.names[b]
        found.append(Comparison(PREFERENCE, *names, difference, ci, p, p, n, "davidson-two-way-t", True))
    return found
