"""The names of AudioSet's classes, in the order of the network's outputs."""

from __future__ import annotations

import csv
import functools
from pathlib import Path


@functools.cache
def audioset_labels() -> tuple[str, ...]:
    """Return the 527 display names."""
    with (Path(__file__).parent / "audioset_labels.csv").open(newline="", encoding="utf-8") as stream:
        return tuple(row["display_name"] for row in csv.DictReader(stream))
