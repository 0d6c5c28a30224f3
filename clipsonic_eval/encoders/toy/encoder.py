"""The toy encoders: frozen networks in batches of one size."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32, UInt8
from clipsonic_eval.encoders._base import EncoderBase, TextNote
from clipsonic_eval.encoders._batches import in_batches
from clipsonic_eval.encoders.toy.frontend import RATE, SQUARE, image_tensor, log_mel, squares, windows
from clipsonic_eval.encoders.toy.network import AudioNetwork, ContrastiveNetwork
from clipsonic_eval.encoders.toy.tokenizer import Vocabulary
from clipsonic_eval.encoders.toy.weights import find, load
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.media.audio import mono_at
from clipsonic_eval.media.squares import Square
from clipsonic_eval.types import Clip, EncoderCard
from clipsonic_eval.weight_files import Net

Head = Literal["features", "classes", "count", "size"]

WORLD: Final = "toy"
COUNTS: Final = ("1", "2", "3")
_BATCH: Final = 32
_SOURCE: Final = "trained from scratch by 'clipsonic-eval toy-encoders train'"
_LICENCE: Final = "Apache-2.0"
_AUDIO: Final = "rate:16k|resample:soxr-hq|mono:mean|win:0.96/0.96,zero-padded,last-aligned-to-end|mel:64,hop160,win512"
_TEXT: Final = "text:words,32-tokens,unknown-hashed"
_LAYERS: Final[dict[Head, str]] = {
    "features": "layer:features",
    "classes": "layer:log-softmax",
    "count": "layer:log-softmax-count",
    "size": "layer:size",
}
_IMAGE: Final = "image:short-side-48-bicubic,centre-48"


class ToyContrastiveEncoder(EncoderBase):
    """Toy CLIP (images and texts) or toy CLAP (audio and texts): unit vectors.

    A clip of several windows has one row: the mean of its windows' vectors, normalised again.
    """

    def __init__(self, net: ContrastiveNetwork, words: Vocabulary, card: EncoderCard, device: str = "cpu") -> None:
        super().__init__(card)
        self._net, self._words, self._device = net.eval().to(device), words, device

    @property
    def image_square(self) -> Square | None:
        """The square that the front end of images begins with."""
        return SQUARE if "image" in self._card.modalities else None

    @torch.inference_mode()
    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts -> (n, d) float32 unit vectors."""
        return self._embed(self._net.embed_text, torch.from_numpy(self._words.encode(texts)))

    def text_notes(self, texts: Sequence[str]) -> list[TextNote]:
        """Return for each text the words that the vocabulary lacks, and whether it is truncated."""
        return self._words.text_notes(texts)

    @torch.inference_mode()
    def image(self, images: Sequence[UInt8]) -> Float32:
        """Embed RGB images of any size, (height, width, 3) uint8 each -> (n, d) float32 unit vectors."""
        if "image" not in self._card.modalities:
            raise self._unsupported("image")
        return self._embed(self._net.embed_media, image_tensor(squares(images)))

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the keys: one row per clip."""
        if "audio" not in self._card.modalities:
            raise self._unsupported("audio")
        return [clip.key for clip in clips]

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (clips, d) float32 unit vectors."""
        if "audio" not in self._card.modalities:
            raise self._unsupported("audio")
        if not clips:
            return np.zeros((0, self._card.dim), np.float32)
        of_clips = _windows(clips)
        rows = self._embed(self._net.embed_media, torch.from_numpy(log_mel(np.concatenate(of_clips))))
        ends = np.cumsum([len(of_clip) for of_clip in of_clips])[:-1]
        means = np.stack([part.mean(axis=0) for part in np.split(rows, ends)])
        unit: Float32 = means / np.linalg.norm(means, axis=1, keepdims=True)
        return unit

    def _embed(self, forward: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> Float32:
        return in_batches(forward, x, size=_BATCH, device=self._device, dim=self._card.dim)


class _Hearing:
    """The network of toy-audio with the features of the last clips: its heads, encoders of their own, share them."""

    def __init__(self, net: AudioNetwork, dim: int, device: str) -> None:
        self.net, self._dim, self._device = net.eval().to(device), dim, device
        # by the arrays of the samples, which are not kept alive
        self._last: tuple[list[tuple[weakref.ref[Any], int]], Float32] = ([], np.zeros((0, dim), np.float32))

    def features(self, clips: Sequence[Clip]) -> Float32:
        """Return the features of the clips' windows, (windows, d) float32."""
        known, found = self._last
        asked = [(id(clip.samples), clip.sample_rate) for clip in clips]
        if [(id(ref()), rate) for ref, rate in known] != asked:  # an array that is gone is None, which no clip has
            mels = torch.from_numpy(log_mel(np.concatenate(_windows(clips))))
            found = in_batches(self.net.features, mels, size=_BATCH, device=self._device, dim=self._dim)
            self._last = ([(weakref.ref(clip.samples), clip.sample_rate) for clip in clips], found)
        return found


class ToyAudioEncoder(EncoderBase):
    """Toy audio embedder: its features, or what one of its heads reads from them; one row per window of 0.96 s."""

    def __init__(self, hearing: _Hearing, card: EncoderCard, head: Head, device: str = "cpu") -> None:
        super().__init__(card)
        self._hearing, self._head, self._device = hearing, head, device

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip's key for each of its windows."""
        return [clip.key for clip, of_clip in zip(clips, _windows(clips), strict=True) for _ in of_clip]

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (windows, d) float32."""
        if not clips:
            return np.zeros((0, self._card.dim), np.float32)
        features = self._hearing.features(clips)
        if self._head == "features":
            return features.copy()
        return in_batches(self._read, torch.from_numpy(features), size=_BATCH, device=self._device, dim=self._card.dim)

    def _read(self, features: torch.Tensor) -> torch.Tensor:
        read: torch.Tensor = getattr(self._hearing.net, self._head)(features)
        return torch.log_softmax(read, dim=1) if self._card.labels else read


def _windows(clips: Sequence[Clip]) -> list[Float32]:
    """Return the windows of each clip, (windows, 15360) float32."""
    return [windows(mono_at(clip, RATE)) for clip in clips]


def load_contrastive(
    name: str, weights: Path | None, device: str, modality: Literal["audio", "image"]
) -> ToyContrastiveEncoder:
    """Load a toy CLIP (``modality`` image) or CLAP (audio).

    Raises:
        WeightsError: the weights or their card are missing, damaged, or of another network.
    """
    path = find(weights, name)
    tensors, network, sha256 = load(path, name, f"pair-{modality}")
    words, sizes = Vocabulary(_entry(path, network, "vocabulary")), _entry(path, network, "shape")
    net = _network(ContrastiveNetwork, sizes, tensors, path)
    front = _IMAGE if modality == "image" else f"{_AUDIO}|windows:mean"
    card = EncoderCard(
        name,
        weights_sha256=sha256,
        dim=sizes["dim"],
        modalities=(modality, "text"),
        preprocessing=f"{front}|{_TEXT}",
        sample_rate=RATE if modality == "audio" else None,
        licence=_LICENCE,
        source=_SOURCE,
        world=WORLD,
    )
    return ToyContrastiveEncoder(net, words, card, device)


def load_toy_audio(name: str, weights: Path | None, device: str, head: Head) -> ToyAudioEncoder:
    """Load the toy audio embedder, for its features or one of its heads (all are in one file).

    Args:
        name: of the encoder.
        weights: file; None: the one that ships.
        device: ``cpu`` or ``cuda``.
        head: ``features``, log-probabilities of the ``classes`` or of the ``count``, or the ``size``.

    Raises:
        WeightsError: the weights or their card are missing, damaged, or of another network.
    """
    path = find(weights, "toy-audio")
    _, network, sha256 = load(path, name, "hearing")
    sizes = _entry(path, network, "shape")
    labels = {"classes": tuple(_entry(path, network, "labels")), "count": COUNTS}.get(head, ())
    card = EncoderCard(
        name,
        weights_sha256=sha256,
        dim=len(labels) or (1 if head == "size" else sizes["dim"]),
        modalities=("audio",),
        preprocessing=f"{_AUDIO}|{_LAYERS[head]}",
        sample_rate=RATE,
        labels=labels,
        licence=_LICENCE,
        source=_SOURCE,
        world=WORLD,
    )
    return ToyAudioEncoder(_hearing(path, sha256, device), card, head, device)


@functools.lru_cache(maxsize=2)
def _hearing(path: Path, sha256: str, device: str) -> _Hearing:
    """Load the network of toy-audio; weights of one file and hash are loaded once."""
    del sha256
    tensors, network, _ = load(path, "toy-audio", "hearing")
    sizes = _entry(path, network, "shape")
    return _Hearing(_network(AudioNetwork, sizes, tensors, path), sizes["dim"], device)


def _entry(path: Path, network: dict[str, Any], key: str) -> Any:
    if key not in network:
        raise WeightsError(f"{path}: the file does not state '{key}' of its network; copy it again")
    return network[key]


def _network(make: Callable[..., Net], sizes: dict[str, Any], tensors: dict[str, Any], path: Path) -> Net:
    try:
        net = make(**sizes)
        net.load_state_dict(tensors)
    except (RuntimeError, TypeError) as error:  # tensors of other shapes; sizes that are missing or unknown
        raise WeightsError(
            f"{path}: the tensors do not fit the network that the file describes; copy the file again"
        ) from error
    return net
