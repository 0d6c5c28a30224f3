"""What the conditions of the study's systems know, by probes fitted on the training videos.

The attributes of the training videos serve the probes alone: no system is trained on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from clipsonic_eval import threads
from clipsonic_eval.clips import ClipStore
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.probes import probe_scores
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.tables import read_table
from clipsonic_eval.types import Embeddings, Score

_MOST: Final = 4000  # frames: the time of a fit grows with the cube
_ATTRIBUTES: Final = ("label", "count", "size")


def read_conditions(layout: Layout, conditions: Mapping[str, Embeddings], *, n_boot: int) -> tuple[Score, ...]:
    """Return what a probe reads from the conditions of the test queries, by :func:`probe_scores`.

    Args:
        layout: of the study.
        conditions: by name, (n, d) embeddings of the test queries.
        n_boot: resamples.
    """
    frames = _frames(layout)
    asked = read_queries(layout.queries("test"))
    truth = {"label": asked.labels, **asked.attributes}
    with threads.matrices(len(frames)):
        return tuple(probe_scores(frames, _shown(layout), conditions, truth, n_boot=n_boot))


def _frames(layout: Layout) -> Embeddings:
    """Return the embedding of one frame of each training video, (n, d); frames take turns, so that all are there."""
    store = ClipStore.open(layout.clips("videos"))
    if store.image_embeddings is None or store.image_space is None:
        raise UserError(f"{layout.clips('videos')}: holds no image embeddings; remove it and start again")
    rows = np.arange(min(len(store), _MOST))
    vectors = np.asarray(store.image_embeddings[rows, rows % store.image_embeddings.shape[1]])
    return Embeddings(vectors, tuple(store.keys[i] for i in rows), "image", store.image_space)


def _shown(layout: Layout) -> dict[str, dict[str, str]]:
    """Return the attributes of the training videos: by name, a value by key."""
    path = layout.world / "video_attributes.csv"
    table = read_table(path, ("key", "label"), required=("key", *_ATTRIBUTES), extra=("count", "size"))
    return {name: {row.values["key"]: row.values[name] for row in table.rows} for name in _ATTRIBUTES}
