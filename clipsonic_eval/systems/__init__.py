"""Systems: what makes sound from queries. The harness imports none of them; it meets them as strings.

A string names a class, ``package.module:Name`` or ``path/to/file.py:Name``, or a folder of wavs, ``<key>.wav`` each.
A class is all that a system of one's own needs::

    class MySystem:
        name = "mine"
        sample_rate = 16000

        def generate(self, queries, seeds):  # -> one (n,) float32 array in [-1, 1] per query
            return [my_model(q.prompt, seed) for q, seed in zip(queries, seeds)]

An optional ``card()`` returns what its results depend on (weights' hashes, settings), as JSON-serialisable values.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from clipsonic_eval import config as configuration
from clipsonic_eval import hashing
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.locate import locate
from clipsonic_eval.types import Query


class System(Protocol):
    """What makes sound from queries. The sound of a query follows from the query and its seed, never from the batch."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    @property
    def sample_rate(self) -> int:
        """Hz of what :meth:`generate` returns."""
        ...

    def card(self) -> dict[str, Any]:
        """Return everything that its results depend on, JSON-serialisable, without paths."""
        ...

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Return one mono waveform (n,) float32 in [-1, 1] for each query.

        Raises:
            UserError: a query cannot be answered (no picture, an unreadable file). The caller then asks for the queries
                one by one and leaves out those that fail.
        """
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Carded:
    """A system that says nothing about itself, with a card made from its source file and its settings."""

    system: Any
    spec: str
    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The system's own name."""
        return str(self.system.name)

    @property
    def sample_rate(self) -> int:
        """The system's own rate, Hz."""
        return int(self.system.sample_rate)

    def card(self) -> dict[str, Any]:
        """Return the class' name, the hash of the file that defines it, and the settings."""
        kind = self.system if inspect.isclass(self.system) else type(self.system)
        source = inspect.getsourcefile(kind)
        digest = hashing.file_sha256(Path(source)) if source else ""
        return {
            "kind": kind.__qualname__,
            "source_sha256": digest,
            "settings": configuration.as_tree(dict(self.settings)),
        }

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Ask the system."""
        return list(self.system.generate(queries, seeds))


def resolve(spec: str, settings: Mapping[str, Any] | None = None) -> System:
    """Build the system that a string names.

    Args:
        spec: ``module:Class``, ``file.py:Class``, or a folder of wavs.
        settings: its configuration. A class whose constructor takes one dataclass gets it strictly resolved (unknown
            keys are errors); any other class gets the settings as keywords.

    Raises:
        UserError: nothing of that name, a setting that it does not take, or an object that is no system.
    """
    settings = dict(settings or {})
    if Path(spec).is_dir():
        from clipsonic_eval.systems.folder import FolderOfWavs, FolderOfWavsConfig

        return FolderOfWavs(configuration.resolve(FolderOfWavsConfig, {"folder": spec, **settings}, where=spec))
    if ":" not in spec:
        raise UserError(
            f"'{spec}': neither a folder of wavs nor MODULE:CLASS nor FILE.py:CLASS, e.g. clipsonic.systems:ZeroShot"
        )
    found = locate(spec, "system", _generates)
    system = _built(found, settings, spec) if callable(found) else found
    _check(system, spec)
    return system if callable(getattr(system, "card", None)) else Carded(system, spec, settings)


def _generates(thing: Any) -> bool:
    return callable(getattr(thing, "generate", None))


def _built(factory: Any, settings: dict[str, Any], spec: str) -> Any:
    parameters = list(inspect.signature(factory).parameters.values())
    config = _config_class(factory, parameters)
    if config is not None:
        return factory(configuration.resolve(config, settings, where=spec))
    named = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY)}
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for key in settings:
            if key not in named:
                near = difflib.get_close_matches(key, named, n=1)
                hint = f" Did you mean '{near[0]}'?" if near else ""
                known = ", ".join(sorted(named)) or "none"
                raise ConfigError(f"{spec}: takes no setting '{key}'.{hint} It takes: {known}.")
    for p in parameters:
        if p.name in named and p.default is p.empty and p.name not in settings:
            raise ConfigError(f"{spec}: setting '{p.name}' is required; give it with --set {p.name}=VALUE")
    return factory(**settings)


def _config_class(factory: Any, parameters: list[inspect.Parameter]) -> Any:
    """Return the dataclass that a constructor takes as its only argument, or None."""
    if len(parameters) != 1:
        return None
    function = factory.__init__ if inspect.isclass(factory) else factory
    hint = typing.get_type_hints(function).get(parameters[0].name)
    return hint if inspect.isclass(hint) and dataclasses.is_dataclass(hint) else None


def _check(system: Any, spec: str) -> None:
    faults = []
    if not isinstance(getattr(system, "name", None), str):
        faults.append("a text `name`")
    rate = getattr(system, "sample_rate", None)
    if not isinstance(rate, int) or isinstance(rate, bool) or rate <= 0:
        faults.append("a whole `sample_rate` in Hz")
    if not _generates(system):
        faults.append("a method `generate(queries, seeds)`")
    if faults:
        raise UserError(
            f"'{spec}' is no system: it lacks {' and '.join(faults)}; "
            "see clipsonic_eval/systems/__init__.py for what one is"
        )
