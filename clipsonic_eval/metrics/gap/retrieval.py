"""Does an item find its own counterpart among all of them?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

_CHUNK_VALUES = 4_000_000
_TIE = 1e-9  # cosines of equal vectors differ by rounding


def recall_at_1(queries: Float64, gallery: Float64) -> Float64:
    """Return by query whether its own gallery item is the nearest one, (n,) in [0, 1].

    Equal best candidates (the same caption twice) share the hit, as if one of them were drawn at random.
    """
    n = len(queries)
    result = np.empty(n)
    step = max(1, _CHUNK_VALUES // n)
    for start in range(0, n, step):
        block = queries[start : start + step] @ gallery.T
        rows = np.arange(len(block))
        best = block.max(axis=1)
        among = block >= best[:, None] - _TIE
        result[start : start + step] = among[rows, start + rows] / among.sum(axis=1)
    return result
