"""The grid of settings: every combination of every system is a point, under a label of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from clipsonic_eval.bench.cases import Target
from clipsonic_eval.errors import ConfigError

SYSTEM_TAG: Final = "system"


@dataclass(frozen=True, slots=True)
class Point:
    """One combination of settings of one system.

    Attributes:
        system: name in tables.
        spec: as :func:`clipsonic_eval.systems.resolve` takes it.
        settings: all that the system gets, those of the grid among them.
        varied: those that differ between the points of the system.
    """

    system: str
    spec: str
    settings: Mapping[str, Any]
    varied: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name of the point in records and of its folder.

        Example:
            >>> Point("ZS", "clipsonic.systems:ZeroShot", {}, {"sampler": "ddim", "guidance": 2.0}).label
            'ZS@sampler-ddim@guidance-2'
        """
        parts = (f"@{name}-{re.sub(r'[^A-Za-z0-9._+-]', '-', shown(value))}" for name, value in self.varied.items())
        return self.system + "".join(parts)

    @property
    def tags(self) -> dict[str, str]:
        """What distinguishes the point from the others, as records carry it."""
        return {SYSTEM_TAG: self.system, **{name: shown(value) for name, value in self.varied.items()}}


def shown(value: Any) -> str:
    """Return the value of a setting as text; ``2`` and ``2.0`` are one value.

    Example:
        >>> shown(2.0), shown("ddim"), shown(True)
        ('2', 'ddim', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def points(targets: Sequence[Target]) -> list[Point]:
    """List the points of all grids, the last setting varying fastest.

    Args:
        targets: systems with the settings that vary.

    Raises:
        ConfigError: there is no system, or two points would have one label.

    Example:
        >>> found = points([Target("my.py:ZS", "ZS", {"model": "m"}, {"steps": (10, 20), "guidance": (2, 4)})])
        >>> [point.label for point in found][:2]
        ['ZS@steps-10@guidance-2', 'ZS@steps-10@guidance-4']
    """
    if not targets:
        raise ConfigError("no system to sweep; give at least one")
    found = []
    for target in targets:
        name = target.name or target.spec.rpartition(":")[2]
        several = {key for key, values in target.grid.items() if len(values) > 1}
        for values in target.points():
            varied = {key: value for key, value in values.items() if key in several}
            found.append(Point(name, target.spec, {**target.settings, **values}, varied))
    labels = [point.label for point in found]
    double = next((label for label in labels if labels.count(label) > 1), None)
    if double is not None:
        raise ConfigError(f"two points of the grid would be called '{double}'; give other names or values")
    return found
