"""Every cross-reference in a docstring (``:func:`~package.name```) names something that exists."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from guide_blocks import ROOT

SOURCES = {"clipsonic_eval": ROOT, "clipsonic": ROOT / "models", "paired_tta": ROOT / "baselines"}
_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`~?((?:clipsonic_eval|clipsonic|paired_tta)[\w.]*)`")


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _names(node: ast.Module | ast.ClassDef) -> Iterator[tuple[str, ast.AST]]:
    for item in ast.walk(node) if isinstance(node, ast.Module) else node.body:
        if isinstance(item, ast.FunctionDef | ast.ClassDef):
            yield item.name, item
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            yield item.target.id, item
        elif isinstance(item, ast.Assign):
            yield from ((target.id, item) for target in item.targets if isinstance(target, ast.Name))
        elif isinstance(item, ast.ImportFrom):
            yield from ((alias.asname or alias.name, item) for alias in item.names)


def _defines(node: ast.AST, parts: Sequence[str]) -> bool:
    if not parts:
        return True
    if not isinstance(node, ast.Module | ast.ClassDef):
        return False
    return any(name == parts[0] and _defines(item, parts[1:]) for name, item in _names(node))


def exists(dotted: str) -> bool:
    """Say whether a module, or a name in one, exists; nothing is imported."""
    package, *parts = dotted.split(".")
    place = SOURCES[package] / package
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    if parts and (place / f"{parts[0]}.py").is_file():
        return _defines(_tree(place / f"{parts[0]}.py"), parts[1:])
    return _defines(_tree(place / "__init__.py"), parts)


@pytest.mark.parametrize(
    ("dotted", "there"),
    [
        ("clipsonic_eval.types", True),
        ("clipsonic_eval.types.Score.value", True),
        ("clipsonic_eval.types.Score.colour", False),
        ("clipsonic_eval.metrics.METRICS", True),
        ("clipsonic_eval.nowhere", False),
    ],
)
def test_names_are_found_without_an_import(dotted: str, there: bool) -> None:
    assert exists(dotted) is there


@pytest.mark.parametrize("package", SOURCES)
def test_every_cross_reference_names_something_that_exists(package: str) -> None:
    files = sorted((SOURCES[package] / package).rglob("*.py"))
    named = {(path, name) for path in files for name in _ROLE.findall(path.read_text(encoding="utf-8"))}
    assert sorted(f"{path.relative_to(ROOT)}: {name}" for path, name in named if not exists(name)) == []
