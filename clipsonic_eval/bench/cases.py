"""What is to be measured: targets, the grid of their settings, and the cases that follow from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipsonic_eval.config import apply_sets
from clipsonic_eval.errors import ConfigError

MOST_KEPT = 2000  # durations of a case that a record keeps
LEAST_PAIRS = 3  # pairs of processes behind a comparison in turns


@dataclass(frozen=True, slots=True)
class Target:
    """A system, an encoder or a metric, with its settings and those that vary.

    Attributes:
        spec: a system as ``sample`` takes it, or the name of an encoder or a metric.
        name: in tables; "": the system's own.
        settings: fixed ones, of the request (``batch``, ``length``, …) and of the constructor.
        grid: values of each setting that varies.
    """

    spec: str
    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, values in self.grid.items():
            if not values:
                raise ConfigError(f"--grid {key}: no values; write e.g. {key}=10,20,50")
            if len({repr(value) for value in values}) < len(values):
                raise ConfigError(f"--grid {key}: a value stands twice: {', '.join(map(str, values))}")
            if key in self.settings:
                raise ConfigError(f"{key}: given by --set and by --grid; keep one of the two")

    def points(self) -> Iterator[dict[str, Any]]:
        """Yield every combination of the values that vary."""
        for values in itertools.product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchConfig:
    """What is measured, and how often.

    Attributes:
        targets: at least one.
        processes: fresh processes per case. Times differ more between processes than within one.
        calls: timed requests per process, after the warm-up.
        seconds: no more requests once the timed ones took that long together; at least one is timed.
        queries: table of queries; None: sentences about everyday sounds.
        seed: of the requests; every request has seeds of its own.
        interleave: the first two targets take turns, see :mod:`clipsonic_eval.bench.interleave`.
        rounds: of such a comparison, per pair of processes.
    """

    targets: tuple[Target, ...]
    processes: int = 3
    calls: int = 30
    seconds: float = 60.0
    queries: Path | None = None
    seed: int = 0
    interleave: bool = False
    rounds: int = 10

    def __post_init__(self) -> None:
        if not self.targets:
            raise ConfigError("nothing to measure; name a system, an encoder or a metric")
        if self.processes < 1 or self.calls < 1 or self.rounds < 1:
            raise ConfigError("processes, calls and rounds must be at least 1")
        if self.seconds <= 0:
            raise ConfigError(f"seconds must be above 0, got {self.seconds:g}")
        if self.interleave and (len(self.targets) != 2 or any(len(list(t.points())) > 1 for t in self.targets)):
            raise ConfigError(
                "interleaved are exactly two targets at one point each; name two, without a --grid of several values"
            )
        if self.interleave and self.processes < LEAST_PAIRS:
            raise ConfigError(
                f"a comparison takes at least {LEAST_PAIRS} pairs of processes, got {self.processes}; processes differ "
                "by more than the rounds inside one"
            )


@dataclass(frozen=True, slots=True)
class Case:
    """A target at one point of its grid.

    Attributes:
        target: what is measured.
        point: the values of the settings that vary.
    """

    target: Target
    point: Mapping[str, Any]

    def label(self, name: str) -> str:
        """Return the name of the case in tables: that of the target, and the settings that do vary.

        Example:
            >>> Case(Target("s:S", grid={"steps": (10, 20), "batch": (4,)}), {"steps": 10, "batch": 4}).label("ZS")
            'ZS steps=10'
        """
        varying = (f"{key}={_shown(self.point[key])}" for key, values in self.target.grid.items() if len(values) > 1)
        return " ".join([name, *varying])

    def request(self, config: BenchConfig, process: int) -> dict[str, Any]:
        """Return what a worker is told, JSON-serialisable."""
        return {
            "spec": self.target.spec,
            "name": self.target.name,
            "settings": {**self.target.settings, **self.point},
            "queries": None if config.queries is None else str(config.queries),
            "seed": config.seed + process,
            "calls": config.calls,
            "seconds": config.seconds,
            "kept": MOST_KEPT // config.processes,
        }


def cases(config: BenchConfig) -> list[Case]:
    """Return all cases of a bench, in order."""
    return [Case(target, point) for target in config.targets for point in target.points()]


def named_targets(words: Sequence[str], sets: Sequence[str], grid: Sequence[str]) -> tuple[Target, ...]:
    """Return the targets that a command line names.

    Args:
        words: ``SPEC`` or ``NAME=SPEC`` each.
        sets: ``KEY=VALUE`` for all targets, ``NAME.KEY=VALUE`` for the one of that name.
        grid: the same with several values, ``KEY=VALUE,VALUE,…``.

    Raises:
        ConfigError: an item is not of this form, or a name is given twice.

    Example:
        >>> a, b = named_targets(["A=x:X", "fad"], ["A.model=m"], ["A.steps=10,20"])
        >>> a.settings, a.grid, b.settings, b.grid
        ({'model': 'm'}, {'steps': (10, 20)}, {}, {})
    """
    pairs = [_named(word) for word in words]
    names = [name or spec for name, spec in pairs]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise ConfigError(f"'{twice}' stands twice; give each a name of its own, e.g. A={twice} B={twice}")
    settings, values = apply_sets({}, sets), apply_sets({}, [_listed(item) for item in grid])
    return tuple(
        Target(
            spec,
            name,
            _own(settings, name or spec, names),
            {k: tuple(v) for k, v in _own(values, name or spec, names).items()},
        )
        for name, spec in pairs
    )


def _named(word: str) -> tuple[str, str]:
    name, equals, spec = word.partition("=")
    if not equals:
        return "", word
    if not name or not spec:
        raise ConfigError(f"{word}: expected SPEC or NAME=SPEC, e.g. PD=clipsonic.systems:PriorGuided")
    return name, spec


def _listed(item: str) -> str:
    key, equals, values = item.partition("=")
    if not equals or not key or not values:
        raise ConfigError(f"--grid {item}: expected KEY=VALUE,VALUE,…, e.g. --grid steps=10,20,50")
    return f"{key}=[{values}]"


def _own(tree: Mapping[str, Any], name: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the settings of one target: those for all, and its own section."""
    common = {key: value for key, value in tree.items() if key not in names}
    return {**common, **tree.get(name, {})}


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
