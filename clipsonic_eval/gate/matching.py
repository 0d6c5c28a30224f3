"""What a limit applies to: systems and metrics of both sides, matched by name; what is missing is refused or noted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clipsonic_eval.bench.quantities import PERCENTILES
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import UserError, listed, unknown_name
from clipsonic_eval.gate.change import RATES, Change
from clipsonic_eval.gate.limits import Limit, Limits
from clipsonic_eval.gate.verdicts import Refusal
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.records import RunRecord
from clipsonic_eval.systems.controls import NOISE, REAL, SHUFFLED
from clipsonic_eval.types import Score

CONTROLS = (REAL, SHUFFLED, NOISE, "reference")  # the same on both sides, or of no interest

Records = Sequence[RunRecord]
Pair = tuple[str, str]


@dataclass(slots=True)
class Matched:
    """Changes that can be judged, and what cannot."""

    changes: list[Change] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refuse(self, sentence: str, system: str = "", limit: Limit | None = None) -> None:
        """Add a refusal, of the whole call where neither system nor limit is given."""
        self.refusals.append(Refusal(system, limit.metric if limit else "", str(limit or ""), sentence))


def pairs_of(candidate: Records, baseline: Records, limits: Limits, systems: Mapping[str, str] | None) -> list[Pair]:
    """Return the systems to compare as (name in the baseline, name in the candidate).

    Args:
        candidate: its records.
        baseline: its records.
        limits: a control is compared only where a limit names it.
        systems: new name by old name; None: equal names.

    Raises:
        UserError: a name is unknown, or the two sides have no system in common.
    """
    old, new = _systems(baseline), _systems(candidate)
    for name in systems or {}:
        if name not in old:
            raise unknown_name("system of the baseline", name, old)
    for name in (systems or {}).values():
        if name not in new:
            raise unknown_name("system of the candidate", name, new)
    if systems:
        return list(systems.items())
    named = {limit.system for limit in limits.limits}
    both = [(name, name) for name in old if name in new and (name in named or name not in CONTROLS)]
    if not both:
        raise UserError(
            f"the two sides have no system in common: the baseline has {listed(old)}, the candidate {listed(new)}; "
            "name a pair with --system OLD=NEW"
        )
    return both


def match(
    candidate: Records, baseline: Records, limits: Limits, pairs: Sequence[Pair], *, all_systems: bool
) -> Matched:
    """Match every limit to the systems and metrics of both sides.

    Args:
        candidate: its records.
        baseline: its records.
        limits: of the call.
        pairs: of :func:`pairs_of`.
        all_systems: the pairs are all systems that both sides have, so that one of the baseline that is in none of
            them has vanished.
    """
    found = Matched()
    if all_systems:
        _vanished_systems(found, candidate, baseline, limits)
    known = {metric for record in (*candidate, *baseline) for metric in record.metric_names}
    for limit in limits.limits:
        before = len(found.changes) + len(found.refusals)
        if limit.metric not in known:
            found.refuse(f"limit '{limit}': {unknown_name('metric', limit.metric, known)}", limit.system, limit)
            continue
        for pair in pairs:
            if limit == limits.of(limit.metric, *pair):
                _match(found, limit, pair, candidate, baseline)
        if len(found.changes) + len(found.refusals) == before:
            found.refuse(f"limit '{limit}': {_why_nothing(limit, pairs)}", limit.system, limit)
    return found


def _match(found: Matched, limit: Limit, pair: Pair, candidate: Records, baseline: Records) -> None:
    """Match one limit to one system."""
    old, new = _scores(baseline, limit.metric, pair[0]), _scores(candidate, limit.metric, pair[1])
    if len(old) == len(baseline) and len(new) == len(candidate):
        durations = "latency" if limit.metric in (*PERCENTILES, *RATES) else limit.metric
        raw = [_scores(baseline, durations, pair[0]), _scores(candidate, durations, pair[1])]
        if len(raw[0]) < len(old) or len(raw[1]) < len(new):
            raw = [old, new]
        interleaved = (
            len(old) == len(new) == 1
            and bool(candidate[0].config.get("interleave"))
            and same_run(candidate[0], baseline[0])
        )
        found.changes.append(Change(limit, *pair, old, new, raw[0], raw[1], interleaved))
    elif old and len(new) < len(candidate):
        found.refuse(
            f"{limit.metric} of '{pair[1]}' has vanished: the baseline has it and {_which(new, candidate)} of the "
            "candidate has not; evaluate it again, its findings may say why it was not computed",
            pair[0],
            limit,
        )
    elif old:
        found.refuse(
            f"{limit.metric} of '{pair[0]}' is missing in {_which(old, baseline)} of the baseline; evaluate it again",
            pair[0],
            limit,
        )
    elif new and limit.system:
        found.refuse(
            f"{limit.metric} of '{pair[0]}' is new, the baseline has none; pin a newer baseline", pair[0], limit
        )
    elif new:
        found.notes.append(f"{limit.metric} of '{pair[1]}' is new in the candidate and was not compared")


def _which(scores: Sequence[Score], side: Records) -> str:
    return "the record" if len(side) == 1 else f"{len(side) - len(scores)} of {len(side)} records"


def _why_nothing(limit: Limit, pairs: Sequence[Pair]) -> str:
    if limit.system and limit.system not in {name for pair in pairs for name in pair}:
        return f"{unknown_name('system', limit.system, {old for old, _ in pairs})}"
    return f"no compared system of the baseline has {limit.metric}; remove the limit, or pin a newer baseline"


def _vanished_systems(found: Matched, candidate: Records, baseline: Records, limits: Limits) -> None:
    """Refuse systems of the baseline that the candidate lacks, where a limit is for them; note those that are new."""
    old, new = _systems(baseline), _systems(candidate)
    for name in old:
        metrics = {score.metric for record in baseline for score in record.scores if score.system == name}
        if name not in new and name not in CONTROLS and any(limits.of(metric, name) for metric in metrics):
            found.refuse(
                f"system '{name}' has vanished: the baseline has it and the candidate has not; evaluate it", name
            )
    fresh = [name for name in new if name not in old and name not in CONTROLS]
    if fresh:
        found.notes.append(f"new in the candidate and not compared: {listed(fresh)}")


def same_run(a: RunRecord, b: RunRecord) -> bool:
    """Return whether two records are of one run; values per clip, which one of them may have lost, aside."""
    return content(a) == content(b)


def content(record: RunRecord) -> str:
    """Return 12 hex digits over what a record says, values per clip and schema version aside."""
    tree = as_tree(dataclasses.replace(record, scores=(), schema_version=0))
    scores = [(s.metric, s.system, repr(s.value), s.signature) for s in record.scores]
    return config_hash({**tree, "scores": scores})


def _systems(side: Records) -> list[str]:
    """Return the systems of any record of a side, in order."""
    return list(dict.fromkeys(name for record in side for name in record.system_names))


def _scores(side: Records, metric: str, system: str) -> tuple[Score, ...]:
    found: Iterable[Score | None] = (record.score(metric, system) for record in side)
    return tuple(score for score in found if score is not None)
