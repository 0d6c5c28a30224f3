"""Benchmarks side by side with the reference packages: one thread, and at the end how many times faster ours are.

tox run -e benchmarks
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks import ratios

_MACHINE = pytest.StashKey[ratios.Machine]()


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Torch on one thread; the environment sets the BLAS of NumPy (tox.ini)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where the ratios are to be written."""
    parser.addoption("--ratios", type=Path, help="write the ratios as a Markdown page")


def pytest_configure(config: pytest.Config) -> None:
    """Look at the machine before anything is timed."""
    config.stash[_MACHINE] = ratios.Machine.here()


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
    if not groups:
        return
    terminalreporter.section("fastest reference package over ours")
    machine = config.stash[_MACHINE]
    rows = [row for group, times in groups.items() for row in ratios.rows(group, times, notes[group], machine)]
    terminalreporter.write_line(machine.sentence)
    for row in rows:
        terminalreporter.write_line(" | ".join(row))
    target = config.getoption("--ratios")
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(ratios.page(rows, machine), encoding="utf-8")
