from __future__ import annotations

import importlib
import os
import threading
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from stage_threads import a_busy_machine, default_is, now

from clipsonic_eval import threads
from clipsonic_eval.cli import main
from clipsonic_eval.errors import ConfigError


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", threads.VARIABLE):
        monkeypatch.setenv(name, "")  # so that whatever a test sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setattr(threads, "_CGROUP", tmp_path / "no-control-group")


def bound_to(monkeypatch: pytest.MonkeyPatch, cores: set[int]) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores, raising=False)


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("cpu.max", "150000 100000\n", 2),
        ("cpu.max", "max 100000\n", 8),
        ("cpu.max", "50000 100000\n", 1),
        ("cpu.max", "garbage\n", 8),
        ("cpu/cpu.cfs_quota_us", "300000\n", 3),
        ("cpu/cpu.cfs_quota_us", "-1\n", 8),
    ],
)
def test_a_containers_quota_bounds_the_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str, text: str, expected: int
) -> None:
    bound_to(monkeypatch, set(range(8)))
    monkeypatch.setattr(threads, "_CGROUP", tmp_path)
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / file).write_text(text)
    assert threads.cores() == expected


def test_the_user_and_openmp_bound_what_a_stage_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    bound_to(monkeypatch, set(range(8)))
    assert threads.available() == 8
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert threads.available() == 3
    threads.ask(2)
    assert threads.available() == threads.for_networks() == 2
    threads.ask(20)
    assert threads.available() == 3
    monkeypatch.setenv(threads.VARIABLE, "all")
    with pytest.raises(ConfigError, match=r"CLIPSONIC_EVAL_THREADS=all: expected a number"):
        threads.available()


STAT = """cpu  0 0 0 0 0 0 0 0 0 0
cpu0 {0} 0 0 100 0 0 0 0 0 0
cpu1 100 0 0 {1} 0 0 0 0 0 0
cpu2 100 0 0 {2} {3} 0 0 0 0 0
cpu3 100 0 0 100 0 0 0 {4} 0 0
cpu4 100 0 0 {5} 0 0 0 0 0 0
intr 5
"""


def test_cores_that_others_keep_busy_are_not_counted_as_idle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bound_to(monkeypatch, {0, 1, 2, 3})
    stat = tmp_path / "stat"
    stat.write_text(STAT.format(100, 100, 100, 100, 100, 100))
    monkeypatch.setattr(threads, "_STAT", stat)
    # core 0 works, 1 is idle, 2 waits for a disk, 3 is taken by another guest; 4 is idle but not ours
    monkeypatch.setattr(
        threads.time, "sleep", lambda _: stat.write_text(STAT.format(120, 120, 105, 115, 120, 120)) and None
    )
    assert threads.idle() == 2


def test_one_thread_is_left_where_all_cores_are_busy_and_all_are_taken_where_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bound_to(monkeypatch, {0, 1, 2, 3})
    monkeypatch.setattr(threads.time, "sleep", lambda _: None)
    monkeypatch.setattr(threads, "_STAT", tmp_path / "none")
    assert threads.idle() == 4
    (tmp_path / "stat").write_text(STAT.format(*[100] * 6))
    monkeypatch.setattr(threads, "_STAT", tmp_path / "stat")
    assert threads.idle() == 1  # no tick has passed: nothing was seen idle


def test_small_matrices_get_one_thread_and_large_ones_no_more_than_help(monkeypatch: pytest.MonkeyPatch) -> None:
    a_busy_machine(monkeypatch)
    monkeypatch.setattr(threads, "cores", lambda: 16)
    monkeypatch.setattr(threads, "idle", lambda: 16)
    assert [threads.for_matrices(side) for side in (1, 64, 128, 511, 512, 1024, 2048, 10**6)] == [
        1,
        1,
        1,
        1,
        2,
        4,
        8,
        16,
    ]
    threads.ask(3)
    assert [threads.for_matrices(side) for side in (64, 512, 2048)] == [1, 2, 3]


def _stopped_within(number: int) -> None:
    with threads.limited(matrices=1, networks=number):
        assert now() == (1, number)
        raise KeyboardInterrupt


def test_the_pools_are_bounded_within_and_put_back_after() -> None:
    with default_is(2):
        before = now()
        assert before == (2, 2)
        with threads.limited():
            assert now() == (1, 1)
            with pytest.raises(KeyboardInterrupt):
                _stopped_within(3)
            assert now() == (1, 1)
        assert now() == before


def test_stages_choose_by_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    a_busy_machine(monkeypatch)
    with default_is(2):
        with threads.matrices(64):
            assert now() == (1, 1)
        with threads.matrices(1024):
            assert now() == (3, 3)
        with threads.networks():
            assert now() == (1, 3)


def test_threads_that_a_stage_starts_are_bounded_too() -> None:
    found = []
    with default_is(3), threads.limited():
        other = threading.Thread(target=lambda: found.append(now()))
        other.start()
        other.join()
    assert found == [(1, 1)]


def test_waiting_is_short_unless_the_user_says_how_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMP_BLOCKTIME", "7")
    threads.spin_briefly()
    assert (os.environ["GOMP_SPINCOUNT"], os.environ["KMP_BLOCKTIME"]) == ("1000", "7")
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    threads.spin_briefly()
    assert "GOMP_SPINCOUNT" not in os.environ


def test_the_command_line_shortens_waits_before_it_loads_a_command_and_takes_the_users_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, seen = importlib.import_module, {}

    def load(name: str) -> ModuleType:
        seen.update(os.environ)
        return real(name)

    monkeypatch.setattr(importlib, "import_module", load)
    monkeypatch.delitem(main.commands, "ls", raising=False)
    assert CliRunner().invoke(main, ["--threads", "3", "ls", "metrics"]).exit_code == 0
    assert seen["GOMP_SPINCOUNT"] == "1000"
    assert threads.asked() == 3


def test_a_worker_keeps_to_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    with default_is(3):
        threads.keep_one()
        assert now() == (1, 1)
        assert threads.available() == 1
        assert os.environ["OMP_NUM_THREADS"] == "1"
