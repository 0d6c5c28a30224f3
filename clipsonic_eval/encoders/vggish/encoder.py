"""VGGish as an encoder: one row per patch of 0.96 s."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32, FloatArray
from clipsonic_eval.bfloat16 import chosen
from clipsonic_eval.encoders._base import EncoderBase
from clipsonic_eval.encoders._batches import in_batches
from clipsonic_eval.encoders.vggish.frontend import FRAMES, N_MELS, RATE, SHORTEST, patches
from clipsonic_eval.encoders.vggish.network import DIM, Vggish, quantised_pca
from clipsonic_eval.encoders.vggish.weights import SOURCE, find, load, load_pca
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.media.resamplers import RESAMPLERS
from clipsonic_eval.types import Clip, EncoderCard

_BATCH: Final = 16  # the fastest on one core, of 16, 32 and 64
_FRAME_S: Final = 0.01

Postprocess = Callable[[torch.Tensor], torch.Tensor]


class VggishEncoder(EncoderBase):
    """One row per patch.

    Args:
        network: on its device, in its precision.
        card: its identity.
        device: where the network is.
        hop_frames: frames of 10 ms from patch to patch.
        exact: float64 front end behind resampy's resampler, no row for clips shorter than a patch; otherwise float32
            behind soxr's, and short clips are zero-padded to a patch.
        postprocess: applied to the features before the last ReLU, (n, 128) -> (n, 128).
        package: replaces our own front end and network: a clip -> (patches, 128).
    """

    def __init__(
        self,
        network: Vggish,
        card: EncoderCard,
        device: str,
        *,
        hop_frames: int,
        exact: bool,
        postprocess: Postprocess,
        package: Callable[[Clip], Float32] | None = None,
    ) -> None:
        super().__init__(card)
        self._network, self._device, self._hop_frames, self._exact = network, device, hop_frames, exact
        self._postprocess, self._package = postprocess, package
        self._dtype = next(network.parameters()).dtype
        self._resample = RESAMPLERS[_resampler(exact)]
        self._counts: dict[tuple[int, int], int] = {}  # patches by samples and sample rate, on which alone they depend

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip's key for each of its patches."""
        return [clip.key for clip in clips for _ in range(self._count(clip))]

    def _count(self, clip: Clip) -> int:
        size = (clip.samples.shape[1], clip.sample_rate)
        return self._counts[size] if size in self._counts else len(self._patches(clip))

    def _patches(self, clip: Clip) -> Float32:
        found = self._package(clip) if self._package is not None else patches(self._mono(clip), self._hop_frames)
        self._counts[clip.samples.shape[1], clip.sample_rate] = len(found)
        return found

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (patches, 128) float32.

        Raises:
            ShapeError: a clip holds no sample (``vggish``; ``vggish-exact`` gives it no row, as any below 0.975 s).
        """
        parts = [self._patches(clip) for clip in clips]
        if self._package is not None:
            features = torch.from_numpy(np.concatenate(parts) if parts else np.zeros((0, DIM), np.float32))
            return self._postprocess(features).numpy()
        mels = np.concatenate(parts) if parts else np.zeros((0, FRAMES, N_MELS), np.float32)
        return in_batches(self._forward, torch.from_numpy(mels), size=_BATCH, device=self._device, dim=DIM)

    def _forward(self, mels: torch.Tensor) -> torch.Tensor:
        return self._postprocess(self._network(mels.to(self._dtype)))

    def _mono(self, clip: Clip) -> FloatArray:
        mono = self._resample(clip.mono()[None], clip.sample_rate, RATE)[0]
        if self._exact:
            return mono.astype(np.float64)
        if len(mono) == 0:
            raise ShapeError(f"clip '{clip.key}': audio must hold at least one sample")
        return np.pad(mono, (0, max(0, SHORTEST - len(mono))))


def _resampler(exact: bool) -> str:
    return "resampy-kaiser-best" if exact else "soxr-hq"


def load_vggish(
    name: str,
    weights: Path | None,
    device: str,
    *,
    hop_s: float,
    layer: str,
    precision: Literal["fp32", "bf16"],
    pca: bool,
    backend: str = "own",
) -> VggishEncoder:
    """Load VGGish under one of its names, ``vggish`` or ``vggish-exact``; arguments as of its loaders.

    Raises:
        ConfigError: an option has a value that is not allowed.
        WeightsError: the weights are missing, damaged, unsafe or of another network.
    """
    exact, packaged = name == "vggish-exact", backend == "torchvggish"
    hop_frames = _hop_frames(hop_s)
    _check("layer", layer, "pre-relu", "post-relu")
    _check("precision", precision, "fp32", "bf16")
    _check("backend", backend, "own", "torchvggish")
    if packaged and (precision != "fp32" or hop_frames != FRAMES):
        raise ConfigError(f"{name}: the torchvggish package is fp32 and has a hop of 0.96 s; leave both at that")
    path = find(weights)
    network = load(path)
    package = None
    if packaged:
        from clipsonic_eval.encoders.vggish.backends import torchvggish

        package = torchvggish(network.state_dict())
    postprocess, pca_field = _postprocessing(layer, path.parent if pca else None, device)
    card = EncoderCard(
        name,
        weights_sha256=file_sha256(path),
        dim=DIM,
        modalities=("audio",),
        preprocessing=f"rate:16k|resample:{_resampler(exact)}|mono:mean"
        f"|win:0.96/{hop_s:g},{'short-gives-none' if exact else 'short-zero-padded'},tail-dropped"
        f"|mel:64,htk,125-7500,log+0.01|layer:{layer}|pca:{pca_field}"
        f"|front:{'f64' if exact else 'f32'}|dtype:{precision}{'|backend:torchvggish' if packaged else ''}",
        sample_rate=RATE,
        licence="Apache-2.0",
        source=SOURCE,
    )
    dtype = torch.bfloat16 if chosen(precision, device, name) == "bf16" else torch.float32
    network = network.to(device, dtype)
    network.features.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # a stub lacks it
    return VggishEncoder(
        network, card, device, hop_frames=hop_frames, exact=exact, postprocess=postprocess, package=package
    )


def _hop_frames(hop_s: float) -> int:
    frames = round(hop_s / _FRAME_S)
    if frames < 1 or abs(frames * _FRAME_S - hop_s) > 1e-9:
        raise ConfigError(f"vggish: hop_s {hop_s:g} must be a multiple of {_FRAME_S:g} s above 0")
    return frames


def _check(option: str, value: str, *allowed: str) -> None:
    if value not in allowed:
        raise ConfigError(f"vggish: {option} '{value}' must be {' or '.join(allowed)}")


def _postprocessing(layer: str, pca_dir: Path | None, device: str) -> tuple[Postprocess, str]:
    """Return what follows the last linear layer, and its PCA as a field of the signature."""
    relu: Postprocess = torch.relu if layer == "post-relu" else lambda features: features
    if pca_dir is None:
        return relu, "none"
    components, means, sha256 = load_pca(pca_dir)
    components, means = components.to(device), means.to(device)
    return lambda features: quantised_pca(relu(features), components, means), f"8bit+{sha256[:8]}"
