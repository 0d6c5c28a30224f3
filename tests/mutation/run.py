"""How much of ``stats`` and ``metrics`` the tests see: small faults, each put in alone, and the share that is found.

    tox run -e mutation -- --sample 150 --seed 0 --minutes 15

A fault is one change of the syntax tree: another comparison, another operator, a number one higher or lower, a ``not``
or ``and`` turned, nothing returned. The tests run in a copy of the tree, those that name the module first, and stop at
the first failure; a fault that makes them hang counts as found. Golden vectors take no part: they see every change of a
number, and say nothing about which number is right. Some survivors change nothing that could be observed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clipsonic_eval.stats.bootstrap import wilson_interval

ROOT = Path(__file__).parents[2]
MUTATED = ("clipsonic_eval/stats", "clipsonic_eval/metrics")
TESTS = ("tests/unit/stats", "tests/unit/metrics", "tests/contract/test_metrics.py")
NOT_COPIED = (".git", ".tox", ".venv", "reports", "work", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache")
LIMIT_S = 240  # for one fault's tests; they take half a minute

_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One change of one file."""

    file: Path  # relative to the root
    node: int  # its place in the order of ast.walk
    line: int
    what: str
    change: Callable[[ast.AST], None]

    def source(self, text: str) -> str:
        """Return the file with the fault in it."""
        tree = ast.parse(text)
        self.change(list(ast.walk(tree))[self.node])
        return ast.unparse(tree)


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OPERATORS:
        new = _OPERATORS[type(node.ops[0])]
        yield f"{type(node.ops[0]).__name__} -> {new.__name__}", lambda n: n.ops.__setitem__(0, new())  # type: ignore[attr-defined]
    elif isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)) and type(node.op) in _OPERATORS:
        new = _OPERATORS[type(node.op)]
        yield f"{type(node.op).__name__} -> {new.__name__}", lambda n: setattr(n, "op", new())
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        for step in (1, -1):
            value = node.value + step  # type: ignore[operator]
            yield f"{node.value} -> {value}", lambda n, value=value: setattr(n, "value", value)  # type: ignore[misc]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not dropped", _drop_not
    elif isinstance(node, ast.Return) and node.value is not None:
        yield "return None", lambda n: setattr(n, "value", ast.Constant(None))


def _drop_not(node: ast.AST) -> None:
    assert isinstance(node, ast.UnaryOp)
    node.op, node.operand = ast.UAdd(), ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])


def _left_alone(tree: ast.AST) -> set[int]:
    """Return the ids of nodes in annotations, refusals and assertions, whose words and types are not what is asked."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, (ast.Raise, ast.Assert, ast.JoinedStr)):
            parts = [node]
        elif isinstance(node, (ast.arg, ast.AnnAssign)):
            parts = [node.annotation]
        elif isinstance(node, ast.FunctionDef):
            parts = [node.returns, *node.decorator_list]
        elif isinstance(node, ast.ClassDef):
            parts = list(node.decorator_list)
        skipped |= {id(inner) for part in parts if part is not None for inner in ast.walk(part)}
    return skipped


def faults() -> list[Fault]:
    """Return every fault, in the order of files and nodes."""
    found = []
    for path in sorted(p for folder in MUTATED for p in (ROOT / folder).glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        skipped = _left_alone(tree)
        for number, node in enumerate(ast.walk(tree)):
            if id(node) in skipped:
                continue
            file, line = path.relative_to(ROOT), getattr(node, "lineno", 0)
            found += [Fault(file, number, line, what, change) for what, change in _changes(copy.deepcopy(node))]
    return found


class Copy:
    """A copy of the tree in which tests run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
        self._clock = int(time.time())
        paths = os.pathsep.join(str(folder / part) for part in ("", "models", "baselines"))
        self._env = {**os.environ, "PYTHONPATH": paths}

    def write(self, file: Path, text: str) -> None:
        """Write a file with a time of its own, so that no compiled older one is taken for it."""
        path = self.folder / file
        path.write_text(text, encoding="utf-8")
        self._clock += 2
        os.utime(path, (self._clock, self._clock))

    def passes(self, tests: list[str]) -> bool:
        """Return whether tests pass."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *tests]
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=self._env, capture_output=True, check=False, timeout=LIMIT_S
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def survives(self, fault: Fault) -> bool:
        """Return whether the tests pass with a fault in the code."""
        original = (self.folder / fault.file).read_text(encoding="utf-8")
        near = [
            str(path.relative_to(self.folder))
            for folder in TESTS[:2]
            for path in sorted((self.folder / folder).glob("test_*.py"))
            if f".{fault.file.stem} import" in path.read_text(encoding="utf-8")
        ]
        self.write(fault.file, fault.source(original))
        try:
            return (not near or self.passes(near)) and self.passes([*TESTS, *(f"--deselect={n}" for n in near)])
        finally:
            self.write(fault.file, original)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=150, help="faults at most")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--minutes", type=float, default=60, help="begin no further fault after so long")
    options = parser.parse_args()
    everything = faults()
    sample = random.Random(options.seed).sample(everything, min(options.sample, len(everything)))
    started, survivors, tried = time.monotonic(), [], 0
    with tempfile.TemporaryDirectory() as folder:
        place = Copy(Path(folder))
        if not place.passes(list(TESTS)):
            sys.exit("the tests fail without any fault; fix them first")
        for fault in sample:
            if time.monotonic() - started > 60 * options.minutes:
                break
            tried += 1
            if place.survives(fault):
                survivors.append(fault)
                sys.stdout.write(f"survives: {fault.file}:{fault.line}: {fault.what}\n")
                sys.stdout.flush()
    if not tried:
        sys.exit("no fault was tried in this time")
    killed = tried - len(survivors)
    low, high = wilson_interval(killed / tried, tried)
    sys.stdout.write(
        f"{killed} of {tried} faults found, {killed / tried:.0%} [{low:.0%}, {high:.0%}] "
        f"(sample with seed {options.seed} of {len(everything)} possible ones)\n"
    )


if __name__ == "__main__":
    main()
