"""ImageBind as an encoder: unit vectors of sounds, texts, images and videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32, Float64, UInt8
from clipsonic_eval.encoders._base import EncoderBase, TextNote, check_image
from clipsonic_eval.encoders._batches import in_batches, mono_samples
from clipsonic_eval.encoders.clip import tokenizer
from clipsonic_eval.encoders.imagebind import frontend
from clipsonic_eval.encoders.imagebind.network import PLACES, ImageBind
from clipsonic_eval.encoders.imagebind.weights import SOURCE, find, load, tokenizer_folder
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.types import Clip, EncoderCard

_TEXTS: Final = 4  # of a batch


class ImageBindEncoder(EncoderBase):
    """Three towers, frozen, in batches of one size.

    Args:
        network: the towers.
        card: its identity.
        device: of the towers.
        weights_dir: folder of the weights, where a tokenizer may be.
        tokenizer_dir: folder of the tokenizer, if it is elsewhere.
        video: whose rule chooses the frames of a video.
    """

    def __init__(
        self,
        network: ImageBind,
        card: EncoderCard,
        device: str = "cpu",
        *,
        weights_dir: Path,
        tokenizer_dir: Path | None = None,
        video: frontend.Frames = "imagebind",
    ) -> None:
        super().__init__(card)
        self._video = video
        self._network, self._device = network.to(device), device
        self._weights_dir, self._tokenizer_dir = weights_dir, tokenizer_dir
        self._read: Any = None

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the key of each clip."""
        return [clip.key for clip in clips]

    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (n, d) float32 unit vectors, the direction of the mean of three windows.

        Raises:
            ShapeError: a clip holds no sample.
        """
        waves = [mono_samples(clip, frontend.RATE) for clip in clips]
        return self._means(waves, frontend.spectrograms, self._network.audio, frontend.SOUND_WINDOWS)

    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts -> (n, d) float32 unit vectors; texts beyond 77 tokens are truncated.

        Raises:
            WeightsError: there is no tokenizer, or another network's.
        """
        if not texts:
            return np.zeros((0, self._card.dim), np.float32)
        ids = tokenizer.encode(self._tokenizer(), texts, PLACES).input_ids
        return self._run(self._network.text, ids, _TEXTS)

    def text_notes(self, texts: Sequence[str]) -> list[TextNote]:
        """Return for each text whether it is truncated."""
        return tokenizer.text_notes(self._tokenizer(), texts, PLACES) if texts else []

    def image(self, images: Sequence[UInt8]) -> Float32:
        """Embed RGB images, each (height, width, 3) uint8 of any size -> (n, d) float32 unit vectors.

        Raises:
            ShapeError: an image has another shape or type.
        """
        for image in images:
            check_image(image)
        return self._means(images, frontend.pixels, self._network.vision, 1)

    def video_times(self, duration_s: float) -> list[float]:
        """Return the times, in seconds, of the frames that :meth:`video` takes of a video of this length."""
        return frontend.frame_times(duration_s, self._video)

    def video(self, videos: Sequence[Sequence[UInt8]]) -> Float32:
        """Embed videos, each as its frames (height, width, 3) uint8 at :meth:`video_times` -> (n, d) unit vectors.

        Raises:
            ShapeError: a frame has another shape or type.
        """
        for frame in (frame for video in videos for frame in video):
            check_image(frame)
        rows = frontend.PAIRS[self._video] * frontend.CROPS
        return self._means(videos, lambda video: frontend.clips(list(video), self._video), self._network.vision, rows)

    def _means(
        self,
        items: Sequence[Any],
        prepare: Callable[[Any], torch.Tensor],
        tower: Callable[[torch.Tensor], torch.Tensor],
        rows: int,
    ) -> Float32:
        """Return for each item the direction of the mean of its rows' vectors, (items, d); one item is a batch."""
        result = np.zeros((len(items), self._card.dim), np.float32)
        for k, item in enumerate(items):
            mean: Float64 = self._run(tower, prepare(item), rows).mean(axis=0, dtype=np.float64)
            result[k] = mean / max(float(np.linalg.norm(mean)), 1e-12)  # m / |m|
        return result

    @torch.inference_mode()
    def _run(self, tower: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, size: int) -> Float32:
        return in_batches(tower, inputs, size=size, device=self._device, dim=self._card.dim)

    def _tokenizer(self) -> Any:
        if self._read is None:
            folder = tokenizer_folder(self._weights_dir, self._tokenizer_dir)
            vocabulary = self._network.tokens
            sizes = SimpleNamespace(vocab_size=vocabulary, eos_token_id=vocabulary - 1)
            self._read = tokenizer.load_tokenizer(folder, sizes)
        return self._read


def load_imagebind(
    weights: Path | None, device: str, *, tokenizer_dir: Path | None = None, video: frontend.Frames = "imagebind"
) -> ImageBindEncoder:
    """Load ImageBind; arguments as of the package.

    Raises:
        ConfigError: ``video`` is not one of its values.
        WeightsError: the file is missing, unsafe, or of another network.
    """
    if video not in frontend.VIDEO_SIGNATURES:
        raise ConfigError(f"imagebind: video '{video}' must be imagebind or av-benchmark")
    path = find(weights)
    network = load(path)
    fields = [
        f"rate:16k|resample:soxr-hq|mono:mean|{frontend.SOUND_SIGNATURE}",
        f"{frontend.IMAGE_SIGNATURE}|{frontend.VIDEO_SIGNATURES[video]}|text:clip-bpe,cut-{PLACES}|layer:projection,l2",
    ]
    card = EncoderCard(
        "imagebind",
        weights_sha256=file_sha256(path),
        dim=network.dim,
        modalities=("audio", "text", "image"),
        preprocessing="|".join(fields),
        sample_rate=frontend.RATE,
        licence="CC BY-NC-SA 4.0",
        source=SOURCE,
    )
    return ImageBindEncoder(network, card, device, weights_dir=path.parent, tokenizer_dir=tokenizer_dir, video=video)
