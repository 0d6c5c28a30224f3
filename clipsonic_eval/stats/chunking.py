"""Iteration over the rows of an array in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

CHUNK_VALUES: Final = 4_000_000  # float64 values held at a time: 32 MB


def chunks(n: int, width: int) -> Iterator[slice]:
    """Yield consecutive slices of ``range(n)`` for which a float64 array (length of the slice, width) takes <= 32 MB.

    A slice holds at least one row, however wide.

    Args:
        n: rows.
        width: float64 values needed at a time for each row.

    Example:
        >>> [(part.start, part.stop) for part in chunks(5000, width=1000)]
        [(0, 4000), (4000, 5000)]
    """
    step = max(1, CHUNK_VALUES // max(1, width))
    for start in range(0, n, step):
        yield slice(start, min(n, start + step))
