"""Synchformer as an encoder: rows of sounds and of videos, and the offsets between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32, UInt8
from clipsonic_eval.encoders._base import EncoderBase, check_image
from clipsonic_eval.encoders._batches import in_batches, mono_samples
from clipsonic_eval.encoders.synchformer import frontend
from clipsonic_eval.encoders.synchformer.network import COLUMNS, FRAMES, OFFSETS, SynchformerNetwork
from clipsonic_eval.encoders.synchformer.weights import SOURCE, find, load
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.types import Clip, EncoderCard

_ENDS: Final = (slice(None, frontend.COMPARED), slice(-frontend.COMPARED, None))
_GRID: Final[Float32] = np.linspace(-2, 2, OFFSETS).astype(np.float32)  # seconds


class SynchformerEncoder(EncoderBase):
    """Both towers, frozen, and what compares them.

    Args:
        network: all of it.
        card: its identity.
        seconds: of a clip or a video that are used at the most.
        device: of the network.
    """

    def __init__(self, network: SynchformerNetwork, card: EncoderCard, seconds: float, device: str = "cpu") -> None:
        super().__init__(card)
        self._network, self._seconds, self._device = network.to(device), seconds, device
        self._batch_size = 2 if device == "cpu" else 24  # segments

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip's key for each of its rows, six per segment."""
        lengths = [len(mono_samples(clip, frontend.RATE)) / frontend.RATE for clip in clips]
        counts = [frontend.segments(min(self._seconds, length)) * COLUMNS for length in lengths]
        return [clip.key for clip, count in zip(clips, counts, strict=True) for _ in range(count)]

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (6 · segments, d) float32.

        Raises:
            ShapeError: a clip holds no sample.
        """
        waves = [mono_samples(clip, frontend.RATE) for clip in clips]
        parts = [self._run(self._network.sound, frontend.spectrograms(w, self._seconds), COLUMNS) for w in waves]
        return np.concatenate(parts) if parts else np.zeros((0, self._card.dim), np.float32)

    def video_times(self, duration_s: float) -> list[float]:
        """Return the times, in seconds, of the frames that :meth:`video` takes of a video of this length."""
        return frontend.frame_times(min(self._seconds, duration_s))

    @torch.inference_mode()
    def video(self, videos: Sequence[Sequence[UInt8]]) -> Float32:
        """Embed videos, each as its frames (height, width, 3) uint8 at :meth:`video_times` -> (8 · segments, d).

        Raises:
            ShapeError: a frame has another shape or type.
        """
        for frame in (frame for video in videos for frame in video):
            check_image(frame)
        parts = [self._run(self._network.video, frontend.pixels(video), FRAMES) for video in videos]
        return np.concatenate(parts) if parts else np.zeros((0, self._card.dim), np.float32)

    @torch.inference_mode()
    def offsets(self, sound: Float32, video: Float32) -> Float32:
        """Return the offset between a clip's sound and a video, in seconds, as the most likely of 21 classes.

        Args:
            sound: (6 · segments, d) of a clip.
            video: (8 · segments, d) of a video; the segments that one has and the other has not are left out.

        Returns:
            (2,) float32: of the first 14 segments and of the last 14.
        """
        rows = [torch.from_numpy(x).unflatten(0, (-1, each)) for x, each in ((video, FRAMES), (sound, COLUMNS))]
        count = min(len(one) for one in rows)
        ends = [[one[:count][part].flatten(0, 1) for one in rows] for part in _ENDS]
        pairs = torch.stack([torch.cat(end) for end in ends])  # (2, 196, d)
        shown = frontend.COMPARED * FRAMES

        def compare(both: torch.Tensor) -> torch.Tensor:
            return self._network.compare(both[:, :shown], both[:, shown:])

        logits = in_batches(compare, pairs, size=2, device=self._device, dim=OFFSETS)
        found: Float32 = _GRID[logits.argmax(axis=1)]
        return found

    def _run(self, tower: Callable[[torch.Tensor], torch.Tensor], segments: torch.Tensor, each: int) -> Float32:
        width = self._card.dim

        def flat(part: torch.Tensor) -> torch.Tensor:
            return tower(part).flatten(1)

        found = in_batches(flat, segments, size=self._batch_size, device=self._device, dim=each * width)
        return found.reshape(-1, width)


def load_synchformer(weights: Path | None, device: str, *, seconds: float = 8.0) -> SynchformerEncoder:
    """Load Synchformer; arguments as of the package.

    Raises:
        ConfigError: ``seconds`` is below what is compared at a time.
        WeightsError: the file is missing, unsafe, or of another network.
    """
    if not seconds >= frontend.SHORTEST_S:
        raise ConfigError(f"synchformer: seconds is {seconds:g} and must be at least {frontend.SHORTEST_S:g}")
    path = find(weights)
    network = load(path)
    card = EncoderCard(
        "synchformer",
        weights_sha256=file_sha256(path),
        dim=network.width,
        modalities=("audio",),
        preprocessing=(
            f"rate:16k|resample:soxr-hq|mono:mean|win:0.64/0.32,first-{seconds:g}s,zero-padded-to-"
            f"{frontend.SHORTEST_S:g}s|{frontend.SOUND_SIGNATURE}|{frontend.VIDEO_SIGNATURE}"
        ),
        sample_rate=frontend.RATE,
        licence="MIT",
        source=SOURCE,
    )
    return SynchformerEncoder(network, card, seconds, device)
