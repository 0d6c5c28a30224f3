"""``clipsonic-eval ls``: what there is to choose from."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from clipsonic_eval.cli._options import json_option
from clipsonic_eval.registry import Registry

_KINDS = ("encoders", "metrics", "conventions", "datasets", "systems")


@click.command("ls")
@click.argument("kind", required=False, type=click.Choice(_KINDS))
@json_option()
def command(kind: str | None, as_json: bool) -> None:
    """List encoders, metrics, conventions, datasets or systems, one line each; without an argument, all of them."""
    found = {k: dict(_entries(k)) for k in ([kind] if kind else _KINDS)}
    if as_json:
        click.echo(json.dumps(found[kind] if kind else found, ensure_ascii=False))
        return
    for name, entries in found.items():
        if not kind:
            click.echo(f"{name}:")
        width = max((len(n) for n in entries), default=0)
        for entry, line in sorted(entries.items()):
            margin = "" if kind else "  "
            text = line.replace("\n", f"\n{margin}{' ' * width}  ")
            click.echo(f"{margin}{entry.ljust(width)}  {text}".rstrip())


def _entries(kind: str) -> Iterator[tuple[str, str]]:
    if kind == "encoders":
        from clipsonic_eval.encoders import ENCODERS

        yield from ((name, _first_line(ENCODERS[name].__doc__) + _origin(ENCODERS, name)) for name in ENCODERS)
    elif kind == "metrics":
        from clipsonic_eval.metrics import METRICS

        for name in METRICS:
            card = METRICS[name].card
            direction = "higher" if card.higher_is_better else "lower"
            needs = f", needs {', '.join(card.needs)}" if card.needs else ""
            text = f"{card.title}: {card.description} ({card.unit}, {direction} is better{needs}); {card.source}"
            yield name, text + _origin(METRICS, name)
    elif kind == "conventions":
        from clipsonic_eval.conventions import CONVENTIONS

        yield from ((name, CONVENTIONS[name].summary + _origin(CONVENTIONS, name)) for name in CONVENTIONS)
    elif kind == "datasets":
        from clipsonic_eval.datasets import DATASETS

        yield from ((name, DATASETS[name].description + _origin(DATASETS, name)) for name in DATASETS)
    else:
        from clipsonic_eval.systems import SYSTEMS

        yield from _systems()
        yield from ((name, _first_line(SYSTEMS[name].__doc__) + _origin(SYSTEMS, name)) for name in SYSTEMS)


def _origin(registry: Registry[Any], name: str) -> str:
    """Return from which distribution an entry comes, as the end of its line; "" for our own."""
    origin = registry.origin(name)
    return f" (from {origin})" if origin else ""


def _systems() -> Iterator[tuple[str, str]]:
    """List the systems in the project's own packages by reading their files; none is imported.

    A system is a class with ``generate``, its own or inherited. A class that only others inherit ``generate`` from is
    their base, not a system.
    """
    found = dict(_classes())
    bases = {name: [b.id for b in node.bases if isinstance(b, ast.Name)] for name, (_, node) in found.items()}
    inherited = {base for names in bases.values() for base in names}

    def generates(name: str) -> bool:
        return name in found and (_defines(found[name][1], "generate") or any(map(generates, bases[name])))

    for name, (module, node) in found.items():
        is_base = name in inherited and _defines(node, "generate")
        if generates(name) and not is_base and "Protocol" not in bases[name]:
            yield f"{module}:{name}", _first_line(ast.get_docstring(node))


def _classes() -> Iterator[tuple[str, tuple[str, ast.ClassDef]]]:
    """Yield name, module and syntax of the classes of ``systems.py``, or of the files in ``systems/``."""
    for package in ("clipsonic_eval", "clipsonic", "paired_tta"):
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            continue
        root = Path(spec.origin).parent
        for file in [root / "systems.py", *sorted((root / "systems").glob("[!_]*.py"))]:
            if not file.is_file():
                continue
            module = ".".join([package, *file.relative_to(root).with_suffix("").parts])
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef):
                    yield node.name, (module, node)


def _defines(node: ast.ClassDef, method: str) -> bool:
    return any(isinstance(item, ast.FunctionDef) and item.name == method for item in node.body)


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
