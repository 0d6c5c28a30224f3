"""Directions of vectors at the ends of the floating-point range."""

from __future__ import annotations

import numpy as np
import pytest
from unit.metrics.data import embeddings

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics.vectors import unit


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_a_direction_does_not_depend_on_the_length(size: float) -> None:
    vectors = np.array([[3.0, 4.0], [-5.0, 12.0], [8.0, -15.0]]) * size  # squares of these leave the range
    wanted = [[3 / 5, 4 / 5], [-5 / 13, 12 / 13], [8 / 17, -15 / 17]]
    np.testing.assert_allclose(unit(embeddings(vectors)), wanted, rtol=1e-14)


def test_a_vector_of_zeros_has_no_direction() -> None:
    with pytest.raises(ShapeError, match="'k0001' is zero"):
        unit(embeddings(np.array([[1.0, 0.0], [0.0, 0.0]])))
