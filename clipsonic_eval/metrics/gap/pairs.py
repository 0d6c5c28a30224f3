"""Bring several sets of embeddings to common keys and unit length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._vectors import check_space, rows_by_key, unit
from clipsonic_eval.types import Embeddings

MIN_PAIRS = 5


def paired(sets: Sequence[Embeddings]) -> tuple[tuple[str, ...], list[Float64]]:
    """Return the keys that all sets have, sorted, and the unit vectors of each set in that order.

    Args:
        sets: of one space, one row by key.

    Raises:
        SpaceError: they come from different encoders.
        ShapeError: a key stands twice, a vector is zero, or fewer than five keys are common to all.
    """
    rows = []
    for other in sets:
        check_space(sets[0], other, across=True)
        rows.append(rows_by_key(other))
    keys = tuple(sorted(set(rows[0]).intersection(*rows[1:])))
    if len(keys) < MIN_PAIRS:
        raise ShapeError(
            f"{len(keys)} keys are common to the {len(sets)} sets, but gap statistics need at least {MIN_PAIRS}; "
            "are the sets keyed alike?"
        )
    chosen = [s.take(np.array([row[k] for k in keys])) for s, row in zip(sets, rows, strict=True)]
    return keys, [unit(s) for s in chosen]
