"""Checks of embeddings: copies, memorised clips, too few rows, NaN."""

from __future__ import annotations

import numpy as np
import pytest
from unit.metrics.data import card, embeddings

from clipsonic_eval.checks import embeddings as checks
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.types import Embeddings

RNG = np.random.default_rng


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    rng = RNG(0)
    system, reference, training = (embeddings(rng.standard_normal((60, 8))) for _ in range(3))
    assert checks.few(system) == checks.duplicates(system) == []
    assert checks.memorised(system, training, reference) == []


def test_copies_are_found_to_the_last_bit_and_by_clip() -> None:
    x = RNG(1).standard_normal((8, 3)).astype(np.float32)
    x[5], x[2], x[3] = x[0], x[0], x[1]
    groups = checks.duplicates(embeddings(x))
    assert [g.keys for g in groups] == [("k0000", "k0002", "k0005"), ("k0001", "k0003")]
    assert "3 clips ('k0000', 'k0002', 'k0005') have exactly the same embeddings" in groups[0].sentence
    x[5] = np.nextafter(x[5], np.float32(9))
    assert checks.duplicates(embeddings(x))[0].keys == ("k0000", "k0002")
    one_row_in_common = np.stack([x[0], x[1], x[0], x[4]])
    assert checks.duplicates(embeddings(one_row_in_common, rows=2)) == []


def test_clips_near_to_a_training_clip_are_found_and_ordinary_ones_are_not() -> None:
    rng = RNG(2)
    training, reference = rng.standard_normal((300, 10)) + 5, rng.standard_normal((200, 10)) + 5
    system = rng.standard_normal((50, 10)) + 5
    assert checks.memorised(*map(embeddings, (system, training, reference))) == []
    system[7] = training[123] + 0.01
    (finding,) = checks.memorised(*map(embeddings, (system, training, reference)))
    assert finding.keys == ("k0007",)
    assert "nearest 'k0007' to 'k0123'" in finding.sentence


def test_a_reference_out_of_the_training_set_says_nothing_about_memory() -> None:
    x = embeddings(RNG(3).standard_normal((40, 4)))
    (finding,) = checks.memorised(x, x, x)
    assert "the reference holds clips of the training set" in finding.sentence
    with pytest.raises(ShapeError, match="at least 20 reference clips, got 5"):
        checks.memorised(x, x, x.take(np.arange(5)))


def test_no_more_rows_than_dimensions_are_named() -> None:
    (finding,) = checks.few(embeddings(RNG(4).standard_normal((8, 8))))
    assert finding.check == "few"
    assert "8 rows for 8 dimensions" in finding.sentence
    assert checks.few(embeddings(RNG(4).standard_normal((9, 8)))) == []


def test_sets_of_clips_with_many_rows_are_checked_by_clip() -> None:
    rng = RNG(5)
    reference = embeddings(rng.standard_normal((90, 6)), rows=3)
    system = Embeddings(rng.standard_normal((12, 6)), tuple("aaabbbcccddd"), "audio", card(6))
    training = embeddings(rng.standard_normal((60, 6)), rows=2)
    assert checks.memorised(system, training, reference) == []
