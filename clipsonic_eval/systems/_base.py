"""The interface of a system, the registry of installed systems, and how a system is built from its name."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Protocol

from clipsonic_eval import hashing
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.config import as_tree, resolve_arguments
from clipsonic_eval.config import resolve as resolve_config
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.locate import locate
from clipsonic_eval.registry import Registry
from clipsonic_eval.types import Query


class System(Protocol):
    """A text-to-audio system. The audio of a query depends on the query and its seed only, never on the batch."""

    @property
    def name(self) -> str:
        """Name in tables and figures."""
        ...

    @property
    def sample_rate(self) -> int:
        """Sample rate of the output, Hz."""
        ...

    def card(self) -> dict[str, Any]:
        """Return everything the results depend on, JSON-serialisable, without paths."""
        ...

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Generate audio for a batch of queries.

        Args:
            queries: b queries.
            seeds: b seeds, one per query.

        Returns:
            b mono waveforms, (n,) float32 in [-1, 1] each.

        Raises:
            UserError: a query cannot be answered (no image, an unreadable file). The caller then passes the queries one
                by one and skips those that fail.
        """
        ...


def _generates(thing: Any) -> bool:
    return callable(getattr(thing, "generate", None))


SYSTEMS: Registry[Any] = Registry("system", "clipsonic_eval.systems", accepts=_generates)


class _WithCard:
    """A system without a ``card()``, with one made from its source file and settings."""

    def __init__(self, system: Any, settings: Mapping[str, Any]) -> None:
        self._system, self._settings = system, settings
        self.name = str(system.name)
        self.sample_rate = int(system.sample_rate)

    def card(self) -> dict[str, Any]:
        """Return the name of the class, the hash of the file that defines it, and the settings."""
        kind = self._system if inspect.isclass(self._system) else type(self._system)
        source = inspect.getsourcefile(kind)
        digest = hashing.file_sha256(Path(source)) if source else ""
        return {"kind": kind.__qualname__, "source_sha256": digest, "settings": as_tree(self._settings)}

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Generate one waveform (n,) float32 per query by the system, see :meth:`System.generate`."""
        return list(self._system.generate(queries, seeds))


def resolve(spec: str, settings: Mapping[str, Any] | None = None) -> System:
    """Build a system from its name and settings.

    Args:
        spec: ``module:Class``, ``file.py:Class``, a folder of wavs, or the name of an entry point of the group
            ``clipsonic_eval.systems``.
        settings: the arguments of its constructor, or the fields of the dataclass that the constructor takes as its
            only argument. Unknown names are errors, and values are checked against type hints.

    Raises:
        UserError: nothing has this name, it takes no such setting, or the object is not a system.

    Example:
        >>> from clipsonic_eval.types import Query
        >>> system = resolve("clipsonic_eval.systems.controls:Noise", {"duration_s": 0.5, "rms": 0.2})
        >>> (audio,) = system.generate([Query("dog-1", "a dog barks")], seeds=[0])
        >>> audio.shape, system.sample_rate
        ((8000,), 16000)
    """
    settings = dict(settings or {})
    if Path(spec).is_dir():
        from clipsonic_eval.systems.folder import FolderOfWavs

        folder: System = _built(FolderOfWavs, {"folder": spec, **settings}, spec)
        return folder
    if spec in SYSTEMS or spec in SYSTEMS.broken():
        found = SYSTEMS[spec]
    elif ":" in spec:
        found = locate(spec, "system", _generates)
    else:
        raise UserError(
            f"'{spec}': neither a folder of wavs nor MODULE:CLASS nor FILE.py:CLASS, e.g. clipsonic.systems:ZeroShot, "
            "nor the name of an installed system; `clipsonic-eval ls systems` lists them"
        )
    if not callable(found) and settings:
        raise ConfigError(f"{spec}: takes no settings, got '{next(iter(settings))}'; name its class, not an instance")
    system = _built(found, settings, spec) if callable(found) else found
    _check(system, spec)
    return system if callable(getattr(system, "card", None)) else _WithCard(system, settings)


def _built(factory: Any, settings: dict[str, Any], spec: str) -> Any:
    config = _config_class(factory)
    if config is not None:
        return factory(resolve_config(config, settings, where=spec, by_set=True))
    arguments = resolve_arguments(factory, settings, where=spec, by_set=True)
    try:
        return factory(**arguments)
    except ConfigError as error:
        raise ConfigError(f"{spec}: {error}") from None


def _config_class(factory: Any) -> Any:
    """Return the dataclass that a constructor takes as its only argument, or None."""
    parameters = list(inspect.signature(factory).parameters)
    if len(parameters) != 1:
        return None
    function = factory.__init__ if inspect.isclass(factory) else factory
    hint = typing.get_type_hints(function).get(parameters[0])
    return hint if inspect.isclass(hint) and is_dataclass(hint) else None


def _check(system: Any, spec: str) -> None:
    missing = []
    if not isinstance(getattr(system, "name", None), str):
        missing.append("a text `name`")
    rate = getattr(system, "sample_rate", None)
    if not isinstance(rate, int) or isinstance(rate, bool) or rate <= 0:
        missing.append("a whole `sample_rate` in Hz")
    if not _generates(system):
        missing.append("a method `generate(queries, seeds)`")
    if missing:
        raise UserError(
            f"'{spec}' is not a system: it lacks {' and '.join(missing)}; "
            "see clipsonic_eval/systems/__init__.py for the interface"
        )
