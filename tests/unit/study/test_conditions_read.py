"""What the study's probes read from real frames of a small world."""

from __future__ import annotations

import numpy as np
import pytest

from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.probes import read_conditions
from clipsonic_eval.toyworld.write import WorldConfig, write_world
from clipsonic_eval.types import Embeddings

SIZES = {"videos": 30, "test": 8, "pictures": 0, "pairs": 0, "val": 0, "val_reference": 0, "reference": 0}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    found = Layout(tmp_path_factory.mktemp("study"))
    write_world(WorldConfig(**SIZES, workers=1), found.world)
    sources = {
        "videos": Source(found.world / "videos"),
        "test": Source(found.world, "manifest", csv=found.queries("test")),
    }
    for part, source in sources.items():
        settings = PrepareConfig(duration_s=0.96, window="first", image_encoder="toy-clip")
        assert not prepare(source, found.clips(part), settings).skipped
    return found


def centre_frames(store: ClipStore) -> Embeddings:
    assert store.image_embeddings is not None
    assert store.image_space is not None
    vectors = np.asarray(store.image_embeddings[:, store.centre])
    return Embeddings(vectors, tuple(store.keys), "image", store.image_space)


def test_every_condition_is_read_for_class_count_and_size_with_the_truth_of_the_queries(layout: Layout) -> None:
    image = centre_frames(ClipStore.open(layout.clips("test")))
    found = read_conditions(layout, {"image": image, "PD": image}, n_boot=20)
    assert {(s.metric, s.system) for s in found} == {
        (metric, system)
        for metric in ("class_accuracy", "count_accuracy", "size_error")
        for system in ("image", "PD", "constant")
    }
    assert {s.n for s in found} == {SIZES["test"]}
    assert all("fit:30" in s.signature and "probe-of-toy-clip" in s.signature for s in found)
    value = {(s.metric, s.system): s.value for s in found}
    assert value["class_accuracy", "image"] > value["class_accuracy", "constant"]
