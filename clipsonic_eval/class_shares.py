"""The share of right answers class by class, among the details of a score: ``class/bell`` and ``class_n/bell``.

A mean over twelve classes hides one that is never right. The worst class is the lowest of several noisy shares and lies
below its own expectation for that reason alone; read it with its n.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from clipsonic_eval.types import Score

_SHARE: Final = "class/"
_N: Final = "class_n/"


def details(hits: Mapping[str, float], class_of: Mapping[str, str]) -> dict[str, float]:
    """Return the share of hits and the number of clips of each class, sorted by class, as details of a score.

    Args:
        hits: 1.0 or 0.0 by key.
        class_of: class by key.

    Example:
        >>> details({"a": 1.0, "b": 0.0, "c": 1.0}, {"a": "dog", "b": "dog", "c": "bee"})
        {'class/bee': 1.0, 'class_n/bee': 1.0, 'class/dog': 0.5, 'class_n/dog': 2.0}
    """
    groups: dict[str, list[float]] = {}
    for key, hit in hits.items():
        groups.setdefault(class_of[key], []).append(hit)
    return _written({name: (float(np.mean(group)), len(group)) for name, group in groups.items()})


def shares(score: Score) -> dict[str, tuple[float, int]]:
    """Return by class the share of right answers and the number of clips; nothing for metrics without classes."""
    return {
        name.removeprefix(_SHARE): (share, int(score.details[_N + name.removeprefix(_SHARE)]))
        for name, share in score.details.items()
        if name.startswith(_SHARE)
    }


def worst(score: Score) -> tuple[str, float, int] | None:
    """Return the class of the lowest share, the first by name among equals, with its share and its number of clips."""
    found = [(share, name, n) for name, (share, n) in shares(score).items()]
    if not found:
        return None
    share, name, n = min(found)
    return name, share, n


def worst_by_system(scores: Iterable[Score]) -> dict[str, dict[str, object]]:
    """Return by system the worst class of its class accuracy, its share of right answers, and n, for JSON."""
    found = {s.system: lowest for s in scores if s.metric == "class_accuracy" and (lowest := worst(s)) is not None}
    return {system: {"class": name, "share": share, "n": n} for system, (name, share, n) in found.items()}


def mean(scores: Sequence[Score]) -> dict[str, float]:
    """Return the details of the mean over several scores, e.g. over training seeds: mean share, least n, by class."""
    every = [shares(score) for score in scores]
    common = [name for name in every[0] if all(name in one for one in every)]
    return _written(
        {name: (float(np.mean([one[name][0] for one in every])), min(one[name][1] for one in every)) for name in common}
    )


def _written(found: Mapping[str, tuple[float, int]]) -> dict[str, float]:
    written: dict[str, float] = {}
    for name in sorted(found):
        share, n = found[name]
        written |= {_SHARE + name: share, _N + name: float(n)}
    return written
