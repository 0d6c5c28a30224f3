"""Configurations of trainings that come with the packages, found by name, and configurations that extend another.

A configuration may begin from another one: ``extends: vggsound`` (a preset, or a path relative to the file) is read
first, and what stands beside it changes it, section by section.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.config import read_yaml
from clipsonic_eval.errors import ConfigError, unknown_name

_PACKAGES: Final = ("clipsonic", "paired_tta")
_SUFFIXES: Final = (".yaml", ".yml")
_MOST = 8  # configurations in one chain of `extends`


def presets() -> dict[str, Path]:
    """Return the files of the presets by name; no package is imported."""
    found = {}
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            found.update({path.stem: path for path in sorted((Path(folder) / "configs").glob("*.yaml"))})
    return found


def read_training(source: Path, beside: Path | None = None) -> dict[str, Any]:
    """Read the configuration of a training.

    Args:
        source: a YAML file, or the name of a preset.
        beside: folder in which a relative path is looked for; None: the working directory.

    Returns:
        Its settings over those of the configurations that it extends.

    Raises:
        ConfigError: no such file, not readable, or a chain of ``extends`` without an end.
        UserError: no preset has this name.
    """
    tree: dict[str, Any] = {}
    for _ in range(_MOST):
        path = _find(source, beside)
        tree = _over(read_yaml(path), tree)
        extends = tree.pop("extends", None)
        if extends is None:
            return tree
        if not isinstance(extends, str) or not extends:
            raise ConfigError(f"{path}: 'extends' must name one preset or YAML file, got {extends!r}")
        source, beside = Path(extends), path.parent
    raise ConfigError(f"{source}: extends more than {_MOST - 1} others in a row; a chain must end")


def _find(source: Path, beside: Path | None) -> Path:
    path = source if beside is None else beside / source
    if path.is_file() or source.suffix in _SUFFIXES or len(source.parts) > 1:
        return path  # a missing file is the reader's sentence
    known = presets()
    if source.name not in known:
        raise unknown_name("preset or file", source.name, known)
    return known[source.name]


def _over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree with the changes of another one, sections merged."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = _over(result[key], value) if both else value
    return result
