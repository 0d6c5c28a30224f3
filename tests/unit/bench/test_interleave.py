"""The comparison of two targets that take turns: simulated, and with real processes whose ratio is known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from clipsonic_eval.bench.cases import BenchConfig, Target
from clipsonic_eval.bench.interleave import PER_TURN, log_ratio, order, take_turns
from clipsonic_eval.errors import ConfigError, ShapeError, UserError
from clipsonic_eval.progress import SILENT
from clipsonic_eval.stats.bootstrap import wilson_interval

REPEATS = 2000


def simulated(
    rng: np.random.Generator, pairs: int, blocks: int, *, between: float, ratio: float = 1.0
) -> list[np.ndarray]:
    """Log ratios of blocks of turns on a machine that drifts and wanders, with processes that differ.

    Log times are a slope, a random walk's autocorrelated cousin (AR(1), 0.9 from request to request), noise of each
    request, and an offset of each process.
    """
    found = []
    for pair in range(pairs):
        n = blocks * 4 * PER_TURN
        shocks = rng.normal(0, 0.02, n)
        wander = np.zeros(n)
        for i in range(1, n):
            wander[i] = 0.9 * wander[i - 1] + shocks[i]
        times = 0.3 * np.arange(n) / n + wander + rng.normal(0, 0.05, n)
        whose = np.array([name for block in range(blocks) for name in order(block, pair) for _ in range(PER_TURN)])
        offset = rng.normal(0, between, 2)
        times += np.where(whose == "A", offset[0] + math.log(ratio), offset[1])
        by_block = times.reshape(blocks, -1), whose.reshape(blocks, -1)
        found.append(np.array([t[w == "A"].mean() - t[w == "B"].mean() for t, w in zip(*by_block, strict=True)]))
    return found


@pytest.mark.parametrize(
    ("pairs", "blocks", "between"),
    [(5, 6, 0.0), (5, 6, 0.03), (3, 8, 0.03)],
    ids=["alike", "processes differ", "three pairs"],
)
def test_a_against_itself_alarms_in_five_percent(pairs: int, blocks: int, between: float) -> None:
    rng = np.random.default_rng(pairs + blocks)
    alarms = sum(log_ratio(simulated(rng, pairs, blocks, between=between)).p_value < 0.05 for _ in range(REPEATS // 4))
    low, high = wilson_interval(alarms / (REPEATS // 4), REPEATS // 4)
    assert low < 0.07
    assert high > 0.03


def test_blocks_within_one_pair_would_alarm_far_too_often_where_processes_differ() -> None:
    """Why pairs are the units: the wrong error term finds differences of the processes, not of the targets."""
    rng = np.random.default_rng(0)
    blocks = [simulated(rng, 1, 20, between=0.03)[0] for _ in range(300)]
    alarms = sum(stats.ttest_1samp(one, 0.0).pvalue < 0.05 for one in blocks)
    assert alarms > 0.3 * 300


def test_a_real_difference_is_found_with_its_size() -> None:
    rng = np.random.default_rng(1)
    found = [log_ratio(simulated(rng, 5, 10, between=0.01, ratio=1.1)) for _ in range(200)]
    assert np.mean([one.value for one in found]) == pytest.approx(math.log(1.1), abs=0.003)
    assert np.mean([one.p_value < 0.05 for one in found]) > 0.9
    covered = np.mean([one.ci[0] <= math.log(1.1) <= one.ci[1] for one in found])
    assert 0.90 <= covered <= 0.99


def test_the_interval_over_pairs_is_students_of_their_means() -> None:
    pairs = [np.array([0.1, 0.2]), np.array([0.3, 0.4]), np.array([0.0, 0.1]), np.array([0.2, 0.2])]
    means = [p.mean() for p in pairs]
    found = log_ratio(pairs)
    theirs = stats.ttest_1samp(means, 0.0)
    assert found.value == pytest.approx(np.mean(means))
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert found.ci == pytest.approx(tuple(theirs.confidence_interval(0.95)))


def test_fewer_than_three_pairs_have_no_interval() -> None:
    with pytest.raises(ShapeError, match="2 pairs of processes, and their interval takes at least 3"):
        log_ratio([np.array([0.1, 0.3]), np.array([0.2, 0.25])])


def test_a_comparison_of_fewer_pairs_is_refused_before_anything_is_measured() -> None:
    both = (Target("my.py:A", "A"), Target("my.py:B", "B"))
    with pytest.raises(ConfigError, match="at least 3 pairs of processes, got 2"):
        BenchConfig(targets=both, processes=2, interleave=True)


def test_blocks_that_agree_to_the_bit_are_no_evidence_when_equal_and_certain_when_not() -> None:
    assert log_ratio([np.zeros(1)] * 3).p_value == 1
    assert log_ratio([np.ones(1)] * 3).p_value == 0


def test_turns_are_balanced_so_that_a_steady_drift_cancels_in_each_block() -> None:
    for pair in range(2):
        for block in range(4):
            turns = order(block, pair)
            assert sorted(turns) == ["A", "A", "B", "B"]
            positions = {name: sum(i for i, turn in enumerate(turns) if turn == name) for name in "AB"}
            assert positions["A"] == positions["B"]
    assert order(0, 0) != order(1, 0)
    assert order(0, 0) != order(0, 1)


SLEEPER = """
import time, numpy as np
class Sleeper:
    name, sample_rate = "sleeper", 8000
    def __init__(self, ms=1.0):
        self.ms = ms
    def generate(self, queries, seeds):
        time.sleep(self.ms / 1000)
        return [np.zeros(80, np.float32) for _ in queries]
"""


def config(spec: str, **of_b: object) -> BenchConfig:
    return BenchConfig(
        targets=(Target(spec, "A", {"ms": 12.0}), Target(spec, "B", {"ms": 4.0, **of_b})),
        processes=3,
        rounds=2,
        interleave=True,
    )


def test_a_system_that_sleeps_three_times_as_long_takes_three_times_as_long(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    asked = config(f"{tmp_path}/sleeper.py:Sleeper")
    both, comparison = take_turns(asked, tmp_path / "cases", SILENT)
    low, high = comparison.ci or (0.0, 0.0)
    assert low < math.log(3) < high or math.exp(comparison.difference) == pytest.approx(3, rel=0.3)  # a busy machine
    assert (comparison.a, comparison.b, comparison.metric, comparison.n) == ("A", "B", "log_latency", 6)
    assert both[0].durations.keys() == both[1].durations.keys()
    assert len(both[0].durations) == 3 * 2 * 2 * PER_TURN
    before = {path: path.read_bytes() for path in (tmp_path / "cases").iterdir()}
    again = take_turns(asked, tmp_path / "cases", SILENT)[1]
    assert again == comparison
    assert before == {path: path.read_bytes() for path in (tmp_path / "cases").iterdir()}


def test_a_target_that_cannot_be_loaded_ends_the_comparison_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    with pytest.raises(UserError, match="unknown key 'mss'"):
        take_turns(config(f"{tmp_path}/sleeper.py:Sleeper", mss=1), tmp_path / "cases", SILENT)
