"""Benchmarks side by side with the reference packages: one thread, and at the end how many times faster ours are.

tox run -e benchmarks
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks import ratios
from numpy.typing import NDArray

_MACHINE = pytest.StashKey[ratios.Machine]()
_PAIRS = pytest.StashKey[list[ratios.Row]]()


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Torch on one thread; the environment sets the BLAS of NumPy (tox.ini)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def add_pairs(pytestconfig: pytest.Config) -> Callable[..., None]:
    """A call that adds the rows of loops that took turns: group, seconds (rounds,) of each loop, and perhaps a note."""

    def add(group: str, seconds: Mapping[str, NDArray[np.float64]], note: str = "") -> None:
        pytestconfig.stash[_PAIRS] += ratios.paired_rows(group, seconds, pytestconfig.stash[_MACHINE], note)

    return add


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where the ratios are to be written."""
    parser.addoption("--ratios", type=Path, help="write the ratios as a Markdown page")


def pytest_configure(config: pytest.Config) -> None:
    """Look at the machine before anything is timed."""
    config.stash[_MACHINE] = ratios.Machine.here()
    config.stash[_PAIRS] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the ratio of each group: the fastest reference package over ours, by unit of work."""
    session = getattr(config, "_benchmarksession", None)
    groups: dict[str, dict[str, float]] = {}
    notes: dict[str, dict[str, str]] = {}
    for bench in getattr(session, "benchmarks", []):
        if bench.group and bench.stats:
            seconds = bench.stats.min / bench.extra_info.get("units", 1)
            groups.setdefault(bench.group, {})[bench.extra_info["who"]] = seconds
            notes.setdefault(bench.group, {})[bench.extra_info["who"]] = bench.extra_info.get("note", "")
    pairs = config.stash[_PAIRS]
    if not groups and not pairs:
        return
    terminalreporter.section("fastest reference package over ours")
    machine = config.stash[_MACHINE]
    rows = [row for group, times in groups.items() for row in ratios.rows(group, times, notes[group], machine)]
    rows += pairs
    terminalreporter.write_line(machine.sentence)
    for row in rows:
        terminalreporter.write_line(" | ".join(row))
    target = config.getoption("--ratios")
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(ratios.page(rows, machine), encoding="utf-8")
