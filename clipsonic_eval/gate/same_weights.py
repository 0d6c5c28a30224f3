"""Equality of the numbers of one model under other code, and the stage that moved them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clipsonic_eval.gate.change import Change
from clipsonic_eval.gate.verdicts import Outcome, Verdict
from clipsonic_eval.metric_cards import card_of
from clipsonic_eval.records import RunRecord

TOLERANCE = 1e-6  # relative
_WHAT = {"clipsonic_eval": "clipsonic-eval", "cpu_count": "CPUs"}
_TOLD = ("clipsonic_eval", "commit", "python", "platform", "processor", "accelerator", "cpu_count")


def equality(change: Change, candidate: RunRecord, baseline: RunRecord) -> Verdict:
    """Return whether a number is the same to :data:`TOLERANCE`; where it is not, which stage moved it.

    Args:
        change: of one record a side.
        candidate: its record.
        baseline: its record.
    """
    old, new = change.baseline, change.candidate
    apart = abs(new - old) / (max(abs(old), abs(new)) or 1.0)
    if apart > TOLERANCE:
        stage = moved_stage(change, candidate, baseline)
        said = f"numerics moved: {change.name} by {apart:.2g} of its value ({old:.9g} to {new:.9g}); {stage}"
    else:
        said = f"{change.name} is equal to {TOLERANCE:g} of its value"
    outcome: Outcome = "worse" if apart > TOLERANCE else "not worse"
    return Verdict(
        change.system, change.metric, str(change.limit), "same weights", outcome, old, new, margin=0.0, sentence=said
    )


def moved_stage(change: Change, candidate: RunRecord, baseline: RunRecord) -> str:
    """Return which stage differs first, as part of a sentence: the wavs, the embeddings or the score."""
    old, new = baseline.hashes, candidate.hashes
    system = old.get(change.system, {}), new.get(change.renamed, {})
    if not all(system):
        return "which stage moved it is not known, since a record was written before records held hashes of stages"
    if _differ(*system, "wavs"):
        return "the wavs differ already, so it is the system's sampling that moved"
    card = card_of(change.metric)
    roles = [f"embeddings/{card.role}"] if card is not None and "/" not in change.metric else []
    stages = [stage for stage in roles if stage in system[0]] or [s for s in system[0] if s != "wavs"]
    for stage in stages:
        if _differ(*system, stage):
            return f"the wavs are equal and the {_named(stage)} differ, so it is the encoder that moved"
    for other in ("reference", "real", "prompts", "images"):
        sets = old.get(other, {}), new.get(other, {})
        moved = [stage for stage in sets[0] if _differ(*sets, stage)]
        if moved:
            return f"the system's wavs and embeddings are equal and the {_named(moved[0])} of '{other}' differ"
    return "the wavs and the embeddings are equal, so it is the score that moved"


def _differ(old: Mapping[str, str], new: Mapping[str, str], stage: str) -> bool:
    return old.get(stage) != new.get(stage)


def _named(stage: str) -> str:
    name, _, role = stage.partition("/")
    return f"{name} ({role})" if role else name


def software(candidate: RunRecord, baseline: RunRecord) -> str:
    """Return what differs between the code and the machines of two records, "" where nothing does.

    Example:
        >>> a = RunRecord("evaluate", (), provenance={"packages": {"torch": "2.5.1"}, "python": "3.11.9"})
        >>> b = RunRecord("evaluate", (), provenance={"packages": {"torch": "2.6.0"}, "python": "3.11.9"})
        >>> software(b, a)
        'torch 2.5.1 to 2.6.0'
    """
    return ", ".join(_changed(dict(_parts(baseline.provenance)), dict(_parts(candidate.provenance))))


def _parts(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _TOLD:
        if provenance.get(name) is not None:
            yield _WHAT.get(name, name), str(provenance[name])[:12] if name == "commit" else str(provenance[name])
    yield from ((name, str(version)) for name, version in (provenance.get("packages") or {}).items())


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield f"{name} {old.get(name, 'none')} to {new.get(name, 'none')}"
