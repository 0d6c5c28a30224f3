"""VGGish: 128 features per patch of 0.96 s, the embedding of the original Fréchet audio distance.

``vggish`` resamples with soxr, computes its front end in float32 and zero-pads short clips; ``vggish-exact`` agrees
with the torchvggish package to 1e-5. The weights are torchvggish's ``vggish-10086976.pth``; without ``weights`` they
are searched in torch.hub's folder. What bfloat16 gains, and what it does to a Fréchet distance: reports/benchmarks.

Source: S. Hershey et al., CNN Architectures for Large-Scale Audio Classification, ICASSP 2017.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from clipsonic_eval.encoders._base import ENCODERS, Encoder


@ENCODERS.register("vggish")
def load(
    weights: Path | None = None,
    *,
    device: str = "cpu",
    hop_s: float = 0.96,
    layer: Literal["pre-relu", "post-relu"] = "pre-relu",
    precision: Literal["fp32", "bf16"] = "fp32",
    pca: bool = False,
) -> Encoder:
    """VGGish: 128 features per patch of 0.96 s; soxr resampler, float32 front end, short clips zero-padded.

    Args:
        weights: weight file.
        device: of the network.
        hop_s: seconds from patch to patch; 0.96: side by side, 0.5: as in the original FAD.
        layer: before or after the last ReLU.
        precision: of the network.
        pca: apply PCA, clipping and 8-bit rounding, as in AudioSet's released embeddings.
    """
    from clipsonic_eval.encoders.vggish.encoder import load_vggish

    return load_vggish("vggish", weights, device, hop_s=hop_s, layer=layer, precision=precision, pca=pca)


@ENCODERS.register("vggish-exact")
def load_exact(
    weights: Path | None = None,
    *,
    device: str = "cpu",
    hop_s: float = 0.96,
    layer: Literal["pre-relu", "post-relu"] = "pre-relu",
    precision: Literal["fp32", "bf16"] = "fp32",
    pca: bool = False,
    backend: Literal["own", "torchvggish"] = "own",
) -> Encoder:
    """VGGish as torchvggish computes it: resampy, float64 front end, no row for clips below 0.975 s.

    Arguments as of ``vggish``, and ``backend``: our own front end and network, or the torchvggish package if installed.
    """
    from clipsonic_eval.encoders.vggish.encoder import load_vggish

    return load_vggish(
        "vggish-exact", weights, device, hop_s=hop_s, layer=layer, precision=precision, pca=pca, backend=backend
    )
