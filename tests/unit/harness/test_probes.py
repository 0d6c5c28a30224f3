"""What conditions know: probes fitted on frames and applied to what stands in their place."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clipsonic_eval import class_shares
from clipsonic_eval.errors import ShapeError, SpaceError
from clipsonic_eval.harness.probes import probe_scores
from clipsonic_eval.stats.probes import CONSTANT
from clipsonic_eval.types import Embeddings, EncoderCard, Score

CARD = EncoderCard("clip", "0" * 64, 12, ("image", "text"), "", world="toy")
CLASSES = ("bee", "bell", "dog")
Shown = dict[str, dict[str, str]]


def scenes(n: int, seed: int, name: str) -> tuple[Embeddings, Shown]:
    """Embeddings that show class, count and size in directions of their own, and what they show."""
    rng = np.random.default_rng(seed)
    label, count, size = rng.integers(0, 3, n), rng.integers(0, 3, n), rng.random(n)
    vectors = np.concatenate([np.eye(3)[label], np.eye(3)[count], size[:, None], rng.standard_normal((n, 5)) / 5], 1)
    keys = tuple(f"{name}{i:04d}" for i in range(n))
    shown = {
        "label": {key: CLASSES[k] for key, k in zip(keys, label, strict=True)},
        "count": {key: str(k + 1) for key, k in zip(keys, count, strict=True)},
        "size": {key: f"{s:.4f}" for key, s in zip(keys, size, strict=True)},
    }
    return Embeddings(vectors.astype(np.float32), keys, "image", CARD), shown


FRAMES, SHOWN = scenes(400, 0, "v")
IMAGES, ASKED = scenes(200, 1, "t")


def damaged(*columns: int) -> Embeddings:
    """Return the images with some directions replaced by those of other images."""
    vectors = IMAGES.vectors.copy()
    vectors[:, columns] = np.roll(vectors[:, columns], 7, axis=0)
    return dataclasses.replace(IMAGES, vectors=vectors)


def by_name(scores: list[Score]) -> dict[tuple[str, str], Score]:
    return {(s.metric, s.system): s for s in scores}


def test_a_condition_knows_what_was_left_in_it() -> None:
    conditions = {"image": IMAGES, "no count": damaged(3, 4, 5), "no size": damaged(6), "no class": damaged(0, 1, 2)}
    found = by_name(probe_scores(FRAMES, SHOWN, conditions, ASKED, n_boot=40))
    assert found["class_accuracy", "image"].value > 0.95
    assert found["count_accuracy", "image"].value > 0.95
    assert found["size_error", "image"].value < 0.08
    for metric, lost in (("class_accuracy", "no class"), ("count_accuracy", "no count")):
        assert found[metric, lost].value == pytest.approx(1 / 3, abs=0.12)
    assert found["class_accuracy", "no count"].value > 0.9
    assert found["size_error", "no size"].value > 0.25  # two independent uniform sizes differ by 1/3


def test_the_constant_answer_is_the_share_of_one_class_and_a_quarter_of_the_sizes() -> None:
    found = by_name(probe_scores(FRAMES, SHOWN, {"image": IMAGES}, ASKED, n_boot=40))
    most = max(CLASSES, key=list(SHOWN["label"].values()).count)
    share = list(ASKED["label"].values()).count(most) / len(IMAGES)
    assert found["class_accuracy", CONSTANT].value == pytest.approx(share)
    assert found["size_error", CONSTANT].value == pytest.approx(0.25, abs=0.02)


def test_readings_carry_n_interval_and_a_signature_that_names_the_probe() -> None:
    found = probe_scores(FRAMES, SHOWN, {"image": IMAGES, "PD": IMAGES}, ASKED, n_boot=40, seed=3)
    for score in found:
        assert score.n == len(IMAGES)
        assert score.ci is not None
        assert score.ci[0] <= score.value <= score.ci[1]
        assert "|enc:probe-of-clip+" in score.signature
        assert "fit:400" in score.signature
        assert score.seed == 3
    assert len({s.signature for s in found}) == 3  # one for each metric: conditions compare
    assert set(class_shares.shares(found[0])) == set(CLASSES)


def test_attributes_that_only_one_side_knows_are_left_out() -> None:
    found = probe_scores(FRAMES, {"label": SHOWN["label"]}, {"image": IMAGES}, ASKED, n_boot=40)
    assert {s.metric for s in found} == {"class_accuracy"}


def test_more_noise_means_less_known() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(IMAGES.vectors.shape).astype(np.float32)
    levels = (0.0, 0.3, 0.6, 1.5)
    conditions = {f"{v}": dataclasses.replace(IMAGES, vectors=IMAGES.vectors + v * noise) for v in levels}
    found = by_name(probe_scores(FRAMES, SHOWN, conditions, ASKED, n_boot=0))
    assert sorted((found["class_accuracy", f"{v}"].value for v in levels), reverse=True) == [
        found["class_accuracy", f"{v}"].value for v in levels
    ]


def test_a_condition_of_another_space_and_a_frame_without_an_attribute_are_refused() -> None:
    other = dataclasses.replace(IMAGES, space=dataclasses.replace(CARD, name="other"))
    with pytest.raises(SpaceError, match="embed both with one encoder"):
        probe_scores(FRAMES, SHOWN, {"image": other}, ASKED)
    fewer = {**SHOWN, "count": {k: v for k, v in SHOWN["count"].items() if k != "v0003"}}
    with pytest.raises(
        ShapeError, match="probe of count_accuracy: 1 of 400 frames have no count, the first is 'v0003'"
    ):
        probe_scores(FRAMES, fewer, {"image": IMAGES}, ASKED)
