"""How hard the code is to read, in numbers: ``python tests/structure/measure.py`` prints the table.

Sizes, imports, classes and docstrings are read from the syntax trees of what is committed; the way of a wav is traced:
one evaluation of two systems by FAD, with imports already done. ``test_limits.py`` holds the numbers to their limits.
"""

from __future__ import annotations

import ast
import collections
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"clipsonic_eval": ROOT, "clipsonic": ROOT / "models", "paired_tta": ROOT / "baselines"}
FORMULAS = ("stats/", "metrics/", "clipsonic/diffusion.py", "clipsonic/samplers.py", "clipsonic/mel.py", "media/mel.py")
_ARRAY = re.compile(r"\b(NDArray|Float32|Float64|FloatArray|Bool|Int|IntArray|UInt8|AnyArray|Tensor|Embeddings|Rows)\b")
_SHAPE = re.compile(r"\([^()]*\b[\w*]+,[^()]*\)|\(\d+\)|scalar|\bshape\b|\bEmbeddings\b")


def sources() -> dict[str, Path]:
    """Return our modules by dotted name, those of the three packages."""
    found = {}
    for package, root in PACKAGES.items():
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def lines(paths: Iterator[Path]) -> int:
    """Return how many lines some files have together."""
    return sum(len(path.read_text().splitlines()) for path in paths)


def imports(tree: ast.Module, modules: dict[str, Path]) -> set[str]:
    """Return which of our modules a file imports, those inside functions included."""
    found: set[str] = set()
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                names.append(whole if whole in modules else node.module)
        found |= {name for name in names if name in modules}
    return found


def circles(named: dict[str, set[str]]) -> list[str]:
    """Return the modules that import one another in a circle, types included, or lie between two circles.

    Args:
        named: imports of each module. The package itself, which offers its API lazily, is no part of a circle.
    """
    left = {name: found - {name, "clipsonic_eval"} for name, found in named.items() if name != "clipsonic_eval"}
    while ends := {name for name, found in left.items() if not found or name not in set().union(*left.values())}:
        left = {name: found - ends for name, found in left.items() if name not in ends}
    return sorted(left)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """Yield all functions and methods."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node


def length(function: ast.FunctionDef) -> int:
    """Return the lines of a function without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def takes_arrays(function: ast.FunctionDef) -> bool:
    """Say whether a function takes or returns arrays, by its annotations."""
    args = function.args
    notes = [a.annotation for a in (*args.args, *args.kwonlyargs)] + [function.returns]
    return any(note is not None and _ARRAY.search(ast.unparse(note)) for note in notes)


def measure() -> dict[str, Any]:
    """Return everything that is read from the files."""
    modules = sources()
    trees = {name: ast.parse(path.read_text()) for name, path in modules.items()}
    imported = {name: imports(tree, modules) for name, tree in trees.items()}
    fan = {name: len(found - {name}) for name, found in imported.items()}
    classes = collections.Counter(
        node.name
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    own = [f for tree in trees.values() for f in functions(tree)]
    public = [f for f in own if not f.name.startswith("_") and takes_arrays(f) and ast.get_docstring(f)]
    shapeless = [
        f"{name}.{f.name}"
        for name, tree in trees.items()
        for f in functions(tree)
        if f in public and not _SHAPE.search(ast.get_docstring(f) or "")
    ]
    code = lines(iter(modules.values()))
    tests = lines((ROOT / "tests").rglob("*.py"))
    where_formulas_stand = [p for p in modules.values() if any(part in p.as_posix() for part in FORMULAS)]
    comments = sum(line.count("# ") > 0 for p in where_formulas_stand for line in p.read_text().splitlines())
    lengths = sorted(length(f) for f in own)
    counts = sorted(fan.values())
    return {
        "files": len(modules),
        "lines": code,
        "longest file": max((lines(iter([p])), n) for n, p in modules.items()),
        "lines per function, median and maximum": (statistics.median(lengths), lengths[-1]),
        "modules of ours imported, p90": counts[int(0.9 * len(counts))],
        "modules of ours imported, maximum": max((n, name) for name, n in fan.items()),
        "modules that import in a circle": circles(imported),
        "public classes": sum(classes.values()),
        "class names used twice": sorted(name for name, n in classes.items() if n > 1),
        "array functions without a shape in their docstring": (len(shapeless), len(public), shapeless),
        "comments per 100 lines where formulas stand": round(100 * comments / lines(iter(where_formulas_stand)), 1),
        "doctest lines": sum(p.read_text().count(">>> ") for p in modules.values()),
        "lines of tests per line of code": round(tests / code, 2),
    }


def _ours(frame: FrameType) -> str | None:
    path = frame.f_code.co_filename
    inside = path.startswith(str(ROOT)) and "/tests/" not in path and frame.f_code.co_name != "<module>"
    return os.path.relpath(path, ROOT) if inside else None


def trace() -> tuple[list[str], list[str]]:
    """Evaluate two folders by FAD; return our files that ran, and those of the harness in the order of their calls."""
    import numpy as np
    import soundfile

    from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate

    ran: dict[str, None] = {}
    walk: list[str] = []

    known: set[tuple[object, object]] = set()

    def on_call(frame: FrameType, event: str, _: object) -> None:
        name = _ours(frame)
        if event != "call" or name is None:
            return
        ran.setdefault(name)
        caller = frame.f_back
        pair = (caller and caller.f_code, frame.f_code)
        if pair in known:  # a loop over clips is one call for whoever reads
            return
        known.add(pair)
        if caller and name != _ours(caller) and "/harness/" in name:
            walk.append(name)

    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        rng = np.random.default_rng(0)
        for name in ("real", "A", "B"):
            (top / name).mkdir()
            for i in range(12):
                soundfile.write(top / name / f"q{i:02}.wav", 0.1 * rng.standard_normal(32000), 16000)
        config = EvaluateConfig(
            systems={"A": top / "A", "B": top / "B"}, reference=top / "real", metrics=("fad",), n_bootstrap=20,
            n_permutations=20, workers=1, cache=top / "cache",
        )  # fmt: skip
        evaluate(config, top / "first")  # whatever is imported late is imported now
        sys.setprofile(on_call)
        try:
            evaluate(config, top / "second")
        finally:
            sys.setprofile(None)
    return list(ran), walk


def returns(walk: list[str]) -> int:
    """Return how often a file is called that was called before."""
    seen: set[str] = set()
    again = 0
    for name in walk:
        again += name in seen
        seen.add(name)
    return again


def main() -> None:
    """Print the table."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    click.echo(f"commit {commit.stdout.strip()}")
    for name, value in measure().items():
        click.echo(f"{name}: {value}")
    ran, walk = trace()
    click.echo(f"files that run from wav to record: {len(ran)}")
    click.echo(f"calls from file to file of the harness: {len(walk)}, of these to one called before: {returns(walk)}")
    if "-v" in sys.argv:
        click.echo("\n".join([*ran, "", *walk]))


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "models"), str(ROOT / "baselines")]
    main()
