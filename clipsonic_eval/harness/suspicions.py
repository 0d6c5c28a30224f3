"""What looks wrong with the sets of an evaluation, before anybody believes its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from clipsonic_eval.harness import sound_levels
from clipsonic_eval.harness.embedding import Embedded
from clipsonic_eval.metrics import Metric, SetMetric, sanity
from clipsonic_eval.types import Finding


def of_set(
    embedded: Embedded,
    measures: Iterable[Metric],
    *,
    reference: Embedded | None = None,
    training: Embedded | None = None,
) -> tuple[Finding, ...]:
    """Return the findings of one set: its sound, copies within it, too few clips, copies of training clips.

    Copies are looked for in the space of the first metric; rows are counted in the spaces whose covariance is fitted.
    """
    found = _grouped(sound_levels.findings(embedded.spaces[sound_levels.ROLE]))
    fitted = {m.card.role for m in measures if isinstance(m, SetMetric) and m.fits_covariance}
    found += [one for role in sorted(fitted) for one in sanity.few(embedded.spaces[role])]
    role = space_of(embedded.spaces)
    found += sanity.duplicates(embedded.spaces[role])
    if training is not None and reference is not None:
        spaces = (training.spaces[role], reference.spaces[role])
        found += sanity.memorised(embedded.spaces[role], *spaces)
    return tuple(found)


def space_of(spaces: Mapping[str, object]) -> str:
    """Return the role in whose space copies are looked for: the first one that is an encoder's."""
    return next(role for role in spaces if role != sound_levels.ROLE)


def _grouped(findings: Iterable[Finding]) -> list[Finding]:
    """Return one finding for each kind of fault, with the keys of all clips that have it."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.check, finding.severity), []).append(finding)
    return [_one(group) for group in groups.values()]


def _one(group: Sequence[Finding]) -> Finding:
    first = group[0]
    if len(group) == 1:
        return first
    keys = tuple(sorted(key for finding in group for key in finding.keys))
    return Finding(first.check, first.severity, keys, f"{first.sentence} ({len(group) - 1} other clips likewise)")
