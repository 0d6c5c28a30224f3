"""A store of prepared clips in memory, with the attributes of ClipStore."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.types import EncoderCard

D = 16
IMAGE_SPACE = EncoderCard("toy-clip", "ab" * 32, D, ("image", "text"), "size:64")


class FakeStore:
    """Tones whose pitch is the first coordinate of their embedding."""

    def __init__(
        self,
        n: int = 40,
        n_samples: int = 5120,
        frames: int = 3,
        prompts: bool = True,
        space: EncoderCard = IMAGE_SPACE,
    ) -> None:
        rng = np.random.default_rng(0)
        self.keys = tuple(f"clip{i}" for i in range(n))
        self.sources = tuple(f"video{i // 2}" for i in range(n))
        self.prompts = tuple(f"a tone number {i % 4}" if prompts else None for i in range(n))
        self.captions = tuple(() if prompt is None else (prompt,) for prompt in self.prompts)
        self.labels = tuple(str(i % 4) for i in range(n))
        self.sample_rate = 16000
        self.n_samples = n_samples
        self.valid_s = np.full(n, n_samples / 16000)
        pitch = rng.uniform(-1, 1, n)
        time = np.arange(n_samples) / 16000
        self._audio = (0.3 * np.sin(2 * np.pi * (1500 + 1000 * pitch)[:, None] * time)).astype(np.float32)
        self._audio += 0.01 * rng.standard_normal(self._audio.shape).astype(np.float32)
        vectors = 0.1 * rng.standard_normal((n, frames, space.dim))
        vectors[:, :, 0] += pitch[:, None]
        vectors[:, :, 1] += 1.0
        vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
        self.image_embeddings: NDArray[np.float32] | None = vectors.astype(np.float32)
        self.image_space: EncoderCard | None = space
        self.content_hash = "c0ffee"

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self, split: str | None = None) -> NDArray[np.int64]:
        return np.arange(len(self) if split is None else 0)

    def audio(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._audio[rows]
