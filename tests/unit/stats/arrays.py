"""Random sets of vectors for property tests: small, well scaled, made from a seed that hypothesis chooses."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.stats.pairwise import Rows

seeds = st.integers(0, 2**32 - 1)
dimensions = st.integers(1, 6)


def vectors(seed: int, n: int, d: int) -> Float64:
    """Return n correlated vectors of d dimensions, (n, d)."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + rng.standard_normal(d)


def rotation(seed: int, d: int) -> Float64:
    """Return a random orthogonal matrix, (d, d)."""
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]


def one_row_each(x: Float64) -> Rows:
    """Return vectors of one clip each."""
    return Rows(x, np.arange(len(x)))
