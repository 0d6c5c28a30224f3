"""KL in both directions and with both ways of pooling windows: closed forms, scipy, direction."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.special import log_softmax, rel_entr, softmax

from clipsonic_eval import metrics
from clipsonic_eval.errors import ShapeError, SpaceError
from clipsonic_eval.metrics import METRICS, ClipMetric, Inputs
from clipsonic_eval.types import Embeddings, EncoderCard


def per_clip(name: str):
    """Return a function of (real, generated) that gives a metric's values by key."""

    def values(real: Embeddings, generated: Embeddings) -> dict[str, float]:
        return dict(getattr(metrics, name)(generated, real=real, n_boot=0).per_clip)

    values.__name__ = name
    return values


ALL = [per_clip(name) for name in ("kl", "kl_reverse", "kl_mean_logits", "kl_reverse_mean_logits")]
kl, kl_reverse, kl_mean_logits, kl_reverse_mean_logits = ALL


def card(classes: int) -> EncoderCard:
    return EncoderCard("c", "1" * 64, classes, ("audio",), "rate:16k", labels=tuple(map(str, range(classes))))


def log_probabilities(logits: np.ndarray, keys: str) -> Embeddings:
    return Embeddings(log_softmax(logits, axis=1), tuple(keys), "audio", card(logits.shape[1]))


def logits(seed: int, rows: int, classes: int = 527) -> np.ndarray:
    return 4 * np.random.default_rng(seed).standard_normal((rows, classes))


def test_directions_of_two_classes_by_hand() -> None:
    real, generated = log_probabilities(np.log([[0.36, 0.64]]), "a"), log_probabilities(np.log([[0.5, 0.5]]), "a")
    assert kl(real, generated)["a"] == pytest.approx(0.36 * np.log(0.72) + 0.64 * np.log(1.28), rel=1e-12)
    assert kl_reverse(real, generated)["a"] == pytest.approx(-0.5 * np.log(4 * 0.36 * 0.64), rel=1e-12)


def test_scipy_says_the_same_for_the_classes_of_audioset() -> None:
    p, q = logits(0, 3), logits(1, 3)
    real, generated = log_probabilities(p, "abc"), log_probabilities(q, "abc")
    for function, first, second in ((kl, p, q), (kl_reverse, q, p)):
        expected = rel_entr(softmax(first, axis=1), softmax(second, axis=1)).sum(axis=1)
        assert list(function(real, generated).values()) == pytest.approx(list(expected), rel=1e-10)


def test_a_mean_of_logits_is_what_a_softmax_of_averaged_logits_gives() -> None:
    p, q = logits(2, 4), logits(3, 6)
    real, generated = log_probabilities(p, "aabb"), log_probabilities(q, "bbbaaa")
    mean_p, mean_q = (softmax(x, axis=-1) for x in (p[:2].mean(axis=0), q[3:].mean(axis=0)))
    assert kl_mean_logits(real, generated)["a"] == pytest.approx(rel_entr(mean_p, mean_q).sum(), rel=1e-10)
    assert kl_reverse_mean_logits(real, generated)["a"] == pytest.approx(rel_entr(mean_q, mean_p).sum(), rel=1e-10)
    by_probability = softmax(p[:2], axis=1).mean(axis=0), softmax(q[3:], axis=1).mean(axis=0)
    assert kl(real, generated)["a"] == pytest.approx(rel_entr(*by_probability).sum(), rel=1e-10)
    assert kl_reverse(real, generated)["a"] == pytest.approx(rel_entr(*by_probability[::-1]).sum(), rel=1e-10)


def test_one_row_by_clip_leaves_nothing_to_pool() -> None:
    real, generated = log_probabilities(logits(4, 2), "ab"), log_probabilities(logits(5, 2), "ba")
    assert kl_mean_logits(real, generated) == pytest.approx(kl(real, generated), rel=1e-12)
    assert kl_reverse_mean_logits(real, generated) == pytest.approx(kl_reverse(real, generated), rel=1e-12)


def test_a_missed_class_costs_in_one_direction_and_an_invented_one_in_the_other() -> None:
    both = log_probabilities(np.log([[0.495, 0.495, 0.01]]), "a")
    one = log_probabilities(np.log([[0.99, 0.005, 0.005]]), "a")
    # the real clip holds two classes and the system makes one of them
    assert kl(both, one)["a"] > 2 * kl_reverse(both, one)["a"]
    # the real clip holds one class and the system adds another
    assert kl_reverse(one, both)["a"] > 2 * kl(one, both)["a"]


@pytest.mark.parametrize("function", ALL)
def test_keys_that_only_one_side_has_are_left_out(function) -> None:
    found = function(log_probabilities(logits(6, 3, 5), "abx"), log_probabilities(logits(6, 3, 5), "yba"))
    assert set(found) == {"a", "b"}


@pytest.mark.parametrize("function", ALL)
def test_it_is_zero_for_equal_clips_and_grows_with_what_differs(function) -> None:
    real = log_probabilities(logits(7, 4, 20), "aabb")
    away = [real.vectors + step * np.linspace(-1, 1, 20) for step in (0, 0.5, 1, 2)]
    values = [function(real, log_probabilities(rows, "aabb"))["a"] for rows in away]
    assert values[0] == pytest.approx(0, abs=1e-12)
    assert np.diff(values).min() > 0


@pytest.mark.parametrize("function", ALL)
def test_another_classifier_and_vectors_that_are_none_are_refused(function) -> None:
    real = log_probabilities(logits(8, 1, 3), "a")
    with pytest.raises(SpaceError, match="different spaces cannot be compared"):
        function(real, dataclasses.replace(real, space=dataclasses.replace(real.space, weights_sha256="2" * 64)))
    raw = dataclasses.replace(real, vectors=np.array([[1.0, 2.0, 3.0]]))
    with pytest.raises(ShapeError, match="of 'a' do not sum to 1"):
        function(raw, raw)


@pytest.mark.parametrize("function", ALL)
def test_the_registered_metric_is_the_function_and_its_signature_says_how(function) -> None:
    metric = METRICS[function.__name__]
    assert isinstance(metric, ClipMetric)
    real, generated = log_probabilities(logits(9, 4, 6), "aabb"), log_probabilities(logits(10, 4, 6), "aabb")
    assert metric.per_clip(Inputs(generated, real=real)) == function(real, generated)
    assert ("dir:generated-real" in metric.card.signature) == ("reverse" in metric.card.name)
    assert ("rows:mean-logit" in metric.card.signature) == ("mean_logits" in metric.card.name)
    with pytest.raises(ShapeError, match=f"{metric.card.name} needs the queries' own audio"):
        metric.per_clip(Inputs(generated))
