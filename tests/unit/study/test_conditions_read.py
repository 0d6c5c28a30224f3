"""What the study's probes read: frames of the training videos against the tables of a world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clipsonic_eval.study import probes
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.toyworld.items import scene_of
from clipsonic_eval.toyworld.write import WorldConfig, _write_tables
from clipsonic_eval.types import Embeddings, EncoderCard

VIDEOS, TEST, FRAMES = 120, 40, 3
CARD = EncoderCard("toy-clip", "0" * 64, 16, ("image", "text"), "", world="toy")


def shown(part: str, n: int) -> np.ndarray:
    """Return vectors, (n, 16), that show class, count and size in directions of their own."""
    scenes = [scene_of(part, f"{part}-{k:06d}", 0) for k in range(n)]
    rows = [[*np.eye(12)[s.label], *np.eye(3)[s.count - 1], s.size] for s in scenes]
    return np.array(rows, np.float32)


class Store:
    """Prepared clips, as far as probes look at them."""

    image_space = CARD

    def __init__(self, keys: tuple[str, ...], image_embeddings: np.ndarray) -> None:
        self.keys, self.image_embeddings = keys, image_embeddings

    def __len__(self) -> int:
        return len(self.keys)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    found = Layout(tmp_path)
    sizes = {"videos": VIDEOS, "test": TEST, "pairs": 0, "val": 0, "val_reference": 0, "reference": 0}
    _write_tables(WorldConfig(**sizes), found.world)
    frames = np.repeat(shown("videos", VIDEOS)[:, None], FRAMES, axis=1)
    keys = tuple(f"videos-{k:06d}" for k in range(VIDEOS))
    monkeypatch.setattr(probes.ClipStore, "open", lambda folder: Store(keys, frames))
    return found


def test_every_condition_is_read_for_class_count_and_size_with_the_truth_of_the_queries(layout: Layout) -> None:
    keys = tuple(f"test-{k:06d}" for k in range(TEST))
    image = Embeddings(shown("test", TEST), keys, "image", CARD)
    found = probes.read_conditions(layout, {"image": image, "PD": image}, n_boot=20)
    value = {(s.metric, s.system): s.value for s in found}
    assert set(value) == {
        (metric, system)
        for metric in ("class_accuracy", "count_accuracy", "size_error")
        for system in ("image", "PD", "constant")
    }
    assert {s.n for s in found} == {TEST}
    assert all(f"fit:{VIDEOS}" in s.signature and "probe-of-toy-clip" in s.signature for s in found)
    assert value["class_accuracy", "image"] > 0.9
    assert value["count_accuracy", "image"] > 0.9
    assert value["size_error", "image"] < 0.1 < value["size_error", "constant"]
