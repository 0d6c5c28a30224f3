"""Benchmarks side by side with the judges: one thread, and at the end how many times faster ours are.

tox run -e benchmarks
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Torch on one thread; the BLAS of NumPy is told by the environment (tox.ini)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the ratio of each group: the fastest judge over ours, by unit of work."""
    session = getattr(config, "_benchmarksession", None)
    groups: dict[str, dict[str, float]] = {}
    for bench in getattr(session, "benchmarks", []):
        if bench.group and bench.stats:
            seconds = bench.stats.min / bench.extra_info.get("units", 1)
            groups.setdefault(bench.group, {})[bench.extra_info["who"]] = seconds
    if not groups:
        return
    terminalreporter.section("fastest judge over ours")
    for group, times in groups.items():
        mine = {who: seconds for who, seconds in times.items() if who.startswith("ours")}
        judges = {who: seconds for who, seconds in times.items() if not who.startswith("ours")}
        for who, seconds in mine.items():
            told = f"{who} {seconds * 1e3:.4g} ms"
            if judges:
                best = min(judges, key=judges.__getitem__)
                told += f", {best} {judges[best] * 1e3:.4g} ms: {judges[best] / seconds:.3g}x"
            terminalreporter.write_line(f"{group}: {told}")
