"""Encoders for tests that hear pitch: no weights, no torch, quick and deterministic.

A prompt is ``tone <Hz>``; its text embedding is what the audio tower gives for that tone, plus a constant offset (the
gap between the modalities). Classes are ``low`` (below 1 kHz) and ``high``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.errors import UserError
from clipsonic_eval.media.audio import mono_at
from clipsonic_eval.types import Clip, EncoderCard

RATE = 16000
N = 4000
DIM = 8


def tone(hertz: float, seed: int = 0, noise: float = 0.0) -> NDArray[np.float32]:
    """Return a quarter of a second of a tone in noise."""
    rng = np.random.default_rng(seed)
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(N) / RATE + rng.uniform(0, 6)) + noise * rng.standard_normal(N)
    return (0.4 * wave).astype(np.float32)


def card(name: str, dim: int = DIM, labels: tuple[str, ...] = ()) -> EncoderCard:
    return EncoderCard(name, "f" * 64, dim, ("audio", "text"), "rate:16k|mono:mean|win:0.25", RATE, labels)


class FakeEncoder:
    """Band levels of the spectrum, mixed at random but fixed weights; counts the clips that it hears."""

    def __init__(self, name: str = "fake-audio", *, unit: bool = False) -> None:
        self.card = card(name)
        self.heard = 0
        self.fail_after: int | None = None
        self._unit = unit
        self._mix = np.random.default_rng(1).standard_normal((24, DIM)) / 5

    def audio(self, clips: Sequence[Clip]) -> NDArray[np.float32]:
        """Embed clips."""
        for clip in clips:
            if clip.samples.shape[1] < 100:
                raise UserError("the clip is too short for this encoder")
        self.heard += len(clips)
        if self.fail_after is not None and self.heard > self.fail_after:
            raise KeyboardInterrupt
        return np.stack([self._vector(mono_at(c, RATE)) for c in clips]) if clips else np.zeros((0, DIM), np.float32)

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """One row for each clip."""
        return [clip.key for clip in clips]

    def text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed ``tone <Hz>``."""
        offset = np.zeros(DIM)
        offset[0] = 0.5
        return np.stack([self._vector(tone(float(t.split()[1]))) + offset for t in texts]).astype(np.float32)

    def image(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Refuse."""
        raise UserError("takes no pictures")

    def _bands(self, mono: NDArray[np.float32]) -> NDArray[np.float64]:
        spectrum = np.abs(np.fft.rfft(np.resize(mono, N))) / N
        bands = [np.sqrt((part**2).sum()) for part in np.array_split(spectrum, 24)]
        return np.log(np.array(bands) + 1e-4)

    def _vector(self, mono: NDArray[np.float32]) -> NDArray[np.float32]:
        vector = (self._bands(mono) + 5) @ self._mix
        if self._unit:
            vector /= np.linalg.norm(vector)
        return vector.astype(np.float32)


class FakeClasses(FakeEncoder):
    """Log-probabilities of ``low`` and ``high``; two rows for each clip, its halves."""

    def __init__(self) -> None:
        super().__init__("fake-classes")
        self.card = card("fake-classes", 2, ("high", "low"))

    def audio(self, clips: Sequence[Clip]) -> NDArray[np.float32]:
        """Embed the halves of clips."""
        super().audio(clips)
        rows = []
        for clip in clips:
            for half in np.array_split(mono_at(clip, RATE), 2):
                bands = self._bands(half)
                low, high = np.exp(bands[:3]).sum(), np.exp(bands[3:]).max()
                rows.append(np.log(np.array([high, low]) / (low + high)))
        return np.array(rows, np.float32).reshape(-1, 2)

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Two rows for each clip."""
        return [clip.key for clip in clips for _ in range(2)]


class FakeSize(FakeEncoder):
    """One number: the centroid of the power spectrum over its range, 0 to 1, drawn towards the middle by noise."""

    def __init__(self) -> None:
        super().__init__("fake-size")
        self.card = card("fake-size", 1)

    def audio(self, clips: Sequence[Clip]) -> NDArray[np.float32]:
        """Embed clips."""
        super().audio(clips)
        waves = [np.resize(mono_at(clip, RATE), N) for clip in clips]
        power = np.abs(np.fft.rfft(np.array(waves).reshape(-1, N))) ** 2
        return (power @ np.linspace(0, 1, N // 2 + 1) / power.sum(axis=1))[:, None].astype(np.float32)


class FakeAesthetics(FakeEncoder):
    """Four numbers that fall with the flatness of the spectrum, as noise makes it."""

    def __init__(self) -> None:
        super().__init__("fake-aesthetics")
        self.card = card("fake-aesthetics", 4)

    def audio(self, clips: Sequence[Clip]) -> NDArray[np.float32]:
        """Embed clips."""
        super().audio(clips)
        bands = np.array([self._bands(mono_at(clip, RATE)) for clip in clips]).reshape(-1, 24)
        return np.outer(bands.max(axis=1) - bands.mean(axis=1), [1, 0.9, 0.8, 0.7]).astype(np.float32)


class FakeOffset(FakeEncoder):
    """One number: how flat the spectrum is, as if noise came late."""

    def __init__(self) -> None:
        super().__init__("fake-offset")
        self.card = card("fake-offset", 1)

    def audio(self, clips: Sequence[Clip]) -> NDArray[np.float32]:
        """Embed clips."""
        super().audio(clips)
        bands = np.array([self._bands(mono_at(clip, RATE)) for clip in clips]).reshape(-1, 24)
        return np.exp(bands.mean(axis=1) - bands.max(axis=1))[:, None].astype(np.float32)

    def text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """In place of videos; not looked at."""
        return np.zeros((len(texts), 1), np.float32)


def encoders() -> dict[str, FakeEncoder]:
    """Return one encoder for each role of an evaluation."""
    return {
        "audio": FakeEncoder(),
        "audio_text": FakeEncoder("fake-clap", unit=True),
        "classifier": FakeClasses(),
        "count_classifier": FakeClasses(),
        "size_estimator": FakeSize(),
        "aesthetics": FakeAesthetics(),
        "audio_video": FakeOffset(),
        "audio_image": FakeEncoder("fake-imagebind", unit=True),
    }
