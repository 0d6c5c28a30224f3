"""Assembles the sources of the documentation site: guides, generated tables, and the pages that live elsewhere.

``python docs/assemble.py FOLDER`` writes everything that the site generator reads (``mkdocs.yml``) into FOLDER. The
generator itself stays stock: no hooks, so that another one can take its place. A page asks for generated content with
a comment on a line of its own, ``<!-- commands -->``, ``<!-- table: power -->`` or ``<!-- modules: PACKAGE -->``.
"""

from __future__ import annotations

import csv
import importlib
import os.path
import pkgutil
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
OTHER_PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
REPORT_FILES = (".md", ".png", ".pdf", ".svg", ".csv", ".tex", ".html")
LINKED_SOURCES = (".py", ".yaml", ".ipynb")

_MARKER = re.compile(r"^<!-- (table|modules|commands)(?:: ([\w.]+))? -->$", re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()([^)#\s]+)")


def assemble(out: Path) -> None:
    """Write the site's sources into ``out``, replacing what is there.

    Raises:
        SystemExit: a page links to a file that the repository does not have.
    """
    shutil.rmtree(out, ignore_errors=True)
    pages = [*sorted(DOCS.rglob("*.md")), *sorted(DOCS.rglob("*.css")), *(ROOT / name for name in OTHER_PAGES)]
    reports = [
        p for p in sorted((ROOT / "reports").rglob("*")) if p.suffix in REPORT_FILES and "records" not in p.parts
    ]
    for path in [*pages, *reports]:
        target = out / place_of(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            target.write_text(_page(path, out), encoding="utf-8")
        else:
            shutil.copyfile(path, target)


def place_of(path: Path) -> Path:
    """Return where a file of the repository stands in the site: ``docs/`` is its root, the rest keeps its path."""
    return path.relative_to(DOCS if path.is_relative_to(DOCS) else ROOT)


def _page(path: Path, out: Path) -> str:
    """Return a page with its generated content, and with links that hold in the site."""

    def moved(match: re.Match[str]) -> str:
        link = match.group()
        linked = Path(os.path.normpath(path.parent / link))
        if "://" in link or not linked.is_relative_to(ROOT):
            return link
        if not linked.exists():
            raise SystemExit(f"{path.relative_to(ROOT)}: links to {link}, which is not there; correct the link")
        if linked.suffix in LINKED_SOURCES:
            (out / place_of(linked)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(linked, out / place_of(linked))
        return os.path.relpath(place_of(linked), place_of(path).parent)

    return _LINK.sub(moved, _MARKER.sub(_generated, path.read_text(encoding="utf-8")))


def _generated(match: re.Match[str]) -> str:
    kind, name = match.groups()
    if kind == "commands":
        return commands()
    return modules(name) if kind == "modules" else TABLES[name]()


def modules(package: str) -> str:
    """Return the directives that show every public module of a package."""
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    return "\n\n".join(f"::: {package}.{m.name}" for m in found if not m.name.startswith("_"))


def commands() -> str:
    """Return the help page of every command, as the command prints it."""
    from clipsonic_eval.cli import main

    return "\n\n".join(_help(main, None, "clipsonic-eval"))


def _help(command: click.Command, parent: click.Context | None, name: str) -> Iterator[str]:
    context = click.Context(command, parent=parent, info_name=name, terminal_width=100)
    yield f"## `{context.command_path}`\n\n```text\n{command.get_help(context).strip()}\n```"
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            if (found := command.get_command(context, sub)) is not None:
                yield from _help(found, context, sub)


def metrics() -> str:
    """Return a row for each registered metric."""
    from clipsonic_eval.metrics import METRICS

    def row(name: str) -> Sequence[str]:
        card: Any = METRICS[name].card
        direction = "↑" if card.higher_is_better else "↓"
        needs = ", ".join(card.needs) or "–"
        biased = "yes" if card.biased_in_n else "no"
        return f"`{name}` {direction}", card.description, card.unit, card.role, needs, biased, card.source

    return table(("metric", "what it is", "unit", "role", "needs", "biased in n", "source"), map(row, METRICS))


def conventions() -> str:
    """Return a row for each registered convention."""
    from clipsonic_eval.conventions import CONVENTIONS

    def row(name: str) -> Sequence[str]:
        c: Any = CONVENTIONS[name]
        return f"`{name}`", c.title, f"`{c.encoder}`", c.source, c.not_reproduced or "–"

    head = ("convention", "how it computes the metric", "encoder", "read in", "not reproduced")
    return table(head, map(row, CONVENTIONS))


def power() -> str:
    """Return the committed calibration: power, coverage and false alarms by metric and number of clips."""
    with (ROOT / "reports" / "calibration" / "calibration.csv").open(encoding="utf-8", newline="") as file:
        cells = {(r["metric"], int(r["n"])): r for r in csv.DictReader(file)}
    sizes = sorted({n for _, n in cells})

    def row(metric: str) -> Sequence[str]:
        shares = ((float(cells[metric, n][column]), digits) for column, digits in _COLUMNS for n in sizes)
        return f"`{metric}`", *(f"{100 * share:.{digits}f} %" for share, digits in shares)

    heads = [f"{what}, n = {n}" for what in ("power", "coverage", "false alarms") for n in sizes]
    order = sorted({m for m, _ in cells}, key=lambda m: (-float(cells[m, sizes[-1]]["power"]), m))
    return table(("metric", *heads), map(row, order))


def limits() -> str:
    """Return how many clips or training seeds a limit takes, from the committed simulation of the gate."""
    with (ROOT / "reports" / "gate" / "power.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return table(
        ("metric", "limit", "question", "takes"),
        ((f"`{r['metric']}`", r["margin"], r["question"], f"{r['needed']} {r['unit']}") for r in rows),
    )


_COLUMNS = (("power", 0), ("covered", 1), ("alarms", 1))
TABLES: dict[str, Callable[[], str]] = {
    "metrics": metrics,
    "conventions": conventions,
    "power": power,
    "limits": limits,
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), "|---" * len(head) + "|", *map(line, rows)])


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "models"), str(ROOT / "baselines")]
    assemble(Path(sys.argv[1]))
