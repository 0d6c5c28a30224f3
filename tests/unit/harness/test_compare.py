"""Paired tests between systems: which pairs are tested, on which queries, and what a swap of the pair does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fake_encoders import card

from clipsonic_eval.harness.compare import compare_systems, identical_clips
from clipsonic_eval.metrics import METRICS, Inputs
from clipsonic_eval.metrics.scoring import Scored, score_systems
from clipsonic_eval.records import IDENTICAL, Comparison
from clipsonic_eval.types import Embeddings

N = 12


def embeddings(seed: int, move: float = 0.0, first: int = 0, n: int = N, modality: str = "audio") -> Embeddings:
    vectors = np.random.default_rng(seed).standard_normal((n, 3)) + move
    keys = tuple(f"q{i:02d}" for i in range(first, first + n))
    return Embeddings(vectors, keys, modality, card("e", 3))  # type: ignore[arg-type]


def inputs(**systems: Embeddings) -> dict[str, Inputs]:
    reference, prompts = embeddings(100), embeddings(101, n=2 * N, modality="text")
    return {name: Inputs(space, reference, prompts) for name, space in systems.items()}


def compared(
    metric: str, given: dict[str, Inputs], pairs: list[tuple[str, str]], **more: object
) -> tuple[list[Comparison], list[str]]:
    scored = score_systems(METRICS[metric], given, n_boot=60, seed=0)
    return compare_systems(
        METRICS[metric],
        given,
        scored,
        pairs,
        n_boot=60,
        n_permutations=200,
        seed=0,
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("metric", ["clap_score", "fad", "kad", "precision"])
def test_a_comparison_is_the_difference_of_the_scores_and_turns_its_sign_with_the_pair(metric: str) -> None:
    given = inputs(a=embeddings(1), b=embeddings(2, move=1.0))
    scores = score_systems(METRICS[metric], given, n_boot=60, seed=0).scores
    (there,), _ = compared(metric, given, [("a", "b")])
    (back,), _ = compared(metric, given, [("b", "a")])
    assert there.difference == pytest.approx(scores["a"].value - scores["b"].value)
    assert back.difference == -there.difference
    assert back.p_value == there.p_value
    assert there.ci is not None
    assert there.ci[0] <= there.difference <= there.ci[1]
    assert there.n == N
    assert there.higher_is_better == METRICS[metric].card.higher_is_better


@pytest.mark.parametrize("metric", ["clap_score", "fad"])
def test_only_the_queries_that_both_systems_answered_are_compared(metric: str) -> None:
    given = inputs(a=embeddings(1), b=embeddings(2, move=0.5, first=4))
    (found,), not_compared = compared(metric, given, [("a", "b")])
    assert found.n == N - 4
    assert not_compared == []
    common = {key for key in given["a"].system.keys if key in given["b"].system.keys}
    rows = {
        name: one.system.take(np.flatnonzero([key in common for key in one.system.keys])) for name, one in given.items()
    }
    alone = inputs(**rows)
    scores = score_systems(METRICS[metric], alone, n_boot=60, seed=0).scores
    assert found.difference == pytest.approx(scores["a"].value - scores["b"].value)


@pytest.mark.parametrize("metric", ["clap_score", "fad"])
def test_a_pair_with_too_few_common_queries_is_named_and_the_others_are_tested(metric: str) -> None:
    given = inputs(a=embeddings(1), b=embeddings(2), far=embeddings(3, first=N - 1))
    found, not_compared = compared(metric, given, [("a", "far"), ("a", "b")])
    assert [(c.a, c.b) for c in found] == [("a", "b")]
    assert not_compared == [
        f"{metric} of 'a' and 'far' not compared: it takes 2 queries that both answered, there are 1"
    ]


def test_a_pair_without_a_score_is_left_out_without_a_word() -> None:
    given = inputs(a=embeddings(1), one=embeddings(2, n=1))
    assert compared("fad", given, [("a", "one"), ("a", "nobody")]) == ([], [])


def test_systems_of_the_same_files_have_no_difference_and_nothing_to_test() -> None:
    given = inputs(a=embeddings(1), b=embeddings(1), c=embeddings(2))
    digests = {name: {key: f"{name[0] == 'c'}{key}" for key in one.system.keys} for name, one in given.items()}
    found, _ = compared("fad", given, [("a", "b"), ("a", "c")], digests=digests)
    by_pair = {(c.a, c.b): c for c in found}
    same = by_pair["a", "b"]
    assert (same.difference, same.ci, same.p_value, same.test) == (0.0, (0.0, 0.0), 1.0, IDENTICAL)
    assert by_pair["a", "c"].test != IDENTICAL


def test_one_clip_that_differs_makes_systems_different() -> None:
    same = {"q0": "x", "q1": "y"}
    assert identical_clips({"a": same, "b": {**same, "q2": "z"}}, ("a", "b")) == 2
    assert identical_clips({"a": same, "b": {"q0": "x", "q1": "other"}}, ("a", "b")) == 0
    assert identical_clips({"a": same}, ("a", "b")) == 0


def test_a_difference_that_is_there_is_found_and_one_that_is_not_is_not() -> None:
    near, far = embeddings(1), embeddings(1, move=3.0)
    (found,), _ = compared("fad", inputs(near=near, far=far), [("near", "far")])
    assert found.difference < 0
    assert found.p_value < 0.05
    jitter = dataclasses.replace(near, vectors=near.vectors + 1e-3 * embeddings(5).vectors)
    (found,), _ = compared("fad", inputs(near=near, jitter=jitter), [("near", "jitter")])
    assert found.p_value > 0.05


def test_a_mean_over_clips_can_be_compared_from_its_values_alone() -> None:
    given = inputs(a=embeddings(1), b=embeddings(2))
    scored = score_systems(METRICS["clap_score"], given, n_boot=60, seed=0)
    settings = {"n_boot": 60, "n_permutations": 200, "seed": 0}
    whole, _ = compare_systems(METRICS["clap_score"], given, scored, [("a", "b")], **settings)
    values, _ = compare_systems(METRICS["clap_score"], {}, Scored(scored.scores), [("a", "b")], **settings)
    assert whole == values
