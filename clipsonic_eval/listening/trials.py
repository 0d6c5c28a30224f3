"""A listener's list of trials: the design, and the checks between its trials."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.listening import design
from clipsonic_eval.listening.protocols import LEFT, LOW_PASSED, NOISE, PROTOCOLS, REFERENCE, RIGHT, SHUFFLED, Layout
from clipsonic_eval.types import Query

# kinds of trials
HEADPHONES: Final = "headphones"  # three tones, one is softer; one is in antiphase, which loudspeakers cancel
SIDE: Final = "side"  # a tone on the left or the right
PRACTICE: Final = "practice"  # at the beginning of a part, not evaluated
RATED: Final = "rated"
TRAP: Final = "trap"  # a written instruction in place of the question: choose this answer
GOLD: Final = "gold"  # real recording or noise: the answer is known
REPEAT: Final = "repeat"  # of an earlier trial
TONES: Final = ("1", "2", "3")
SIDES: Final = ("left", "right")

_Heard = tuple[str, tuple[str, ...]]  # query and systems of a trial
_BEST: Final[dict[Layout, str]] = {"rating": "5", "sliders": "100"}
_WORST: Final[dict[Layout, str]] = {"rating": "1", "sliders": "0"}


@dataclass(frozen=True, slots=True)
class SessionPart:
    """A part of the test: protocols asked about the same sounds, and how many trials a listener has at most."""

    protocols: tuple[str, ...]
    clips: int


class _Settled(Protocol):
    """What the lists depend on, of a plan."""

    @property
    def seed(self) -> int: ...
    @property
    def parts(self) -> tuple[SessionPart, ...]: ...
    @property
    def systems(self) -> tuple[str, ...]: ...
    @property
    def queries(self) -> tuple[Query, ...]: ...
    @property
    def sounds(self) -> Collection[str]: ...
    @property
    def checks(self) -> Mapping[str, int]: ...


class Trial(NamedTuple):
    """One trial of a listener's list.

    Attributes:
        number: place in the list, from 0.
        part: index among the plan's parts; −1 before the first.
        kind: ``rated``, ``practice``, ``trap``, ``gold``, ``repeat``, ``headphones`` or ``side``.
        protocols: asked one after the other about the same sound; of the checks of headphones, the kind.
        query: key; "" for the checks of headphones.
        systems: whose sounds are heard, from left to right or from the top.
        expected: answer of a check that has a right one, else "".
        repeats: number of the trial that this one repeats, else −1.
    """

    number: int
    part: int
    kind: str
    protocols: tuple[str, ...]
    query: str = ""
    systems: tuple[str, ...] = ()
    expected: str = ""
    repeats: int = -1


def trials(plan: _Settled, number: int) -> tuple[Trial, ...]:
    """Return a listener's list of trials.

    Args:
        plan: of the test.
        number: of the listener, from 0; the list depends on nothing else.
    """
    rng = seeds.stream(plan.seed, str(number), "listening-checks")
    found = [
        *(
            Trial(0, -1, HEADPHONES, (HEADPHONES,), expected=str(rng.choice(TONES)))
            for _ in range(plan.checks[HEADPHONES])
        ),
        *(Trial(0, -1, SIDE, (SIDE,), expected=SIDES[side]) for side in _sides(plan.checks[SIDE], rng)),
    ]
    for index, part in enumerate(plan.parts):
        own = [Trial(0, index, RATED, part.protocols, query, systems) for query, systems in rated(plan, index, number)]
        found += _practice(plan, part, index, own, rng)
        found += _with_checks(plan, part, index, own, rng, start=len(found))
    return tuple(trial._replace(number=place) for place, trial in enumerate(found))


def rated(plan: _Settled, index: int, number: int) -> list[_Heard]:
    """Return the trials of a part that are evaluated: (query, systems) in the order of presentation.

    Args:
        plan: of the test.
        index: of the part.
        number: of the listener.
    """
    part = plan.parts[index]
    seed = seeds.derive(plan.seed, str(index), "listening-part")
    keys = [query.key for query in plan.queries]
    blocks = design.n_blocks(len(keys), part.clips)
    layout = PROTOCOLS[part.protocols[0]].layout
    if layout == "rating":
        heard = design.block(number, len(plan.systems), len(keys), blocks, seed)
        ordered = design.in_williams_order(heard, number, len(plan.systems))
        return [(keys[query], (plan.systems[system],)) for query, system in ordered]
    if layout == "pair":
        pairs = design.ordered_pairs(len(plan.systems))
        heard = design.block(number, len(pairs), len(keys), blocks, seed)
        return [(keys[query], tuple(plan.systems[one] for one in pairs[pair])) for query, pair in heard]
    conditions = (*plan.systems, REFERENCE, LOW_PASSED, SHUFFLED)
    heard = design.block(number, 1, len(keys), blocks, seed)
    rows = [design.williams_row(len(conditions), number + place) for place in range(len(heard))]
    return [(keys[query], tuple(conditions[i] for i in row)) for (query, _), row in zip(heard, rows, strict=True)]


def _sides(n: int, rng: np.random.Generator) -> list[int]:
    """Return as many zeros as ones, in random order."""
    return [int(side) for side in rng.permutation([i % 2 for i in range(n)])]


def _practice(plan: _Settled, part: SessionPart, index: int, own: list[Trial], rng: np.random.Generator) -> list[Trial]:
    """Return trials on queries that are not in the listener's list, as far as there are such."""
    heard = {trial.query for trial in own}
    free = [query.key for query in plan.queries if query.key not in heard] or [query.key for query in plan.queries]
    chosen = rng.choice(len(free), size=min(plan.checks[PRACTICE], len(free)), replace=False)
    alike = rng.choice(len(own), size=len(chosen))
    return [
        Trial(0, index, PRACTICE, part.protocols, free[query], own[like].systems)
        for query, like in zip(chosen, alike, strict=True)
    ]


def _with_checks(
    plan: _Settled, part: SessionPart, index: int, own: list[Trial], rng: np.random.Generator, start: int
) -> list[Trial]:
    """Put traps, known answers and repeats between the trials of a part; no check stands first.

    Args:
        plan: of the test.
        part: of it.
        index: of the part.
        own: trials that are evaluated.
        rng: of the listener.
        start: number of the first trial.
    """
    layout = PROTOCOLS[part.protocols[0]].layout
    places: list[tuple[float, Trial]] = [(float(i), trial) for i, trial in enumerate(own)]
    if layout != "sliders":  # their hidden reference is a known answer in every trial, and a trap would have many
        checks = [_trap(part, index, own, rng) for _ in range(plan.checks[TRAP])]
        checks += [_gold(plan, part, index, bool(i % 2), rng) for i in range(plan.checks[GOLD])]
        places += [(float(rng.uniform(0, len(own))), check) for check in checks]
    early = rng.permutation(max(1, len(own) // 2))[: plan.checks[REPEAT] if len(own) > 3 else 0]
    for original in early:  # at least half a list later
        place = float(rng.uniform(original + len(own) / 2, len(own)))
        places.append((place, own[original]._replace(kind=REPEAT, repeats=int(original))))
    ordered = [trial for _, trial in sorted(places, key=lambda found: found[0])]
    at = {trial.query: start + place for place, trial in enumerate(ordered) if trial.kind == RATED}
    return [trial._replace(repeats=at[trial.query]) if trial.kind == REPEAT else trial for trial in ordered]


def _trap(part: SessionPart, index: int, own: list[Trial], rng: np.random.Generator) -> Trial:
    like = own[int(rng.integers(len(own)))]
    answers = [answer for answer, _ in PROTOCOLS[part.protocols[0]].scale]
    return like._replace(kind=TRAP, protocols=part.protocols[:1], part=index, expected=str(rng.choice(answers)))


def _gold(plan: _Settled, part: SessionPart, index: int, noise: bool, rng: np.random.Generator) -> Trial:
    """Return a trial whose answer is known: a real recording, noise, or one against the other."""
    query = plan.queries[int(rng.integers(len(plan.queries)))].key
    layout = PROTOCOLS[part.protocols[0]].layout
    real = REFERENCE in plan.sounds
    if layout == "pair":
        other = REFERENCE if real else plan.systems[int(rng.integers(len(plan.systems)))]
        first = (other, NOISE) if rng.integers(2) else (NOISE, other)
        return Trial(0, index, GOLD, part.protocols, query, first, LEFT if first[1] == NOISE else RIGHT)
    if noise or not real:
        return Trial(0, index, GOLD, part.protocols, query, (NOISE,), _WORST[layout])
    return Trial(0, index, GOLD, part.protocols, query, (REFERENCE,), _BEST[layout])
