"""Precision to coverage, diversity, retrieval and the distance per clip: cases that are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial import distance
from unit.metrics.data import card, embeddings

from clipsonic_eval import metrics
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics import METRICS, ClipMetric, Inputs, SetMetric
from clipsonic_eval.metrics.retrieval import Direction, _metric
from clipsonic_eval.metrics.scoring import score_systems
from clipsonic_eval.stats.frechet import squared_frechet
from clipsonic_eval.types import Embeddings

RNG = np.random.default_rng


def number(name: str) -> Callable[..., float]:
    """Return a metric's function of embeddings, without an interval."""
    return lambda *sets: float(getattr(metrics, name)(*sets, n_boot=0))


precision, recall, density, coverage, diversity, diversity_distance = (
    number(name) for name in ("precision", "recall", "density", "coverage", "diversity", "diversity_distance")
)


def fad_per_clip(reference: Embeddings, system: Embeddings) -> dict[str, float]:
    return dict(metrics.fad_per_clip(reference, system, n_boot=0).per_clip)


def retrieval(audio: Embeddings, text: Embeddings, direction: Direction, k: int) -> dict[str, float]:
    """Recall at any k, also at one that no registered metric has."""
    metric = _metric(direction, k)
    return metric.per_clip(Inputs(audio, prompts=text))


def test_the_four_shares_of_a_set_and_itself_and_of_sets_far_apart() -> None:
    x = embeddings(RNG(0).standard_normal((40, 6)).astype(np.float32))
    far = embeddings(x.vectors + np.float32(50))
    assert [f(x, x) for f in (precision, recall, coverage)] == [1, 1, 1]
    assert density(x, x) == pytest.approx(1.2)  # the five neighbours and the centre, over five
    assert [f(x, far) for f in (precision, recall, density, coverage)] == [0, 0, 0, 0]


def test_precision_belongs_to_the_system_and_recall_to_the_reference() -> None:
    rng = RNG(1)
    modes = np.repeat([[0.0, 0.0], [20.0, 0.0]], 30, axis=0)
    reference = embeddings(modes + rng.standard_normal((60, 2)))
    one_mode = embeddings(rng.standard_normal((60, 2)) * 0.5)
    assert precision(reference, one_mode) > 0.9
    assert recall(reference, one_mode) <= 0.5
    assert coverage(reference, one_mode) <= 0.5
    assert precision(one_mode, reference) <= 0.5


def test_too_few_rows_for_the_neighbours_are_refused() -> None:
    x = embeddings(RNG(2).standard_normal((6, 2)))
    with pytest.raises(ShapeError, match="recall looks at 5 neighbours and needs at least 7 rows in the system, got 6"):
        recall(embeddings(RNG(3).standard_normal((20, 2))), x)


def test_a_perfect_share_has_an_interval_of_some_width() -> None:
    x = embeddings(RNG(4).standard_normal((30, 2)))
    metric = METRICS["coverage"]
    assert isinstance(metric, SetMetric)
    score = score_systems(metric, {"a": Inputs(x, x)}, n_boot=100, seed=0).scores["a"]
    assert score.ci == pytest.approx((0.8865, 1.0), abs=1e-4)  # Wilson at 30 of 30
    assert score.ci_method == "halves-clip-100-wilson"


def test_diversity_is_the_mean_over_pairs_of_different_clips() -> None:
    x = RNG(5).standard_normal((12, 4))
    ones = embeddings(x)
    assert diversity(ones) == pytest.approx(distance.pdist(x, "cosine").mean(), rel=1e-12)
    assert diversity_distance(ones) == pytest.approx(distance.pdist(x).mean(), rel=1e-12)
    pairs = embeddings(x, rows=2)
    apart = np.not_equal.outer(np.arange(12) // 2, np.arange(12) // 2)
    assert diversity(pairs) == pytest.approx(distance.squareform(distance.pdist(x, "cosine"))[apart].mean(), rel=1e-12)
    assert diversity_distance(pairs) == pytest.approx(distance.squareform(distance.pdist(x))[apart].mean(), rel=1e-12)


def test_one_sound_again_and_again_has_no_diversity() -> None:
    assert diversity(embeddings(np.ones((9, 3)))) == pytest.approx(0, abs=1e-12)
    assert diversity_distance(embeddings(np.ones((9, 3)))) == 0


def text(vectors: np.ndarray) -> Embeddings:
    return embeddings(vectors, modality="text")


def test_retrieval_with_several_captions_agrees_with_counting_by_hand() -> None:
    """Every cosine is ranked by itself here: any caption of the clip counts, each caption asks, equal texts share."""
    rng = RNG(5)
    n, dim = 12, 6
    clips = rng.standard_normal((n, dim)).astype(np.float32)
    owner = np.array([i for i in range(n) for _ in range(1 + i % 4)])
    captions = (clips[owner] + 1.2 * rng.standard_normal((len(owner), dim))).astype(np.float32)
    captions[5] = captions[0]  # the same text for two clips: both answer it
    audio = Embeddings(clips, tuple(f"k{i:02d}" for i in range(n)), "audio", card(dim))
    prompts = Embeddings(captions, tuple(f"k{i:02d}" for i in owner), "text", card(dim))
    cosines = 1 - distance.cdist(clips.astype(float), captions.astype(float), "cosine")
    equal = distance.cdist(captions, captions) == 0
    texts = [j for j in range(len(owner)) if equal[j].argmax() == j]
    for k in (1, 3):
        by_clip, asked = {}, {}
        for i in range(n):
            best = sorted(texts, key=lambda j: -cosines[i, j])[:k]
            by_clip[f"k{i:02d}"] = float(any(i in owner[equal[j]] for j in best))
            hits = [
                bool(set(np.argsort(-cosines[:, j])[:k].tolist()) & set(owner[equal[j]].tolist()))
                for j in np.flatnonzero(owner == i)
            ]
            asked[f"k{i:02d}"] = float(np.mean(hits))
        assert retrieval(audio, prompts, "audio_to_text", k) == by_clip
        assert retrieval(audio, prompts, "text_to_audio", k) == pytest.approx(asked)
        assert 0 < np.mean(list(asked.values())) < 1


def test_retrieval_finds_the_own_counterpart_among_the_k_nearest() -> None:
    angles = np.linspace(0, 1, 12)
    clips = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    shifted = np.roll(clips, 2, axis=0)  # a prompt lies at the clip two places before its own
    assert set(retrieval(embeddings(clips), text(clips), "text_to_audio", 1).values()) == {1.0}
    found = {k: list(retrieval(embeddings(clips), text(shifted), "text_to_audio", k).values()) for k in (1, 4, 5)}
    assert found[1] == [0] * 12
    assert found[5] == [0, 0] + [1] * 10
    assert found[4] == pytest.approx(
        [0, 0, 1, 1] + [0.5] * 8
    )  # the clip four places before lies as near as the own one
    assert METRICS["retrieval_text_to_audio_r5"].card.min_n == 6


def test_prompts_of_equal_text_are_right_together() -> None:
    """Three prompts, two of them the same: each finds a right clip, whichever of the two comes first."""
    prompts = np.eye(3)[[0, 0, 1]]
    clips = np.array([[1.0, 0.1, 0], [1.0, 0, 0.3], [0, 1.0, 0]])
    assert list(retrieval(embeddings(clips), text(prompts), "text_to_audio", 1).values()) == [1, 1, 1]
    assert list(retrieval(embeddings(clips), text(prompts), "audio_to_text", 1).values()) == [1, 1, 1]
    swapped = np.eye(3)[[1, 0, 0]]
    assert list(retrieval(embeddings(clips), text(swapped), "text_to_audio", 1).values()) == [0, 0, 0]
    assert list(retrieval(embeddings(clips), text(swapped), "audio_to_text", 1).values()) == [0, 1, 0]


@pytest.mark.parametrize(("k", "chance"), [(1, 0.1), (5, 0.5), (10, 1.0)])
def test_equal_sounds_find_no_more_than_chance(k: int, chance: float) -> None:
    clips, prompts = np.ones((10, 3)), RNG(6).standard_normal((10, 3))
    assert list(retrieval(embeddings(clips), text(prompts), "text_to_audio", k).values()) == pytest.approx(
        [chance] * 10
    )


def test_retrieval_does_not_depend_on_order_and_pairs_by_key() -> None:
    rng = RNG(7)
    clips, prompts = embeddings(rng.standard_normal((40, 5))), text(rng.standard_normal((40, 5)))
    turned = clips.take(rng.permutation(40))
    for direction in ("text_to_audio", "audio_to_text"):
        assert retrieval(turned, prompts.take(rng.permutation(40)), direction, 5) == retrieval(
            clips, prompts, direction, 5
        )
    assert retrieval(clips.take(np.arange(5)), prompts.take(np.arange(5, 40)), "text_to_audio", 1) == {}


def test_the_distance_by_clip_is_that_of_its_own_gaussian() -> None:
    rng = RNG(8)
    reference = embeddings(rng.standard_normal((300, 12)).astype(np.float32) + 2)
    sizes = [2, 30, 5, 5, 12, 13, 2]
    parts = [rng.standard_normal((m, 12)).astype(np.float32) * 0.7 + 2 for m in sizes]
    keys = tuple(f"c{i}" for i, m in enumerate(sizes) for _ in range(m))
    order = rng.permutation(len(keys))
    system = Embeddings(np.concatenate(parts), keys, "audio", card(12)).take(order)
    found = fad_per_clip(reference, system)
    expected = {f"c{i}": squared_frechet(reference.vectors, part) for i, part in enumerate(parts)}
    assert found == pytest.approx(expected, rel=1e-10)


def test_clips_of_equal_rows_and_nearly_equal_rows_are_exact() -> None:
    rng = RNG(9)
    reference = rng.standard_normal((50, 8))
    still = np.repeat(rng.standard_normal((1, 8)), 6, axis=0)
    nearly = still + 1e-7 * rng.standard_normal((6, 8))
    flat = np.outer(rng.standard_normal(6), np.ones(8))
    system = embeddings(np.concatenate([still, nearly, flat]), rows=6)
    found = list(fad_per_clip(embeddings(reference), system).values())
    assert found == pytest.approx([squared_frechet(reference, x) for x in (still, nearly, flat)], rel=1e-10)


def test_clips_with_one_row_are_listed_and_left_out() -> None:
    rng = RNG(10)
    system = Embeddings(rng.standard_normal((5, 3)), ("a", "a", "b", "c", "c"), "audio", card(3))
    metric = METRICS["fad_per_clip"]
    assert isinstance(metric, ClipMetric)
    given = {"s": Inputs(system, embeddings(rng.standard_normal((9, 3))))}
    score = score_systems(metric, given, n_boot=50, seed=0).scores["s"]
    assert set(score.per_clip) == {"a", "c"}
    assert (score.n, score.n_rows) == (2, 4)
    assert [(s.key, "needs at least 2 embedding rows" in s.reason) for s in score.skipped] == [("b", True)]
