"""The modality gap on sets whose centroids are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import distance

from clipsonic_eval import metrics
from clipsonic_eval.errors import ShapeError, SpaceError
from clipsonic_eval.metrics import gap
from clipsonic_eval.metrics.gap import geometry
from clipsonic_eval.metrics.gap.discrimination import recall_at_1, sides_recognised
from clipsonic_eval.stats.bootstrap import damped_weights, resample_counts
from clipsonic_eval.types import Embeddings, EncoderCard, as_embeddings

CARD = EncoderCard("clip", "0" * 64, 8, ("image", "text"), "")


def centroid_distance(x: np.ndarray, y: np.ndarray) -> float:
    return float(metrics.centroid_distance(x, y, n_boot=0))


def cone(axis: int, theta: float, n: int = 40, d: int = 8, seed: int = 0) -> np.ndarray:
    """Unit vectors at an angle ``theta`` to an axis e, in opposite pairs: their mean is cos(theta) e exactly."""
    u = np.random.default_rng(seed).standard_normal((n // 2, d))
    u[:, :2] = 0
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    x = np.sin(theta) * np.concatenate([u, -u])
    x[:, axis] = np.cos(theta)
    return x


def names(n: int) -> tuple[str, ...]:
    return tuple(f"k{i:03d}" for i in range(n))


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_two_cones_have_the_distance_of_their_axes() -> None:
    x, y = cone(0, 0.6), cone(1, 0.6)
    assert centroid_distance(x, y) == pytest.approx(np.sqrt(2) * np.cos(0.6), rel=1e-12)
    assert geometry.matched_cosines(x, y) == pytest.approx(np.full(40, np.sin(0.6) ** 2), rel=1e-12)
    assert geometry.centred_cosines(x, y) == pytest.approx(np.ones(40), rel=1e-12)


def test_means_over_pairs_leave_out_an_item_and_itself() -> None:
    rng = np.random.default_rng(1)
    x, y = unit(rng.standard_normal((9, 4))), unit(rng.standard_normal((9, 4)))
    off = ~np.eye(9, dtype=bool)
    assert float(metrics.within_cosine(x)) == pytest.approx((x @ x.T)[off].mean(), rel=1e-12)
    assert float(metrics.unmatched_cosine(x, y)) == pytest.approx((x @ y.T)[off].mean(), rel=1e-12)


def test_leaving_out_an_item_gives_the_statistic_of_the_others() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((7, 3)), rng.standard_normal((7, 3)) + 1
    without = geometry.mean_of_unmatched(x, y)[1]
    for i in range(7):
        rest = np.arange(7) != i
        assert without[i] == pytest.approx(geometry.mean_of_unmatched(x[rest], y[rest])[0], rel=1e-12)


def test_the_corrected_distance_has_no_bias_and_the_plug_in_has_the_known_one() -> None:
    rng = np.random.default_rng(3)
    shift, n, d = np.array([0.3, 0, 0, 0, 0, 0]), 12, 6
    plain, corrected = [], []
    for _ in range(4000):
        shared = rng.standard_normal((n, d))
        x, y = shared + shift + 0.5 * rng.standard_normal((n, d)), shared + 0.5 * rng.standard_normal((n, d))
        plain.append(np.linalg.norm((x - y).mean(axis=0)) ** 2)
        corrected.append(geometry.mean_of_unmatched(x - y, x - y)[0])
    error = np.std(corrected) / np.sqrt(4000)
    assert np.mean(corrected) == pytest.approx(0.09, abs=3 * error)
    assert np.mean(plain) == pytest.approx(0.09 + d * 0.5 / n, abs=3 * error)  # tr Cov(x - y) / n


def test_replicates_are_the_statistics_of_the_weighted_items() -> None:
    rng = np.random.default_rng(4)
    x, y = unit(rng.standard_normal((15, 5)) + 1), unit(rng.standard_normal((15, 5)))
    counts = resample_counts(names(15), 3, seed=0)
    distances = geometry.centroid_distance_replicates(x, y, counts)
    cosines = geometry.centred_cosine_replicates(x, y, counts)
    for i, w in enumerate(damped_weights(counts)):
        a, b = x - w @ x / 15, y - w @ y / 15
        assert distances[i] == pytest.approx(np.linalg.norm(w @ (x - y) / 15), rel=1e-12)
        assert cosines[i] == pytest.approx(w @ np.einsum("ij,ij->i", unit(a), unit(b)) / 15, rel=1e-9)


def test_separability_is_one_for_two_cones_and_a_coin_for_two_samples_of_one() -> None:
    rng = np.random.default_rng(5)
    assert sides_recognised(cone(0, 0.6), cone(1, 0.6, seed=1), names(40)).mean() == 1.0
    x, y = unit(rng.standard_normal((800, 8))), unit(rng.standard_normal((800, 8)))
    assert sides_recognised(x, y, names(800)).mean() == pytest.approx(0.5, abs=0.05)


def test_separability_is_counted_on_items_that_were_not_fitted() -> None:
    rng = np.random.default_rng(6)  # more dimensions than items: a rule that saw them would separate anything
    x, y = unit(rng.standard_normal((30, 200))), unit(rng.standard_normal((30, 200)))
    assert sides_recognised(x, y, names(30)).mean() == pytest.approx(0.5, abs=0.25)


def test_separability_does_not_depend_on_the_order_of_items() -> None:
    rng = np.random.default_rng(7)
    x, y, keys = unit(rng.standard_normal((50, 6)) + 0.4), unit(rng.standard_normal((50, 6))), names(50)
    order = rng.permutation(50)
    assert np.array_equal(
        sides_recognised(x, y, keys)[order], sides_recognised(x[order], y[order], [keys[i] for i in order])
    )


def test_recall_counts_the_own_counterpart_and_shares_ties() -> None:
    x = np.eye(4)
    assert recall_at_1(x, x).tolist() == [1, 1, 1, 1]
    assert recall_at_1(x, x[[1, 0, 2, 3]]).tolist() == [0, 0, 1, 1]
    doubled = np.array([[1.0, 0], [1.0, 0], [0, 1.0]])
    assert recall_at_1(doubled, doubled).tolist() == [0.5, 0.5, 1]


def test_mean_shift_closes_the_centroids_and_knows_nothing_more_about_an_item() -> None:
    rng = np.random.default_rng(8)
    shared = rng.standard_normal((400, 8))
    x = unit(shared + np.eye(8)[0] * 4)
    y = unit(shared + rng.standard_normal((400, 8)) + np.eye(8)[1] * 4)
    moved = gap.mean_shift(x, y, names(400))
    assert centroid_distance(x, moved) < 0.1 * centroid_distance(x, y)
    assert geometry.matched_cosines(x, moved).mean() > geometry.matched_cosines(x, y).mean() + 0.3
    assert geometry.centred_cosines(x, moved).mean() == pytest.approx(geometry.centred_cosines(x, y).mean(), abs=0.03)


def test_mean_shift_does_not_look_at_the_item_that_it_moves() -> None:
    rng = np.random.default_rng(9)
    x, y = unit(rng.standard_normal((20, 4))), unit(rng.standard_normal((20, 4)))
    moved = gap.mean_shift(x, y, names(20))
    x[3] = -x[3]
    assert np.array_equal(gap.mean_shift(x, y, names(20))[3], moved[3])


def embeddings(n: int, keys: tuple[str, ...], **changes: object) -> Embeddings:
    return Embeddings(np.random.default_rng(n).standard_normal((n, 8)), keys, "image", CARD)


def test_sets_meet_on_their_common_keys() -> None:
    a, b = embeddings(8, names(8)), embeddings(10, names(10)[::-1])
    keys, (x, y) = gap.paired([a, b])
    assert keys == names(8)
    assert np.allclose(x, unit(a.vectors))
    assert np.allclose(y, unit(b.vectors[::-1][:8]))


def test_sets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="2 keys are common to the 2 sets"):
        gap.paired([embeddings(6, names(6)), embeddings(6, ("k000", "k001", "a", "b", "c", "d"))])
    other = EncoderCard("clip", "1" * 64, 8, ("image", "text"), "")
    with pytest.raises(SpaceError, match="embed both with one encoder"):
        gap.paired([embeddings(6, names(6)), Embeddings(np.ones((6, 8)), names(6), "text", other)])
    with pytest.raises(ShapeError, match="at least 5 items"):
        sides_recognised(np.eye(4), np.eye(4), names(4))


def test_the_shift_curve_of_two_cones_is_the_one_that_can_be_drawn_by_hand() -> None:
    theta = 0.3
    x, y = cone(0, theta), cone(1, theta)
    amounts = [-0.5, 0.0, 0.5, 1.0, 3.0]
    found = gap.shift_curve(x, y, amounts)
    assert found[1] == pytest.approx(centroid_distance(x, y), rel=1e-12)
    for amount, signed in zip(amounts, found, strict=True):
        # moved along (e0 - e1) / sqrt 2 by half the amount, a vector (c, 0, s u) has this length
        step = amount / 2 / np.sqrt(2)
        c, s = np.cos(theta), np.sin(theta)
        length = np.sqrt((c - step) ** 2 + step**2 + s**2)
        assert signed == pytest.approx(np.sqrt(2) * (c - 2 * step) / length, rel=1e-12)
    assert found[-1] < 0 < found[-2]


def test_moving_one_side_ends_at_the_other_sides_centroid_and_no_gap_has_no_direction() -> None:
    x, y = cone(0, 0.01), cone(1, 0.01)
    curve = gap.shift_curve(x, y, np.linspace(0, np.sqrt(2), 6).tolist(), side="x")
    assert (np.diff(curve) < 0).all()
    assert abs(curve[-1]) < 0.01
    with pytest.raises(ShapeError, match="coincide"):
        gap.shift_curve(x, x, [0.1])


# --- the registered statistics against SciPy


def two_sides(n: int = 30, d: int = 6, seed: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return 3 * rng.standard_normal((n, d)) + 1, rng.standard_normal((n, d)) - 1


def test_cosines_are_those_of_scipy_whatever_the_lengths() -> None:
    image, text = two_sides()
    cosines = 1 - distance.cdist(image, text, "cosine")
    off = ~np.eye(30, dtype=bool)
    matched = metrics.matched_cosine(image, text)
    assert list(matched.per_clip.values()) == pytest.approx(np.diag(cosines).tolist(), rel=1e-12)
    assert float(matched) == pytest.approx(np.diag(cosines).mean(), rel=1e-12)
    assert float(metrics.unmatched_cosine(image, text)) == pytest.approx(cosines[off].mean(), rel=1e-12)
    for name, side in (("image_image_cosine", image), ("text_text_cosine", text), ("audio_audio_cosine", text)):
        within = 1 - distance.pdist(side, "cosine").mean()
        assert float(getattr(metrics, name)(side)) == pytest.approx(within, rel=1e-12)


def test_the_centred_cosine_is_that_of_centred_unit_vectors() -> None:
    image, text = two_sides()
    x, y = unit(image), unit(text)
    expected = 1 - np.diag(distance.cdist(x - x.mean(axis=0), y - y.mean(axis=0), "cosine"))
    found = metrics.matched_cosine_centred(image, text)
    assert list(found.per_clip.values()) == pytest.approx(expected.tolist(), rel=1e-10)


def test_recall_at_1_is_how_often_the_nearest_neighbour_is_the_own_one() -> None:
    image, text = two_sides()
    text[:20] = image[:20] + 0.1 * text[:20]
    cosines = 1 - distance.cdist(image, text, "cosine")
    own = np.arange(30)
    assert float(metrics.recall_at_1_to_image(image, text)) == np.mean(cosines.argmax(axis=0) == own)
    assert float(metrics.recall_at_1_from_image(image, text)) == np.mean(cosines.argmax(axis=1) == own)


def test_a_share_of_the_gap_is_one_minus_a_ratio_of_distances() -> None:
    image, text = two_sides()
    predicted = image + 0.5 * text
    for closed, measure in (
        (metrics.gap_closed_centroid, lambda y: float(metrics.centroid_distance(image, y))),
        (metrics.gap_closed, lambda y: 1 - float(metrics.matched_cosine(image, y))),
        (metrics.gap_closed_centred, lambda y: 1 - float(metrics.matched_cosine_centred(image, y))),
    ):
        assert float(closed(image, text, predicted)) == pytest.approx(1 - measure(predicted) / measure(text), rel=1e-12)


def test_no_gap_leaves_no_share_of_it_to_close() -> None:
    image, text = two_sides()
    with pytest.raises(ShapeError, match="gap_closed_centroid: image and text do not differ"):
        metrics.gap_closed_centroid(image, image, text)


def test_embeddings_are_paired_by_their_common_keys() -> None:
    image, text = two_sides()
    keys = [f"k{i:02d}" for i in range(30)]
    some = as_embeddings(image[5:], "image", modality="image", keys=keys[5:])
    others = as_embeddings(text[:25][::-1], "text", modality="text", keys=keys[:25][::-1])
    found = metrics.matched_cosine(some, others)
    assert found.n == 20
    assert float(found) == pytest.approx(float(metrics.matched_cosine(image[5:25], text[5:25])), rel=1e-12)


def test_cross_fitted_conditions_have_no_statistic_that_assumes_independent_items() -> None:
    image, text = (as_embeddings(x, "x") for x in two_sides())
    scores = gap.gap_scores(image, text, {"own": text, "given": text}, n_boot=30, cross_fitted=("own",))
    by_system = {name: {s.metric for s in scores if s.system == name} for name in ("own", "given")}
    assert by_system["given"] - by_system["own"] == {"centroid_distance_corrected", "separability"}
    origins = {s.system: "from:other-half" in s.signature for s in scores if s.system in by_system}
    assert origins == {"own": True, "given": False}
