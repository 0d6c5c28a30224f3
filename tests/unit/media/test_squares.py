"""The square that an image encoder begins with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipsonic_eval.encoders import image_square, load_encoder
from clipsonic_eval.media.squares import Square

SIZES = st.integers(1, 90)
EDGES = st.sampled_from(["floor", "half-even"])


@settings(deadline=None, max_examples=40)
@given(height=SIZES, width=SIZES, side=st.integers(1, 40), rule=st.sampled_from(["round", "floor"]), edge=EDGES)
def test_a_square_has_its_side_and_cutting_it_again_changes_nothing(
    height: int, width: int, side: int, rule: Any, edge: Any
) -> None:
    image = np.random.default_rng(height * 100 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    once = Square(side, rule, edge).cut(image)
    assert once.shape == (side, side, 3)
    np.testing.assert_array_equal(Square(side, rule, edge).cut(once), once)


def test_the_middle_of_a_wide_image_is_kept() -> None:
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 200
    assert (Square(10).cut(image) == 200).all()


@pytest.mark.parametrize(("rule", "width"), [("round", 81), ("floor", 80)])
def test_the_long_side_is_made_whole_as_its_encoder_does(rule: Any, width: int) -> None:
    """48 / 90 of 151 pixels is 80.53: 81 or 80 pixels, of which the middle 48 are kept."""
    image = np.random.default_rng(0).integers(0, 256, (90, 151, 3), dtype=np.uint8)
    resized = np.asarray(Image.fromarray(image).resize((width, 48), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(Square(48, rule).cut(image), resized[:, 16:64])


@pytest.mark.parametrize(("edge", "left"), [("floor", 1), ("half-even", 2)])
def test_the_cut_is_made_whole_as_its_encoder_does(edge: Any, left: int) -> None:
    """Of 13 columns 10 are kept: 1.5 cannot be left out on both sides, and 1.5 is rounded to an even 2."""
    image = np.arange(10 * 13 * 3, dtype=np.uint16).reshape(10, 13, 3).astype(np.uint8)
    np.testing.assert_array_equal(Square(10, "floor", edge).cut(image), image[:, left : left + 10])


def test_the_toy_clip_sees_the_same_in_the_square_as_in_the_frame() -> None:
    encoder = load_encoder("toy-clip")
    square = image_square(encoder)
    assert square is not None
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((60, 80), (48, 48), (200, 90), (30, 31))]
    np.testing.assert_array_equal(encoder.image([square.cut(frame) for frame in frames]), encoder.image(frames))


def test_an_encoder_of_sound_has_no_square() -> None:
    assert image_square(load_encoder("toy-clap")) is None
