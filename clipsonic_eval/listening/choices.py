"""Preferences: strengths of systems by Davidson's model, as scores and differences."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.listening.answers import Answer
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.protocols import EQUAL, LEFT, PROTOCOLS, RIGHT
from clipsonic_eval.listening.trials import RATED
from clipsonic_eval.records import Comparison
from clipsonic_eval.stats import crossed
from clipsonic_eval.stats.preferences import davidson
from clipsonic_eval.types import Score

PREFERENCE = "preference"
_OUTCOME = {LEFT: 1, EQUAL: 0, RIGHT: -1}


def preferences(
    plan: ListeningPlan, answers: Iterable[Answer], signature: str, *, n_boot: int, seed: int
) -> tuple[list[Score], list[Comparison]]:
    """Return the strength of every system, log odds of mean zero, and the differences of all pairs.

    ``details`` hold the share of its comparisons that a system won, half of the ties included, how often sides were
    equal, and how often the left one was preferred.

    Args:
        plan: of the test.
        answers: of the listeners who count.
        signature: of the numbers, up to n.
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
    try:
        strengths, _, influence = davidson(left, right, outcomes)
    except ShapeError as error:
        named = ", ".join(f"{number} is '{name}'" for number, name in enumerate(names))
        raise ShapeError(f"{PREFERENCE}: {error} (of the systems, {named})") from None
    shares = {"equal": float(np.mean(outcomes == 0)), "left": float(np.mean(outcomes == 1))}
    scores = []
    for number, name in enumerate(names):
        mine = (left == number) | (right == number)
        won = np.where(left[mine] == number, outcomes[mine], -outcomes[mine])
        value, parts = float(strengths[number]), influence[:, number]
        low, high = crossed.two_way_interval(value, parts, who, what)
        n = len(np.unique(what[mine]))
        scores.append(
            Score(
                metric=PREFERENCE,
                system=name,
                value=value,
                ci=crossed.crossed_bootstrap_interval(value, parts, who, what, n_boot=n_boot, seed=seed),
                ci_method=f"bootstrap-listeners-queries-{n_boot}",
                n=n,
                n_rows=int(mine.sum()),
                unit=PROTOCOLS[PREFERENCE].unit,
                higher_is_better=True,
                signature=f"{signature}|n:{n}",
                seed=seed,
                details={
                    "answers": int(mine.sum()),
                    "listeners": len(np.unique(who[mine])),
                    "two_way_low": low,
                    "two_way_high": high,
                    "won": float(np.mean((won + 1) / 2)),
                    **shares,
                },
            )
        )
    compared = []
    for a, b in combinations(range(len(names)), 2):
        difference, parts = float(strengths[a] - strengths[b]), influence[:, a] - influence[:, b]
        p = crossed.two_way_p(difference, parts, who, what)
        ci = crossed.two_way_interval(difference, parts, who, what)
        n = len(np.unique(what[np.isin(left, (a, b)) & np.isin(right, (a, b))]))
        compared.append(Comparison(PREFERENCE, names[a], names[b], difference, ci, p, p, n, "davidson-two-way-t", True))
    return scores, compared
