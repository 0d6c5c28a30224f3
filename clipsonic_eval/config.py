"""Configuration: frozen dataclasses with defaults, overridden by one YAML file, overridden by ``--set a.b=c``.

There is no other source. An unknown key is an error that names the nearest match, values are checked against the type
hints, and the *resolved* configuration is stored in every record and checkpoint.

A number is finite, an integer fits into 64 bits, and a YAML file is bounded: 1 MiB of text, 64 levels, 100,000 nodes
once its aliases are written out (a few lines of aliases of aliases stand for billions).
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import math
import types
import typing
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from clipsonic_eval.errors import ConfigError
from clipsonic_eval.files import read_text

C = TypeVar("C")

_MAX_BYTES = 1 << 20
_MAX_DEPTH = 64
_MAX_NODES = 100_000


class _Loader(yaml.SafeLoader):
    """YAML without surprises: bounded, and no key twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._sizes: dict[int, int] = {}  # of finished nodes, aliases written out

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self._depth == _MAX_DEPTH:
            raise yaml.YAMLError(f"nested more than {_MAX_DEPTH} levels deep")
        self._depth += 1
        alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and id(node) not in self._sizes:
            if alias:
                raise yaml.YAMLError("an alias that holds itself")
            self._sizes[id(node)] = self._size(node)
        return node

    def _size(self, node: yaml.Node) -> int:
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            parts = node.value
        size = 1 + sum(self._sizes[id(part)] for part in parts)
        if size > _MAX_NODES:
            raise yaml.YAMLError(f"more than {_MAX_NODES} nodes once its aliases are written out")
        return size

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise yaml.YAMLError(
                f"key '{twice}' stands twice in one section, in line {node.start_mark.line + 1} or after"
            )
        return super().construct_mapping(node, deep)


def _parsed(text: str) -> Any:
    """Parse YAML within the bounds.

    Raises:
        yaml.YAMLError: not YAML, or beyond the bounds.
    """
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except (ValueError, OverflowError, RecursionError) as error:  # a date in month 13, a number of 5000 digits
        raise yaml.YAMLError(str(error)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Raises:
        ConfigError: the file is missing or no regular one, is no YAML, no mapping, or beyond the bounds.
    """
    text = read_text(path, ConfigError, fix="give a YAML file of settings", limit=_MAX_BYTES)
    try:
        value = _parsed(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not readable as YAML ({str(error).splitlines()[0]})") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: the top level must be a mapping of keys to values, not {type(value).__name__}")
    return value


def apply_sets(tree: Mapping[str, Any], sets: Sequence[str]) -> dict[str, Any]:
    """Return ``tree`` with every ``a.b=c`` applied; the value is read as YAML.

    Raises:
        ConfigError: an item has no ``=``, nests too deep, or goes through something that is not a mapping.
    """
    result = _copy(tree)
    for item in sets:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise ConfigError(f"--set {item}: expected KEY=VALUE, e.g. --set train.steps=2000")
        node = result
        *parents, last = name.split(".")
        if len(parents) >= _MAX_DEPTH:
            raise ConfigError(f"--set {item[:60]}…: more than {_MAX_DEPTH} levels deep")
        for parent in parents:
            child = node.setdefault(parent, {})
            if not isinstance(child, dict):
                raise ConfigError(f"--set {item}: '{parent}' is a value, not a section")
            node = child
        try:
            node[last] = _parsed(text)
        except yaml.YAMLError:
            raise ConfigError(f"--set {item}: the value is not readable as YAML; quote it") from None
    return result


def _copy(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copy(v) if isinstance(v, Mapping) else v for k, v in tree.items()}


class _MissingKeyError(ConfigError):
    """A required key without a value, and how ``--set`` would write it after the place of all settings."""

    def __init__(self, where: str, name: str, form: str) -> None:
        super().__init__(f"{where}: key '{name}' is required")
        self.written = f"{where}.{name}{form}"


def resolve(cls: type[C], values: Mapping[str, Any], *, where: str = "config", by_set: bool = False) -> C:
    """Build a frozen dataclass from a mapping, strictly.

    Args:
        cls: a dataclass; fields may be other dataclasses, scalars, ``X | None``, ``Literal``, tuples and dicts.
        values: what differs from the defaults.
        where: how errors name the place.
        by_set: the values are what ``--set`` of a command gives, and the error about a missing key says so.

    Raises:
        ConfigError: unknown key (with the nearest match), missing key, wrong type, or a value that the
            dataclass' own checks refuse.
    """
    assert dataclasses.is_dataclass(cls)
    missing = dataclasses.MISSING
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    required = [name for name, f in fields.items() if f.default is missing and f.default_factory is missing]
    hints = typing.get_type_hints(cls)
    arguments = _checked(values, {name: hints[name] for name in fields}, required, where, by_set=by_set)
    try:
        return cls(**arguments)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def coerce(config: Any) -> None:
    """Convert the fields of a frozen dataclass to their types: strings to paths, lists to tuples.

    Call it first in ``__post_init__``, so that Python code may give what a YAML file would.

    Raises:
        ConfigError: a value of another type, or not one of the allowed ones; names the field.
    """
    hints = typing.get_type_hints(type(config))
    for spec in dataclasses.fields(config):
        object.__setattr__(config, spec.name, _convert(hints[spec.name], getattr(config, spec.name), spec.name))


def resolve_arguments(
    function: Callable[..., Any],
    values: Mapping[str, Any],
    *,
    where: str,
    given: Collection[str] = (),
    by_set: bool = False,
) -> dict[str, Any]:
    """Check keyword arguments against the signature of a function, as strictly as :func:`resolve` checks a dataclass.

    Args:
        function: a function or class. Values are checked against its type hints; a parameter without one, or with one
            that no configuration can hold (an array, a device), takes any value.
        values: the arguments by name.
        where: how errors name the place.
        given: parameters that the caller supplies itself.
        by_set: as of :func:`resolve`.

    Returns:
        The values, converted to the hinted types; defaults are left to the function.

    Raises:
        ConfigError: unknown name (with the nearest match), missing argument, or wrong type.
    """
    parameters = inspect.signature(function).parameters
    named = {
        name: p
        for name, p in parameters.items()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and name not in given and name != "self"
    }
    try:
        hints = typing.get_type_hints(function.__init__ if inspect.isclass(function) else function)
    except NameError:  # a type that is imported for type checkers only
        hints = {}
    known = {name: hints[name] if _holds(hints.get(name)) else _ANYTHING for name in named}
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        known |= {name: _ANYTHING for name in values if name not in known}
    required = [name for name, p in named.items() if p.default is p.empty]
    return _checked(values, known, required, where, by_set=by_set)


_ANYTHING = object()


def _checked(
    values: Mapping[str, Any], hints: Mapping[str, Any], required: Collection[str], where: str, *, by_set: bool
) -> dict[str, Any]:
    """Return the values converted to their hints; ConfigError where a name is unknown or missing, or a type wrong."""
    try:
        return _fitting(values, hints, required, where)
    except _MissingKeyError as error:
        if by_set:
            raise ConfigError(f"{error}; give it with --set {error.written.removeprefix(f'{where}.')}") from None
        raise


def _fitting(
    values: Mapping[str, Any], hints: Mapping[str, Any], required: Collection[str], where: str
) -> dict[str, Any]:
    arguments = {}
    for key, value in values.items():
        if key not in hints:
            near = difflib.get_close_matches(str(key), list(hints), n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise ConfigError(f"{where}: unknown key '{key}'.{hint} Known: {', '.join(hints) or 'none'}.")
        arguments[key] = value if hints[key] is _ANYTHING else _convert(hints[key], value, f"{where}.{key}")
    for name in required:
        if name not in arguments:
            raise _MissingKeyError(where, name, _form(hints[name]))
    return arguments


def _form(hint: Any) -> str:
    """Return what follows the name of a key where ``--set`` gives it."""
    if dataclasses.is_dataclass(hint) or hint is dict or typing.get_origin(hint) in (dict, Mapping):
        return ".KEY=VALUE"
    return "=PATH" if hint is Path else "=VALUE"


def _holds(hint: Any) -> bool:
    """Return whether a configuration can hold values of a type."""
    if hint in (Any, Path, float, int, str, bool, type(None), Ellipsis, dict) or dataclasses.is_dataclass(hint):
        return True
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType, tuple, dict, Mapping):
        return all(_holds(part) for part in typing.get_args(hint))
    return origin is typing.Literal


# Values are converted here and not by pydantic or OmegaConf: both accept what this must refuse (numbers as text, NaN,
# unknown keys by default) and word errors for programmers. What is left is one branch per kind of type hint, below.


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    args = typing.get_args(hint)
    if hint is Any:
        _refuse_infinite(value, where)
        return value
    if origin in (typing.Union, types.UnionType):
        return _convert_union(args, value, where)
    if origin is typing.Literal:
        if value not in args:
            raise ConfigError(f"{where}: {value!r} is not one of {', '.join(map(repr, args))}")
        return value
    if dataclasses.is_dataclass(hint):
        if isinstance(value, hint):  # type: ignore[arg-type]
            return value
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected a section of keys, got {value!r}")
        return resolve(hint, value, where=where)  # type: ignore[arg-type]
    if origin is tuple:
        return _convert_tuple(args, value, where)
    if origin in (dict, Mapping) or hint is dict:
        if not isinstance(value, Mapping):
            key = where.rpartition(".")[2]
            raise ConfigError(f"{where}: expected a mapping, got {value!r}; set its keys, as {key}.KEY=VALUE")
        inner = args[1] if args else Any
        return {str(k): _convert(inner, v, f"{where}.{k}") for k, v in value.items()}
    return _convert_scalar(hint, value, where)


def _convert_union(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in args:
        return None
    errors = []
    for arg in args:
        if arg is type(None):
            continue
        try:
            return _convert(arg, value, where)
        except ConfigError as error:
            errors.append(error)
    raise errors[-1] from None


def _convert_tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where}: expected a list, got {value!r}")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_convert(args[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if len(args) != len(value):
        raise ConfigError(f"{where}: expected {len(args)} values, got {len(value)}")
    return tuple(_convert(a, v, f"{where}[{i}]") for i, (a, v) in enumerate(zip(args, value, strict=True)))


def _convert_scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is Path and isinstance(value, (str, Path)):
        return Path(value)
    if hint is float and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)  # YAML 1.1 reads 1e-3 as a string
        except ValueError:
            pass
        except OverflowError:
            raise ConfigError(f"{where}: {str(value)[:20]}… is beyond a float") from None
        else:
            _refuse_infinite(number, where)
            return number
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        if not -(2**63) <= value < 2**63:
            raise ConfigError(f"{where}: {str(value)[:20]}… is beyond an integer of 64 bits")
        return value
    if hint in (str, bool) and isinstance(value, hint):
        return value
    name = getattr(hint, "__name__", str(hint))
    raise ConfigError(f"{where}: expected {name}, got {value!r}")


def _refuse_infinite(value: Any, where: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{where}: must be a finite number, got {value}")
    if isinstance(value, Mapping):
        for key, part in value.items():
            _refuse_infinite(part, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for i, part in enumerate(value):
            _refuse_infinite(part, f"{where}[{i}]")


def as_tree(config: Any) -> Any:
    """Return a dataclass as JSON-serialisable nested dicts and lists (paths become strings)."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return {f.name: as_tree(getattr(config, f.name)) for f in dataclasses.fields(config)}
    if isinstance(config, Mapping):
        return {str(k): as_tree(v) for k, v in config.items()}
    if isinstance(config, (list, tuple)):
        return [as_tree(v) for v in config]
    return str(config) if isinstance(config, Path) else config


def portable(tree: Any, names: int = 2) -> Any:
    """Return a configuration without the machine's own places: of an absolute path only the last names are kept.

    Args:
        tree: nested mappings and lists of JSON values.
        names: how many of a path's last names are kept.

    Example:
        >>> portable({"real": "/home/me/data/real", "steps": [100]})
        {'real': 'data/real', 'steps': [100]}
    """
    if isinstance(tree, Mapping):
        return {key: portable(value, names) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [portable(value, names) for value in tree]
    if isinstance(tree, str) and Path(tree).is_absolute():
        return "/".join(Path(tree).parts[-names:]).lstrip("/")
    return tree
