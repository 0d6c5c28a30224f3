"""The toy encoders as the harness sees them: frozen, in batches, float32."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32, UInt8
from clipsonic_eval.encoders._base import EncoderBase, TextNote
from clipsonic_eval.encoders._batches import in_batches
from clipsonic_eval.encoders.toy.frontend import RATE, log_mel, squares, windows
from clipsonic_eval.encoders.toy.network import Hearing, HearingShape, Pair, PairShape
from clipsonic_eval.encoders.toy.tokenizer import Vocabulary
from clipsonic_eval.encoders.toy.weights import Stored, load
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.media.audio import mono_at
from clipsonic_eval.types import Clip, EncoderCard, Modality

if TYPE_CHECKING:
    from collections.abc import Callable

WORLD: Final = "toy"
_BATCH: Final = 32
_SOURCE: Final = "trained from scratch by 'clipsonic-eval toy-encoders train'"
_LICENCE: Final = "Apache-2.0"
_AUDIO: Final = "rate:16k|resample:soxr-hq|mono:mean|win:0.96/0.96,zero-padded,last-aligned-to-end|mel:64,hop160,win512"
_TEXT: Final = "text:words,32-tokens,unknown-hashed"
_IMAGE: Final = "image:short-side-48-bicubic,centre-48"


def planes(pixels: UInt8) -> torch.Tensor:
    """Return square pictures (n, h, w, 3) uint8 as (n, 3, h, w) float in [-2, 2]."""
    return (torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255 - 0.5) * 4


def _batched(forward: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, device: str, dim: int) -> Float32:
    return in_batches(forward, x, size=_BATCH, device=device, dim=dim)


def _cut(clips: Sequence[Clip]) -> list[Float32]:
    return [windows(mono_at(clip, RATE)) for clip in clips]


class _Toy(EncoderBase):
    """What the toy encoders share."""

    def __init__(self, card: EncoderCard, device: str) -> None:
        super().__init__(card)
        self._device = device


class ToyPair(_Toy):
    """Toy CLIP (pictures and texts) or toy CLAP (audio and texts): unit vectors.

    A clip of several windows is one row: the mean of its windows' vectors, normalised again.
    """

    def __init__(self, net: Pair, words: Vocabulary, card: EncoderCard, device: str = "cpu") -> None:
        super().__init__(card, device)
        self._net = net.eval().to(device)
        self._words = words

    @torch.inference_mode()
    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts -> (n, d) unit vectors."""
        if "text" not in self._card.modalities:
            raise self._unsupported("text")
        return _batched(self._net.embed_text, torch.from_numpy(self._words.encode(texts)), self._device, self._card.dim)

    def text_notes(self, texts: Sequence[str]) -> list[TextNote]:
        """Return by text the words that the vocabulary lacks, and whether it is longer than the tower reads."""
        return self._words.notes(texts)

    @torch.inference_mode()
    def image(self, images: Sequence[UInt8]) -> Float32:
        """Embed RGB pictures of any size -> (n, d) unit vectors."""
        if "image" not in self._card.modalities:
            raise self._unsupported("image")
        return _batched(self._net.embed_sense, planes(squares(images)), self._device, self._card.dim)

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the keys: one row for each clip."""
        if "audio" not in self._card.modalities:
            raise self._unsupported("audio")
        return [clip.key for clip in clips]

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (clips, d) unit vectors."""
        if "audio" not in self._card.modalities:
            raise self._unsupported("audio")
        if not clips:
            return np.zeros((0, self._card.dim), np.float32)
        cut = _cut(clips)
        mels = torch.from_numpy(log_mel(np.concatenate(cut)))
        rows = _batched(self._net.embed_sense, mels, self._device, self._card.dim)
        ends = np.cumsum([len(c) for c in cut])[:-1]
        means = np.stack([part.mean(axis=0) for part in np.split(rows, ends)])
        unit: Float32 = means / np.linalg.norm(means, axis=1, keepdims=True)
        return unit


class ToyHearing(_Toy):
    """Toy audio embedder: features, or log-probabilities of the classes; one row for each window."""

    def __init__(self, net: Hearing, card: EncoderCard, device: str = "cpu", *, classes: bool = False) -> None:
        super().__init__(card, device)
        self._net = net.eval().to(device)
        self._classes = classes

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip's key for each of its windows."""
        return [clip.key for clip, cut in zip(clips, _cut(clips), strict=True) for _ in cut]

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (windows, d)."""
        if not clips:
            return np.zeros((0, self._card.dim), np.float32)
        mels = torch.from_numpy(log_mel(np.concatenate(_cut(clips))))
        return _batched(self._forward, mels, self._device, self._card.dim)

    def _forward(self, mels: torch.Tensor) -> torch.Tensor:
        features = self._net.features(mels)
        return torch.log_softmax(self._net.classes(features), dim=1) if self._classes else features


def _fill(net: torch.nn.Module, stored: Stored) -> None:
    try:
        net.load_state_dict(stored.tensors)
    except RuntimeError as error:
        raise WeightsError(f"{stored.path}: the tensors do not fit the network that the file describes") from error


def _shape(stored: Stored, key: str) -> Any:
    if key not in stored.network:
        raise WeightsError(f"{stored.path}: the file does not say '{key}' of its network; take it again")
    return stored.network[key]


def load_pair(name: str, weights: Path | None, device: str, sense: Modality) -> ToyPair:
    """Load a toy CLIP (``sense`` image) or CLAP (audio)."""
    stored = load(weights, name, f"pair-{sense}")
    words = Vocabulary(_shape(stored, "vocabulary"))
    sizes = _shape(stored, "shape")
    net = Pair(PairShape(**{**sizes, "widths": tuple(sizes["widths"])}))
    _fill(net, stored)
    front = _IMAGE if sense == "image" else f"{_AUDIO}|windows:mean"
    card = EncoderCard(
        name,
        stored.sha256,
        sizes["dim"],
        (sense, "text"),
        f"{front}|{_TEXT}",
        RATE if sense == "audio" else None,
        licence=_LICENCE,
        source=_SOURCE,
        world=WORLD,
    )
    return ToyPair(net, words, card, device)


def load_hearing(name: str, weights: Path | None, device: str, *, classes: bool) -> ToyHearing:
    """Load the toy audio embedder, for its features or its class head (both live in one file)."""
    stored = load(weights, "toy-audio", "hearing")
    sizes = _shape(stored, "shape")
    labels = tuple(_shape(stored, "labels"))
    net = Hearing(HearingShape(**{**sizes, "widths": tuple(sizes["widths"])}))
    _fill(net, stored)
    layer = "layer:log-softmax" if classes else "layer:features"
    card = EncoderCard(
        name,
        stored.sha256,
        len(labels) if classes else sizes["dim"],
        ("audio",),
        f"{_AUDIO}|{layer}",
        RATE,
        labels if classes else (),
        _LICENCE,
        _SOURCE,
        world=WORLD,
    )
    return ToyHearing(net, card, device, classes=classes)
