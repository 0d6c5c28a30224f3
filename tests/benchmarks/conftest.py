"""Benchmarks side by side with the judges: one thread, and at the end how many times faster ours are.

tox run -e benchmarks
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where the ratios are to be written."""
    parser.addoption("--ratios", type=Path, help="write the ratios as a Markdown page")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the ratio of each group: the fastest judge over ours, by unit of work."""
    session = getattr(config, "_benchmarksession", None)
    groups: dict[str, dict[str, float]] = {}
    notes: dict[tuple[str, str], str] = {}
    for bench in getattr(session, "benchmarks", []):
        if bench.group and bench.stats:
            seconds = bench.stats.min / bench.extra_info.get("units", 1)
            groups.setdefault(bench.group, {})[bench.extra_info["who"]] = seconds
            notes[bench.group, bench.extra_info["who"]] = bench.extra_info.get("note", "")
    if not groups:
        return
    terminalreporter.section("fastest judge over ours")
    rows = [(*row, notes[row[:2]]) for group, times in groups.items() for row in _rows(group, times)]
    for row in rows:
        terminalreporter.write_line(" | ".join(row))
    target = config.getoption("--ratios")
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_page(rows), encoding="utf-8")


def _rows(group: str, times: dict[str, float]) -> list[tuple[str, str, str, str, str, str]]:
    judges = {who: seconds for who, seconds in times.items() if not who.startswith("ours")}
    best = min(judges, key=judges.__getitem__) if judges else ""
    theirs = f"{judges[best] * 1e3:.4g} ms" if best else ""
    return [
        (group, who, f"{seconds * 1e3:.4g} ms", best, theirs, f"{judges[best] / seconds:.3g}x" if best else "")
        for who, seconds in times.items()
        if who.startswith("ours")
    ]


def _page(rows: list[tuple[str, ...]]) -> str:
    lines = [
        "# How fast, beside the packages that the field uses",
        "",
        "`python -m tox run -e benchmarks -- tests/benchmarks --ratios reports/benchmarks/README.md`: one thread "
        f"({_processor()}), best of a few rounds, embeddings in memory and moments included, the accurate path always; "
        "the fastest judge over ours. Times of single clips are by clip.",
        "",
        "| what | which of ours | time | fastest judge | its time | times faster | |",
        "|---|---|---|---|---|---|---|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown processor"
    return next((line.partition(":")[2].strip() for line in told.splitlines() if "model name" in line), "unknown")
