"""Shares of right answers class by class: from metrics, through pooling over seeds, to the worst class."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest

from clipsonic_eval import class_shares
from clipsonic_eval.analysis.pooling import pool_scores
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.metrics import class_accuracy, count_accuracy, size_error
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Score

RIGHT = np.log(np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]))


def score(labels: list[int], heard: list[int]) -> Score:
    return class_accuracy(RIGHT[heard], labels=labels)


def test_a_class_has_the_share_of_its_own_clips() -> None:
    found = class_shares.shares(score([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2]))
    assert found == {"0": (pytest.approx(2 / 3), 3), "1": (0.5, 2), "2": (1.0, 1)}


def test_the_mean_of_the_shares_weighted_by_their_clips_is_the_value() -> None:
    rng = np.random.default_rng(0)
    labels, heard = rng.integers(0, 3, 60).tolist(), rng.integers(0, 3, 60).tolist()
    one = score(labels, heard)
    found = class_shares.shares(one)
    assert {name: n for name, (_, n) in found.items()} == {str(k): n for k, n in Counter(labels).items()}
    assert sum(share * n for share, n in found.values()) / one.n == pytest.approx(one.value)


def test_the_worst_class_is_the_lowest_and_the_first_by_name_among_equals() -> None:
    assert class_shares.worst(score([0, 1, 1, 2], [0, 1, 0, 2])) == ("1", 0.5, 2)
    assert class_shares.worst(score([2, 1, 0], [0, 0, 0])) == ("1", 0.0, 1)


def test_counts_have_shares_and_sizes_have_none() -> None:
    assert class_shares.shares(count_accuracy(RIGHT, labels=[0, 1, 1])) == {"0": (1.0, 1), "1": (0.5, 2)}
    sizes = size_error(np.zeros((3, 1)), labels=[0.1, 0.2, 0.3])
    assert class_shares.shares(sizes) == {}
    assert class_shares.worst(sizes) is None


def test_shares_are_pooled_over_training_seeds() -> None:
    first, second = score([0, 0, 1, 2], [0, 0, 0, 2]), score([0, 0, 1, 2], [0, 1, 1, 0])
    runs = [
        Run(f"seed-{k}", None, RunRecord("evaluate", (one,), tags={"train_seed": str(k)}))
        for k, one in enumerate((first, second))
    ]
    (pooled,) = pool_scores(runs).values()
    assert pooled.value == pytest.approx((first.value + second.value) / 2)
    assert class_shares.shares(pooled) == {"0": (0.75, 2), "1": (0.5, 1), "2": (0.5, 1)}


def test_systems_are_listed_with_the_worst_class_of_their_class_accuracy_alone() -> None:
    one = dataclasses.replace(score([0, 1, 1], [0, 1, 2]), system="PD")
    other = dataclasses.replace(count_accuracy(RIGHT, labels=[0, 0, 0]), system="ZS")
    assert class_shares.worst_by_system([one, other]) == {"PD": {"class": "1", "share": 0.5, "n": 2}}
