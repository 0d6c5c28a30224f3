"""The line through costs, its interval, and memory that no file backs."""

from __future__ import annotations

import csv
import mmap
import os
from pathlib import Path

import numpy as np
import pytest
from benchmarks.scale import _earlier, private_mib
from benchmarks.scale_page import Cost, fit, page

SIZES = (100, 100, 100, 1000, 1000, 1000, 10000)


def test_a_line_is_found_exactly() -> None:
    found = fit(SIZES, [3 + 0.02 * n for n in SIZES])
    assert found.per_clip == pytest.approx(0.02, rel=1e-9)
    assert found.fixed == pytest.approx(3, rel=1e-9)
    assert found.half == pytest.approx(0, abs=1e-9)
    assert found.at(10_000_000) == pytest.approx(200_003, rel=1e-9)


def test_the_interval_is_that_of_weighted_least_squares() -> None:
    api = pytest.importorskip("statsmodels.api")
    y = np.array([3 + 0.02 * n for n in SIZES]) * np.array([1.1, 0.95, 1, 0.98, 1.05, 1.02, 0.97])
    found = fit(SIZES, list(y))
    fitted = found.fixed + found.per_clip * np.array(SIZES)
    judge = api.WLS(y, api.add_constant(np.array(SIZES, float)), weights=1 / fitted**2).fit()
    assert found.per_clip == pytest.approx(judge.params[1], rel=1e-6)
    assert found.half == pytest.approx(np.diff(judge.conf_int(0.05)[1])[0] / 2, rel=1e-6)


def test_the_interval_covers_the_slope_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    line = 3 + 0.02 * np.array(SIZES)
    fits = [fit(SIZES, list(line * rng.normal(1, 0.05, len(SIZES)))) for _ in range(600)]
    covered = np.mean([abs(f.per_clip - 0.02) <= f.half for f in fits])
    assert covered == pytest.approx(0.95, abs=0.03)


def test_costs_of_nothing_have_no_slope() -> None:
    assert fit(SIZES, [0.0] * len(SIZES)).per_clip == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_pages_of_a_mapped_file_are_not_private_memory(tmp_path: Path) -> None:
    size = 32 * 2**20
    (tmp_path / "file").write_bytes(b"\1" * size)
    before = private_mib(os.getpid())
    with (tmp_path / "file").open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert sum(mapped[:: mmap.PAGESIZE]) == size // mmap.PAGESIZE  # every page is there
        assert private_mib(os.getpid()) - before < 8
    with mmap.mmap(
        -1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    ) as own:  # not the allocator's: it may hand out memory that was freed before
        own[:: mmap.PAGESIZE] = b"\1" * (size // mmap.PAGESIZE)
        assert private_mib(os.getpid()) - before > 24


def test_the_page_names_what_takes_most_time_and_memory() -> None:
    def cost(stage: str, n: int, per_clip: float, memory: float) -> Cost:
        return Cost(stage, n, per_clip * n, per_clip * n, 0.1 * n, 0.1 * n, 200 + memory * n, 0.07 * n)

    costs = [
        cost(stage, n, per_clip, memory)
        for n in (100, 1000)
        for stage, per_clip, memory in (
            ("list and plan", 1e-4, 1e-3),
            ("prepare", 0.05, 1e-3),
            ("verify and join", 2e-4, 5e-3),
            ("open", 1e-4, 2e-3),
        )
    ]
    text = page(costs, "python scale.py")
    assert "| prepare | 50 ± nan | 50 ± nan |" in text
    assert "`prepare` takes 139 processor hours" in text  # 0.05 s times 10 million
    assert "2.2 h on 64 cores" in text
    assert "opens the clips:\n  1.1 h" in text  # 4e-4 s times 10 million
    assert "longest stage is *prepare*" in text
    assert "*verify and join* needs most, 49 GiB" in text  # 5e-3 MiB times 10 million


def test_sets_of_other_sizes_are_not_kept(tmp_path: Path) -> None:
    costs = [Cost("open", n, 1.5, 1.0, 0.0, 0.0, 200.0, 7.0) for n in (100, 1000)]
    with (tmp_path / "scale.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([Cost._fields, *costs])
    assert _earlier(tmp_path / "scale.csv", [100, 10000]) == costs[:1]
    assert _earlier(tmp_path / "none.csv", [100]) == []
