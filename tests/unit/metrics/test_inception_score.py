"""The inception score against closed forms and a plain restatement of its definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, rel_entr, softmax

from clipsonic_eval import metrics
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics import METRICS, Inputs, SetMetric
from clipsonic_eval.metrics.inception import score_influence, weighted_scores
from clipsonic_eval.metrics.scoring import score_systems
from clipsonic_eval.stats.bootstrap import damped_weights, resample_counts
from clipsonic_eval.types import Embeddings, EncoderCard

NAMES = ("inception_score", "inception_score_10_splits")


def log_probabilities(logits: np.ndarray, keys: list[str] | None = None) -> Embeddings:
    classes = logits.shape[1]
    card = EncoderCard("c", "1" * 64, classes, ("audio",), "rate:16k", labels=tuple(map(str, range(classes))))
    keys = [f"k{i:03d}" for i in range(len(logits))] if keys is None else keys
    return Embeddings(log_softmax(logits, axis=1), tuple(keys), "audio", card)


def inception_score(system: Embeddings) -> float:
    return float(metrics.inception_score(system, n_boot=0))


def inception_score_10_splits(system: Embeddings) -> tuple[float, float]:
    found = metrics.inception_score_10_splits(system, n_boot=0)
    return float(found), found.details["split_std"]


def by_definition(probabilities: np.ndarray) -> float:
    return float(np.exp(rel_entr(probabilities, probabilities.mean(axis=0)).sum(axis=1).mean()))


def certain(classes: np.ndarray, k: int) -> Embeddings:
    return log_probabilities(np.where(np.arange(k) == classes[:, None], 60.0, 0.0))


def random_logits(n: int = 60, classes: int = 12, seed: int = 0) -> np.ndarray:
    return 3 * np.random.default_rng(seed).standard_normal((n, classes))


def metric(name: str) -> SetMetric:
    found = METRICS[name]
    assert isinstance(found, SetMetric)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_it_is_one_where_every_clip_gets_the_same_answer(name: str) -> None:
    for logits in (np.zeros((20, 7)), np.tile(random_logits(1, 7), (20, 1))):
        assert metric(name).value(Inputs(log_probabilities(logits))) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("k", [2, 5, 527])
def test_it_is_the_number_of_classes_where_each_is_heard_with_certainty_and_as_often(k: int) -> None:
    assert inception_score(certain(np.arange(2 * k) % k, k)) == pytest.approx(k, rel=1e-9)


def test_two_classes_one_heard_three_times_as_often_by_hand() -> None:
    classes = np.array([0, 0, 0, 1])
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert inception_score(certain(classes, 2)) == pytest.approx(np.exp(entropy), rel=1e-9)


def test_it_is_its_definition() -> None:
    logits = random_logits()
    assert inception_score(log_probabilities(logits)) == pytest.approx(
        by_definition(softmax(logits, axis=1)), rel=1e-12
    )


def test_rows_of_a_clip_are_averaged_as_probabilities() -> None:
    logits = random_logits(40)
    keys = [f"k{i // 2}" for i in range(40)]
    clips = softmax(logits, axis=1).reshape(20, 2, -1).mean(axis=1)
    assert inception_score(log_probabilities(logits, keys)) == pytest.approx(by_definition(clips), rel=1e-12)


def test_ten_splits_are_dealt_as_the_toolkits_deal_them() -> None:
    n = 67  # no multiple of ten: splits of six and seven
    logits = random_logits(n)
    dealt = softmax(logits, axis=1)[np.random.RandomState(2020).permutation(n)]
    parts = [by_definition(dealt[i * n // 10 : (i + 1) * n // 10]) for i in range(10)]
    mean, std = inception_score_10_splits(log_probabilities(logits))
    assert mean == pytest.approx(np.mean(parts), rel=1e-12)
    assert std == pytest.approx(np.std(parts, ddof=0), rel=1e-10)
    assert mean < inception_score(log_probabilities(logits))  # fewer clips, fewer classes that they can spread over


def test_fewer_clips_than_splits_are_refused() -> None:
    with pytest.raises(ShapeError, match="needs at least 10 clips, got 9; take inception_score"):
        inception_score_10_splits(log_probabilities(random_logits(9)))


@pytest.mark.parametrize("name", NAMES)
def test_unsure_answers_and_fewer_kinds_of_sound_lower_it(name: str) -> None:
    logits = random_logits(100)
    softer = [metric(name).value(Inputs(log_probabilities(logits * f))) for f in (2, 1, 0.5, 0.1)]
    assert np.diff(softer).max() < 0
    fewer = [metric(name).value(Inputs(log_probabilities(np.tile(logits[:m], (100 // m, 1))))) for m in (50, 10, 2)]
    assert np.diff(fewer).max() < 0


@pytest.mark.parametrize("name", NAMES)
def test_the_global_generator_is_left_alone(name: str) -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    metric(name).value(Inputs(log_probabilities(random_logits())))
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_resample_is_the_definition_with_weighted_clips() -> None:
    logits = random_logits(30)
    p = softmax(logits, axis=1)
    found = metric("inception_score").replicates([Inputs(log_probabilities(logits))], 4, 3)[0]
    keys = [f"k{i:03d}" for i in range(30)]
    for weights, value in zip(damped_weights(resample_counts(keys, 4, 3, "bootstrap-queries")), found, strict=True):
        share = weights / weights.sum()
        assert value == pytest.approx(np.exp(share @ rel_entr(p, share @ p).sum(axis=1)), rel=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_the_harness_gives_it_an_interval_without_a_word_on_covariances(name: str, caplog) -> None:
    system = Inputs(log_probabilities(random_logits(60, 100)))  # fewer clips than classes
    score = score_systems(metric(name), {"s": system}, n_boot=400, seed=0).scores["s"]
    assert score.ci is not None
    assert 1 <= score.ci[0] < score.value < score.ci[1]
    assert not caplog.records
    assert ("split_std" in score.details) == (name == "inception_score_10_splits")
    if "split_std" in score.details:
        assert score.details["split_std"] == inception_score_10_splits(system.system)[1]


def test_the_interval_covers_the_score_of_fresh_clips_of_the_same_kind() -> None:
    # At this n; the population is a fixed mixture from which clips are drawn.
    kinds = random_logits(8, 12, seed=5)
    rng = np.random.default_rng(1)
    draw = [log_probabilities(kinds[rng.integers(0, 8, 80)] + rng.standard_normal((80, 12))) for _ in range(200)]
    centre = np.mean([inception_score(d) for d in draw])
    scored = metric("inception_score")
    inside = [
        low <= centre <= high
        for low, high in (
            score_systems(scored, {"s": Inputs(d)}, n_boot=300, seed=0).scores["s"].ci for d in draw[:100]
        )
    ]
    assert np.mean(inside) > 0.87  # 95 % nominal; binomial standard error 0.022, less 3.6 of them


def test_the_influence_of_a_clip_is_the_derivative_in_its_weight() -> None:
    probabilities = softmax(random_logits(20), axis=1)
    found = score_influence(probabilities)
    step = 1e-5 * np.eye(20)
    ends = [weighted_scores(probabilities, 1 + sign * step) for sign in (1, -1)]
    assert found == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-9)
