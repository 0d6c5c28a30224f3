"""The classes of AudioSet, which PANNs and PaSST were trained on, in the order of their networks' outputs.

``_audioset_labels.csv`` is ``class_labels_indices.csv`` of AudioSet (Google; J. Gemmeke et al., Audio Set: An Ontology
and Human-Labeled Dataset for Audio Events, ICASSP 2017; CC BY 4.0).
"""

from __future__ import annotations

import functools
from pathlib import Path

from clipsonic_eval.files import read_csv


@functools.cache
def audioset_labels() -> tuple[str, ...]:
    """Return the 527 display names."""
    return tuple(row["display_name"] for row in read_csv(Path(__file__).parent / "_audioset_labels.csv"))
