"""VGGish as the harness sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32, FloatArray
from clipsonic_eval.bfloat16 import chosen
from clipsonic_eval.encoders._base import EncoderBase
from clipsonic_eval.encoders._batches import in_batches
from clipsonic_eval.encoders.vggish.backends import Package
from clipsonic_eval.encoders.vggish.frontend import BANDS, FRAMES, RATE, SHORTEST, patches
from clipsonic_eval.encoders.vggish.network import DIM, Vggish
from clipsonic_eval.encoders.vggish.pca import Pca
from clipsonic_eval.encoders.vggish.pca import load as load_pca
from clipsonic_eval.encoders.vggish.weights import SOURCE, find, load
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.media.resamplers import resampler
from clipsonic_eval.types import Clip, EncoderCard

Layer = Literal["pre-relu", "post-relu"]
Precision = Literal["fp32", "bf16"]
Backend = Literal["own", "torchvggish"]

_BATCH = 16  # the fastest on one core, of 16, 32 and 64
_FRAME_S = 0.01


@dataclass(frozen=True, slots=True)
class Options:
    """What a convention may ask of VGGish.

    Attributes:
        hop_s: seconds from patch to patch; 0.96 side by side, 0.5 as in the original FAD.
        layer: before or after the last ReLU.
        precision: of the network.
        pca: whether PCA, clipping and 8 bits follow, as in AudioSet's released embeddings.
        backend: our front end and network, or the torchvggish package.
    """

    hop_s: float = 0.96
    layer: Layer = "pre-relu"
    precision: Precision = "fp32"
    pca: bool = False
    backend: Backend = "own"

    def __post_init__(self) -> None:
        if self.hop_frames < 1 or abs(self.hop_frames * _FRAME_S - self.hop_s) > 1e-9:
            raise ConfigError(f"vggish: hop_s {self.hop_s:g} must be a multiple of {_FRAME_S:g} s above 0")
        if self.layer not in ("pre-relu", "post-relu"):
            raise ConfigError(f"vggish: layer '{self.layer}' must be pre-relu or post-relu")
        if self.precision not in ("fp32", "bf16"):
            raise ConfigError(f"vggish: precision '{self.precision}' must be fp32 or bf16")
        if self.backend not in ("own", "torchvggish"):
            raise ConfigError(f"vggish: backend '{self.backend}' must be own or torchvggish")

    @property
    def hop_frames(self) -> int:
        """Frames of 10 ms from patch to patch."""
        return round(self.hop_s / _FRAME_S)


class VggishEncoder(EncoderBase):
    """One row for each patch of 0.96 s.

    Args:
        network: see there.
        card: its identity.
        options: see there.
        exact: resampy's resampler and a front end in float64, and sounds shorter than a patch give no row; else soxr's
            and float32, and they are filled with zeros to one patch.
        device: where it runs.
        pca: what is done to the embeddings after the layer, if anything.
        package: torchvggish instead of our own front end and network.
    """

    def __init__(
        self,
        network: Vggish,
        card: EncoderCard,
        options: Options,
        *,
        exact: bool,
        device: str = "cpu",
        pca: Pca | None = None,
        package: Package | None = None,
    ) -> None:
        super().__init__(card)
        self._dtype = torch.bfloat16 if chosen(options.precision, device, card.name) == "bf16" else torch.float32
        self._network = network.to(device, self._dtype)
        self._network.features.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # a stub lacks it
        self._device, self._layer = device, options.layer
        self._pca, self._package = pca, package
        self._resample, self._hop_frames = resampler(_resampler_name(exact)), options.hop_frames
        self._exact = exact
        self._patches: dict[tuple[int, int], int] = {}  # by samples and rate, on which alone the number depends

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip's key for each of its patches."""
        return [clip.key for clip in clips for _ in range(self._count(clip))]

    def _count(self, clip: Clip) -> int:
        size = (clip.samples.shape[1], clip.sample_rate)
        return self._patches[size] if size in self._patches else len(self._cut(clip))

    def _cut(self, clip: Clip) -> Float32:
        found = self._package(clip) if self._package is not None else patches(self._mono(clip), self._hop_frames)
        self._patches[clip.samples.shape[1], clip.sample_rate] = len(found)
        return found

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (patches, 128).

        Raises:
            ShapeError: a clip holds no sample (``vggish``; ``vggish-exact`` gives it no row, as any below 0.975 s).
        """
        parts = [self._cut(clip) for clip in clips]
        if self._package is not None:
            rows = torch.from_numpy(np.concatenate(parts) if parts else np.zeros((0, DIM), np.float32))
            return self._finished(rows).numpy()
        mels = np.concatenate(parts) if parts else np.zeros((0, FRAMES, BANDS), np.float32)
        return in_batches(self._forward, torch.from_numpy(mels), size=_BATCH, device=self._device, dim=DIM)

    def _forward(self, mels: torch.Tensor) -> torch.Tensor:
        return self._finished(self._network(mels.to(self._dtype)))

    def _finished(self, embedded: torch.Tensor) -> torch.Tensor:
        layer = torch.relu(embedded) if self._layer == "post-relu" else embedded
        return self._pca(layer) if self._pca is not None else layer

    def _mono(self, clip: Clip) -> FloatArray:
        mono = self._resample(clip.mono()[None], clip.sample_rate, RATE)[0]
        if len(mono) == 0 and not self._exact:
            raise ShapeError(f"clip '{clip.key}': audio must hold at least one sample")
        if self._exact:
            return mono.astype(np.float64)
        return np.pad(mono, (0, max(0, SHORTEST - len(mono))))


def _resampler_name(exact: bool) -> str:
    return "resampy-kaiser-best" if exact else "soxr-hq"


def load_vggish(name: str, weights: Path | None, device: str, *, exact: bool, **options: Any) -> VggishEncoder:
    """Load VGGish under one of its conventions; options as of :class:`Options`.

    Raises:
        ConfigError: an option that it does not take.
        WeightsError: the weights are missing, damaged, unsafe or of another network.
    """
    known = {field.name for field in fields(Options)}
    if strange := sorted(set(options) - known):
        raise ConfigError(f"{name}: no option '{strange[0]}'; there are {', '.join(sorted(known))}")
    chosen = Options(**options)
    packaged = chosen.backend == "torchvggish"
    if packaged and (not exact or chosen.precision != "fp32" or chosen.hop_frames != FRAMES):
        raise ConfigError(f"{name}: the torchvggish package is exact, fp32 and has a hop of 0.96 s; ask vggish-exact")
    path = find(weights)
    network = load(path)
    package = Package(network.state_dict()) if packaged else None
    pca = load_pca(path.parent) if chosen.pca else None
    card = EncoderCard(
        name,
        file_sha256(path),
        DIM,
        ("audio",),
        _preprocessing(chosen, exact, pca),
        RATE,
        (),
        "Apache-2.0",
        SOURCE,
    )
    return VggishEncoder(network, card, chosen, exact=exact, device=device, pca=pca, package=package)


def _preprocessing(options: Options, exact: bool, pca: Pca | None) -> str:
    short = "short-gives-none" if exact else "short-zero-padded"
    fields_ = [
        f"rate:16k|resample:{_resampler_name(exact)}|mono:mean",
        f"win:0.96/{options.hop_s:g},{short},tail-dropped|mel:64,htk,125-7500,log+0.01",
        f"layer:{options.layer}|pca:{f'8bit+{pca.sha256[:8]}' if pca else 'none'}",
        f"front:{'f64' if exact else 'f32'}|dtype:{options.precision}",
        *([] if options.backend == "own" else [f"backend:{options.backend}"]),
    ]
    return "|".join(fields_)
