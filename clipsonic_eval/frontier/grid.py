"""The grid of settings: every combination of every system is a point, under a label of its own."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from clipsonic_eval.errors import ConfigError

SPEC: Final = "system"  # among the settings of an entry: which system it is
SYSTEM_TAG: Final = "system"
_RESERVED = (SPEC, "name")


@dataclass(frozen=True, slots=True)
class Point:
    """One combination of settings of one system.

    Attributes:
        system: name in tables.
        spec: as :func:`clipsonic_eval.systems.resolve` takes it.
        settings: all that the system gets, those of the grid among them.
        varied: those of the grid.
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


def points(systems: Mapping[str, Mapping[str, Any]], grid: Mapping[str, Sequence[Any]]) -> list[Point]:
    """List the points of a grid, the last setting varying fastest.

    Args:
        systems: by name: the settings of each, and under ``system`` which one it is.
        grid: values by setting, the same for all systems.

    Raises:
        ConfigError: there is no system, one is not named, or a setting has no value, one twice, or may not vary.

    Example:
        >>> found = points({"ZS": {"system": "my.py:ZS"}}, {"steps": [10, 20], "guidance": [2, 4]})
        >>> [point.label for point in found][:2]
        ['ZS@steps-10@guidance-2', 'ZS@steps-10@guidance-4']
    """
    if not systems:
        raise ConfigError("no system to sweep; give at least one")
    for name, values in grid.items():
        texts = [shown(value) for value in values]
        if name in _RESERVED:
            raise ConfigError(f"--grid {name}: '{name}' names the system and does not vary; give several systems")
        if not texts or len(set(texts)) != len(texts):
            raise ConfigError(
                f"--grid {name}: give at least one value and none twice, got {', '.join(texts) or 'none'}"
            )
    found = []
    for system, entry in systems.items():
        settings = dict(entry)
        spec = settings.pop(SPEC, None)
        if not isinstance(spec, str) or not spec:
            raise ConfigError(f"systems.{system}: needs `{SPEC}`, e.g. {SPEC}: clipsonic.systems:ZeroShot")
        for values in itertools.product(*grid.values()):
            varied = dict(zip(grid, values, strict=True))
            found.append(Point(system, spec, {**settings, **varied}, varied))
    labels = [point.label for point in found]
    double = next((label for label in labels if labels.count(label) > 1), None)
    if double is not None:
        raise ConfigError(f"two points of the grid would be called '{double}'; give other values")
    return found
