"""VGGish as the harness sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from clipsonic_eval.encoders._batches import in_batches
from clipsonic_eval.encoders._vggish.frontend import BANDS, FRAMES, RATE, SHORTEST, patches
from clipsonic_eval.encoders._vggish.network import DIM, Vggish
from clipsonic_eval.encoders._vggish.weights import SOURCE, find, load
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.media.resamplers import resampler
from clipsonic_eval.types import Clip, EncoderCard, FloatArray

Floats = NDArray[np.float32]
Layer = Literal["pre-relu", "post-relu"]
Precision = Literal["fp32", "bf16"]

_BATCH = 16  # the fastest on one core: 17 ms a patch in float32, 8.5 ms in bfloat16
_FRAME_S = 0.01


class VggishEncoder:
    """One row for each patch of 0.96 s.

    Args:
        network: see there.
        card: its identity.
        device: where it runs.
        resample: name of the resampler to 16 kHz.
        hop_frames: 10 ms frames from patch to patch.
        layer: before or after the last ReLU.
        exact: front end in float64, and sounds shorter than a patch give no row; else float32, and they are filled
            with zeros to one patch.
        precision: of the network.
    """

    def __init__(
        self,
        network: Vggish,
        card: EncoderCard,
        *,
        device: str,
        resample: str,
        hop_frames: int,
        layer: Layer,
        exact: bool,
        precision: Precision,
    ) -> None:
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._network = network.to(device, self._dtype)
        self._network.features.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # a stub lacks it
        self._card, self._device, self._layer = card, device, layer
        self._resample, self._hop_frames, self._exact = resampler(resample), hop_frames, exact
        self._patches: dict[tuple[int, int], int] = {}  # by samples and rate, on which alone the number depends

    @property
    def card(self) -> EncoderCard:
        """The identity of the space."""
        return self._card

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip's key for each of its patches."""
        return [clip.key for clip in clips for _ in range(self._count(clip))]

    def _count(self, clip: Clip) -> int:
        size = (clip.samples.shape[1], clip.sample_rate)
        return self._patches[size] if size in self._patches else len(self._cut(clip))

    def _cut(self, clip: Clip) -> Floats:
        found = patches(self._mono(clip), self._hop_frames)
        self._patches[clip.samples.shape[1], clip.sample_rate] = len(found)
        return found

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Floats:
        """Embed clips -> (patches, 128)."""
        parts = [self._cut(clip) for clip in clips]
        mels = np.concatenate(parts) if parts else np.zeros((0, FRAMES, BANDS), np.float32)
        return in_batches(self._forward, torch.from_numpy(mels), size=_BATCH, device=self._device, dim=DIM)

    def _forward(self, mels: torch.Tensor) -> torch.Tensor:
        embedded = self._network(mels.to(self._dtype))
        return torch.relu(embedded) if self._layer == "post-relu" else embedded

    def _mono(self, clip: Clip) -> FloatArray:
        mono = self._resample(clip.mono()[None], clip.sample_rate, RATE)[0]
        if self._exact:
            return mono.astype(np.float64)
        return np.pad(mono, (0, max(0, SHORTEST - len(mono))))

    def text(self, texts: Sequence[str]) -> Floats:
        """Refuse: it has no text tower."""
        del texts
        raise self._only_audio("text")

    def image(self, pictures: Sequence[NDArray[np.uint8]]) -> Floats:
        """Refuse: it has no image tower."""
        del pictures
        raise self._only_audio("image")

    def _only_audio(self, modality: str) -> UserError:
        return UserError(f"encoder '{self._card.name}' does not take {modality}; it takes audio: choose another")


def load_vggish(
    name: str,
    weights: Path | None,
    device: str,
    *,
    exact: bool,
    hop_s: float = 0.96,
    layer: Layer = "pre-relu",
    precision: Precision = "fp32",
) -> VggishEncoder:
    """Load VGGish under one of its conventions.

    Raises:
        ConfigError: an option that it does not take.
        WeightsError: the weights are missing, damaged, unsafe or of another network.
    """
    hop_frames = round(hop_s / _FRAME_S)
    if hop_frames < 1 or abs(hop_frames * _FRAME_S - hop_s) > 1e-9:
        raise ConfigError(f"{name}: hop_s {hop_s:g} must be a multiple of {_FRAME_S:g} s above 0")
    if layer not in ("pre-relu", "post-relu"):
        raise ConfigError(f"{name}: layer '{layer}' must be pre-relu or post-relu")
    if precision not in ("fp32", "bf16"):
        raise ConfigError(f"{name}: precision '{precision}' must be fp32 or bf16")
    path = find(weights)
    resample = "resampy-kaiser-best" if exact else "soxr-hq"
    short = "short-gives-none" if exact else "short-zero-padded"
    front = (
        f"rate:16k|resample:{resample}|mono:mean|win:0.96/{hop_s:g},{short},tail-dropped|mel:64,htk,125-7500,log+0.01"
    )
    kind = f"front:{'f64' if exact else 'f32'}|dtype:{precision}"
    card = EncoderCard(
        name,
        file_sha256(path),
        DIM,
        ("audio",),
        f"{front}|layer:{layer}|pca:none|{kind}",
        RATE,
        (),
        "Apache-2.0",
        SOURCE,
    )
    return VggishEncoder(
        load(path),
        card,
        device=device,
        resample=resample,
        hop_frames=hop_frames,
        layer=layer,
        exact=exact,
        precision=precision,
    )
