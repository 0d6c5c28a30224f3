"""Functions of the packages that we are compared with, taken out of their installed files.

Importing those packages would ask model hubs, or need packages that nobody needs for a formula. What is taken runs
unchanged.
"""

from __future__ import annotations

import ast
import importlib.util
import logging
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def source(package: str, file: str) -> Path:
    """Return a file of an installed package, which is not imported."""
    found = importlib.util.find_spec(package)
    assert found is not None, f"the judge {package} is not installed"
    assert found.submodule_search_locations is not None
    return Path(next(iter(found.submodule_search_locations))) / file


def take(package: str, file: str, *names: str, **known: Any) -> types.SimpleNamespace:
    """Return top-level functions and methods by name.

    Args:
        package: installed.
        file: in it.
        names: of functions, or of methods of any class in the file.
        known: what else they use; numpy, scipy.linalg and a log are there.
    """
    from scipy import linalg

    path = source(package, file)
    found = {
        node.name: node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name in names
    }
    assert set(found) == set(names), f"{path} has no longer all of {names}"
    namespace: dict[str, Any] = {"np": np, "linalg": linalg, "log": logging.getLogger("judge"), **known}
    for node in found.values():
        node.returns = None
        for argument in [*node.args.args, *node.args.kwonlyargs]:
            argument.annotation = None
    module = ast.fix_missing_locations(ast.Module(body=list(found.values()), type_ignores=[]))
    exec(compile(module, str(path), "exec"), namespace)
    return types.SimpleNamespace(**{name: namespace[name] for name in names})


def frechet_audio_distance() -> Callable[[np.ndarray, np.ndarray], float]:
    """The distance of two sets as gudgud96's package computes it."""
    judge = take(
        "frechet_audio_distance", "fad.py", "calculate_embd_statistics", "calculate_frechet_distance"
    )  # methods without use of self

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        first, second = (judge.calculate_embd_statistics(None, x) for x in (a, b))
        return float(judge.calculate_frechet_distance(None, *first, *second))

    return distance


def fadtk() -> types.SimpleNamespace:
    """fadtk's statistics and distance."""
    from numpy.lib.scimath import sqrt

    return take("fadtk", "fad.py", "calc_embd_statistics", "calc_frechet_distance", scisqrt=sqrt)


def fadtk_distance() -> Callable[[np.ndarray, np.ndarray], float]:
    """The distance of two sets as fadtk computes it."""
    judge = fadtk()

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        first, second = judge.calc_embd_statistics(a), judge.calc_embd_statistics(b)
        return float(np.real(judge.calc_frechet_distance(*first, *second)))

    return distance
