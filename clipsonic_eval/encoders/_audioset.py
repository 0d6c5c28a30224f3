"""The names of AudioSet's classes, in the order of the network's outputs."""

from __future__ import annotations

import functools
from pathlib import Path

from clipsonic_eval.files import read_csv


@functools.cache
def audioset_labels() -> tuple[str, ...]:
    """Return the 527 display names."""
    return tuple(row["display_name"] for row in read_csv(Path(__file__).parent / "_audioset_labels.csv"))
