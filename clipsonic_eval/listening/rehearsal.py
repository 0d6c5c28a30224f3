"""Answers of made-up listeners, to try a plan and its analysis before anybody has listened.

An attentive listener's answer is the mean opinion of the system, a level of the listener, a level of the query and
noise, rounded to the scale; he passes every check. A careless one answers at random. The numbers say nothing about the
systems, and records of them say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.errors import ConfigError, unknown_name
from clipsonic_eval.listening.answers import SIMULATED, Answer, accept
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.protocols import EQUAL, LEFT, LOW_PASSED, NOISE, PROTOCOLS, REFERENCE, RIGHT, SHUFFLED
from clipsonic_eval.listening.size import TYPICAL
from clipsonic_eval.listening.trials import HEADPHONES, RATED, SIDES, TONES, Trial
from clipsonic_eval.stats.crossed import VarianceComponents

AVERAGE: Final = 3.0  # mean opinion of a system for which none is given
_CONTROLS: Final = {REFERENCE: 6.5, LOW_PASSED: 2.0, SHUFFLED: 1.0, NOISE: -1.0}
_TIE = 0.3  # of two sounds that are nearer, none is preferred
_A_STEP: Final = 20.0  # points of a slider
_TIME: Final = "2000-01-01T00:00:00+00:00"  # nobody took part
_Choose = Callable[[Trial, str, int], str]


def rehearse(
    plan: ListeningPlan,
    means: Mapping[str, float] | None = None,
    *,
    listeners: int | None = None,
    careless: int = 0,
    components: VarianceComponents = TYPICAL,
    seed: int = 0,
) -> list[Answer]:
    """Make up the answers to a plan.

    Args:
        plan: of the test.
        means: mean opinion by system, 1 to 5; 3 for those not named.
        listeners: their number; None: that of the plan.
        careless: how many of them, the first ones, answer at random.
        components: variances of listeners, queries and the rest.
        seed: of the answers; those of a listener do not depend on how many there are.

    Raises:
        ConfigError: a mean that is none, or more careless listeners than listeners.
        UserError: a system that the plan does not have.
    """
    n = plan.listeners if listeners is None else listeners
    given = dict(means or {})
    for name, mean in given.items():
        if name not in plan.systems:
            raise unknown_name("system", name, plan.systems)
        if not 1 <= mean <= 5:
            raise ConfigError(f"mean opinion of '{name}': {mean:g}; give a number from 1 to 5")
    if n < 1 or not 0 <= careless <= n:
        raise ConfigError(
            f"{careless} careless listeners of {n}; give at least one listener, and no more careless ones"
        )
    levels = {**dict.fromkeys(plan.systems, AVERAGE), **given, **_CONTROLS}
    sd = float(np.sqrt(components.item))
    queries = {one.key: float(seeds.stream(seed, one.key, "rehearsal").normal(0, sd)) for one in plan.queries}
    found: list[Answer] = []
    for number in range(n):
        rng = seeds.stream(seed, str(number), "rehearsal-listener")
        choose = _careless(rng) if number < careless else _attentive(levels, queries, components, rng)
        found += _answers(plan, number, choose, 1.0 if number >= careless else float(rng.uniform(0.3, 1.0)))
    return found


def _answers(plan: ListeningPlan, number: int, choose: _Choose, played: float) -> Iterator[Answer]:
    who = f"{SIMULATED}{number:04d}"
    for trial in plan.trials(number):
        for protocol in trial.protocols:
            for slider in range(len(trial.systems) if _layout(protocol) == "sliders" else 1):
                answer = choose(trial, protocol, slider)
                yield accept(
                    plan, who, number, trial.number, protocol, answer, slider=slider, seconds=5.0, played=played,
                    time=_TIME,
                )  # fmt: skip


def _attentive(
    levels: Mapping[str, float], queries: Mapping[str, float], components: VarianceComponents, rng: np.random.Generator
) -> _Choose:
    """Return how an attentive listener answers; what he hears again he answers as before."""
    own, sd = float(rng.normal(0, np.sqrt(components.listener))), float(np.sqrt(components.rest))
    before: dict[tuple[str, str, tuple[str, ...], int], str] = {}

    def choose(trial: Trial, protocol: str, slider: int) -> str:
        if trial.expected:
            return trial.expected
        key = (protocol, trial.query, trial.systems, slider)
        heard = [levels[name] + queries[trial.query] + own + float(rng.normal(0, sd)) for name in trial.systems]
        answer = before.get(key) or _answer(_layout(protocol), heard, slider)
        if trial.kind == RATED:
            before[key] = answer
        return answer

    return choose


def _answer(layout: str, heard: Sequence[float], slider: int) -> str:
    if layout == "pair":
        return EQUAL if abs(heard[0] - heard[1]) < _TIE else LEFT if heard[0] > heard[1] else RIGHT
    if layout == "sliders":
        return str(round(min(100.0, max(0.0, _A_STEP * heard[slider]))))
    return str(round(min(5.0, max(1.0, heard[slider]))))


def _careless(rng: np.random.Generator) -> _Choose:
    """Return how a careless listener answers."""

    def choose(trial: Trial, protocol: str, slider: int) -> str:
        del trial, slider
        if protocol not in PROTOCOLS:
            return str(rng.choice(TONES if protocol == HEADPHONES else SIDES))
        if _layout(protocol) == "sliders":
            return str(rng.integers(0, 101))
        return str(rng.choice([answer for answer, _ in PROTOCOLS[protocol].scale]))

    return choose


def _layout(protocol: str) -> str:
    return PROTOCOLS[protocol].layout if protocol in PROTOCOLS else ""
