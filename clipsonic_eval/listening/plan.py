"""The plan of a listening test, ``plan.json``: everything that is settled before the first answer.

Systems, queries, the hash of every sound, protocols, checks, rules of exclusion and the seed. A listener's list of
trials is made on demand from his number (:meth:`ListeningPlan.trials`), so the number of listeners may change while the
test runs. The plan's id is a hash of all of it, paths aside; every answer names it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from clipsonic_eval import filenames
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.listening.protocols import (
    LOW_PASSED,
    NOISE,
    PROTOCOLS,
    REFERENCE,
    SHUFFLED,
    ListeningProtocol,
    QueryKind,
)
from clipsonic_eval.listening.trials import SessionPart, Trial, trials
from clipsonic_eval.types import Query

SCHEMA: Final = 1
LOUDNESS_LUFS: Final = -23.0
IMAGE_HASH: Final = "image_sha256"  # attribute of a query whose picture is shown

CHECKS: Final[Mapping[str, int]] = {"headphones": 6, "side": 2, "practice": 2, "trap": 1, "gold": 2, "repeat": 2}
RULES: Final[Mapping[str, float]] = {
    "headphones_right": 5,  # of the tones, at least
    "side_right": 2,
    "trap_right": 1.0,  # share of the traps
    "gold_right": 0.75,  # share of the answers at most one step (20 on sliders) from the known one
    "repeat_distance": 1.5,  # mean distance between the two answers to one trial, in steps
    "too_fast": 0.1,  # share of answers before 80 % was played, at most
    "least_sd": 0.1,  # of the answers, in steps: whoever always answers the same
    "least_answered": 0.5,  # share of the list
}


@dataclass(frozen=True, slots=True)
class Sound:
    """A file and the SHA-256 of its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class ListeningPlan:
    """Everything that is settled before the first answer.

    Attributes:
        query: kind of query that is shown.
        parts: in the order of the session.
        systems: names, in the order of the tables.
        queries: that all systems answered, sorted by key; those with pictures have the attribute :data:`IMAGE_HASH`.
        sounds: by system, ``reference`` among them if there are real recordings, and by key of the query.
        listeners: that the test was planned for; more or fewer may come.
        checks: number by kind, see :data:`CHECKS`; those after the headphones are per part.
        rules: of exclusion, see :data:`RULES`.
        loudness_lufs: that every sound is brought to.
        seed: of the lists.
        run_by: program and name of a test that was run elsewhere; "" for one of ours.
        lists: of that test, by listener; the design and the checks are not ours.
        id: hash over everything but the paths, 12 hex digits.
    """

    query: QueryKind
    parts: tuple[SessionPart, ...]
    systems: tuple[str, ...]
    queries: tuple[Query, ...]
    sounds: Mapping[str, Mapping[str, Sound]]
    listeners: int = 20
    checks: Mapping[str, int] = field(default_factory=lambda: dict(CHECKS))
    rules: Mapping[str, float] = field(default_factory=lambda: dict(RULES))
    loudness_lufs: float = LOUDNESS_LUFS
    seed: int = 0
    run_by: str = ""
    lists: tuple[tuple[Trial, ...], ...] = ()
    id: str = field(init=False)
    _lists: dict[int, tuple[Trial, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", config_hash(self._tree(None)))

    @property
    def protocols(self) -> dict[str, ListeningProtocol]:
        """Protocols by name, in the order in which they are asked."""
        return {name: PROTOCOLS[name] for part in self.parts for name in part.protocols}

    def sources(self, system: str, query: str) -> Sound | None:
        """Return the file that a sound is made from, None for noise; anchors are made from real recordings.

        The shuffled anchor is the recording of the next query, cyclically.
        """
        if system == NOISE:
            return None
        if system == SHUFFLED:
            keys = [one.key for one in self.queries]
            return self.sounds[REFERENCE][keys[(keys.index(query) + 1) % len(keys)]]
        return self.sounds[REFERENCE if system == LOW_PASSED else system][query]

    def conditions(self) -> tuple[str, ...]:
        """Return whose sounds may be heard: the systems, and what checks and sliders need beside them."""
        real = REFERENCE in self.sounds
        sliders = any(PROTOCOLS[name].layout == "sliders" for part in self.parts for name in part.protocols)
        extra = [REFERENCE] if real and (sliders or self.checks["gold"]) else []
        extra += [LOW_PASSED, SHUFFLED] if sliders else []
        extra += [NOISE] if self.checks["gold"] else []
        return (*self.systems, *extra)

    def stimuli(self) -> Iterator[tuple[str, str]]:
        """Yield (condition, query) of every sound that a list may hold."""
        return ((condition, query.key) for condition in self.conditions() for query in self.queries)

    def trials(self, number: int) -> tuple[Trial, ...]:
        """Return a listener's list of trials; see :mod:`clipsonic_eval.listening.trials`.

        Args:
            number: of the listener, from 0.
        """
        if self.run_by:
            return self.lists[number] if number < len(self.lists) else ()
        if number not in self._lists:
            self._lists[number] = trials(self, number)
        return self._lists[number]

    def write(self, path: Path) -> None:
        """Write ``plan.json``; paths become relative to its folder."""
        write_json(path, {**self._tree(path.absolute().parent), "id": self.id})

    def _tree(self, folder: Path | None) -> dict[str, Any]:
        """Return JSON; without a folder, what the id is made of."""

        def sound(one: Sound) -> Any:
            return one.sha256 if folder is None else {"path": _relative(one.path, folder), "sha256": one.sha256}

        def query(one: Query) -> dict[str, Any]:
            image = {"image": _relative(one.image, folder)} if folder is not None and one.image is not None else {}
            return {"key": one.key, "prompt": one.prompt, **image, **one.attributes}

        return {
            "schema": SCHEMA,
            **({"run_by": self.run_by} if self.run_by else {}),
            "query": self.query,
            "seed": self.seed,
            "listeners": self.listeners,
            "loudness_lufs": self.loudness_lufs,
            "parts": [{"protocols": list(part.protocols), "clips": part.clips} for part in self.parts],
            "questions": {name: one.signature(self.query) for name, one in self.protocols.items()},
            "checks": dict(self.checks),
            "rules": dict(self.rules),
            "systems": list(self.systems),
            "queries": [query(one) for one in self.queries],
            "sounds": {name: {key: sound(one) for key, one in by_key.items()} for name, by_key in self.sounds.items()},
        }


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.absolute(), folder)).as_posix()


def _place(folder: Path, relative: str) -> Path:
    return Path(os.path.normpath(folder / relative))


def read(path: Path) -> ListeningPlan:
    """Read a plan.

    Args:
        path: ``plan.json``, or its folder.

    Raises:
        UserError: no such file, not a plan, of another release, or changed since it was made.
    """
    file = path / filenames.PLAN if path.is_dir() else path
    tree = read_json(file, fix="`listen plan` writes it")
    if not isinstance(tree, dict) or "id" not in tree or "parts" not in tree:
        raise UserError(f"{file}: not the plan of a listening test; `listen plan` writes one")
    if tree.get("schema") != SCHEMA:
        raise UserError(
            f"{file}: schema {tree.get('schema')}, and this release reads {SCHEMA}; use the one that wrote it"
        )
    folder = file.absolute().parent
    try:
        plan = ListeningPlan(
            query=tree["query"],
            parts=tuple(SessionPart(tuple(part["protocols"]), part["clips"]) for part in tree["parts"]),
            systems=tuple(tree["systems"]),
            queries=tuple(
                Query(
                    q["key"],
                    q["prompt"],
                    _place(folder, q["image"]) if "image" in q else None,
                    attributes={IMAGE_HASH: q[IMAGE_HASH]} if IMAGE_HASH in q else {},
                )
                for q in tree["queries"]
            ),
            sounds={
                name: {key: Sound(_place(folder, one["path"]), one["sha256"]) for key, one in by_key.items()}
                for name, by_key in tree["sounds"].items()
            },
            **{name: tree[name] for name in ("listeners", "checks", "rules", "loudness_lufs", "seed")},
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{file}: not a plan of schema {SCHEMA} ({type(error).__name__}: {error}); it was edited or damaged, write "
            "it again with `listen plan`"
        ) from None
    if plan.id != tree["id"]:
        raise UserError(
            f"{file}: was changed after it was made (its id is {tree['id']}, its contents have {plan.id}); a plan is "
            "fixed before the first answer: take the original, or make a new plan with `listen plan`"
        )
    return plan
