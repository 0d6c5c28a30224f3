"""A target against itself: how often an interleaved comparison calls the two different, on simulated machines."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import scipy.stats

from clipsonic_eval.bench.interleave import PER_TURN, log_ratio, order

REPEATS = 400


def noise(rng: np.random.Generator, n: int, memory: float) -> np.ndarray:
    """Return an autoregressive series of standard deviation 1, (n,) float64."""
    shocks = rng.standard_normal(n + 200) * np.sqrt(1 - memory**2)
    return scipy.signal.lfilter([1.0], [1.0, -memory], shocks)[200:]


def session(
    rng: np.random.Generator, blocks: int, pair: int, *, memory: float, drift: float, slower: float, between: float
) -> np.ndarray:
    """Return the log ratio of each block, (blocks,), of two processes whose requests share one machine.

    The machine's state goes on from request to request, whosever it is; each process has its own constant besides.
    """
    constant = {"A": between * rng.standard_normal() + np.log(slower), "B": between * rng.standard_normal()}
    length = blocks * 4 * (1 + PER_TURN)
    machine = 0.05 * noise(rng, length, memory) + drift * np.arange(length) / length
    at, ratios = 0, []
    for block in range(blocks):
        times: dict[str, list[float]] = {"A": [], "B": []}
        for turn in order(block, pair):
            at += 1  # not timed
            times[turn] += [constant[turn] + machine[at + k] + 0.01 * rng.standard_normal() for k in range(PER_TURN)]
            at += PER_TURN
        ratios.append(np.mean(times["A"]) - np.mean(times["B"]))
    return np.array(ratios)


def found_different(pairs: int, blocks: int, seed: int, slower: float = 1.0, **machine: float) -> float:
    """Return the share of comparisons whose interval excludes equality."""
    found = 0
    for repeat in range(REPEATS):
        rng = np.random.default_rng([seed, repeat])
        ratios = [session(rng, blocks, pair, slower=slower, **machine) for pair in range(pairs)]
        low, high = log_ratio(ratios).ci
        found += not low <= 0 <= high
    return found / REPEATS


@pytest.mark.parametrize("memory", [0.0, 0.9])
@pytest.mark.parametrize("drift", [0.0, 0.3])
def test_equal_targets_are_found_different_in_five_percent_of_comparisons(memory: float, drift: float) -> None:
    share = found_different(5, 4, seed=1, memory=memory, drift=drift, between=0.03)
    assert 0.03 <= share <= 0.07


def test_blocks_as_units_would_be_a_false_alarm_machine_where_processes_differ() -> None:
    alarms = 0
    for repeat in range(REPEATS):
        rng = np.random.default_rng([3, repeat])
        machine = {"memory": 0.9, "drift": 0.0, "slower": 1.0, "between": 0.03}
        blocks = np.concatenate([session(rng, 12, pair, **machine) for pair in range(2)])
        alarms += scipy.stats.ttest_1samp(blocks, 0.0).pvalue < 0.05
    assert alarms / REPEATS > 0.3


def test_one_after_the_other_would_be_one_too() -> None:
    alarms = 0
    for repeat in range(REPEATS):
        machine = 0.05 * noise(np.random.default_rng([4, repeat]), 200, 0.9)
        alarms += scipy.stats.ttest_ind(machine[:100], machine[100:]).pvalue < 0.05
    assert alarms / REPEATS > 0.3


def test_five_pairs_find_a_target_that_takes_ten_percent_longer() -> None:
    assert found_different(5, 4, seed=5, slower=1.1, memory=0.9, drift=0.3, between=0.02) > 0.8
