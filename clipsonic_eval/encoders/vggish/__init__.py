"""``vggish``: 128 values for each 0.96 s, the features of FAD; ``vggish-exact``: through torchvggish's front end.

What bfloat16 gains and what it does to a Fréchet distance: reports/benchmarks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipsonic_eval.encoders._base import ENCODERS, Encoder


@ENCODERS.register("vggish")
def load(weights: Path | None = None, *, device: str = "cpu", **options: Any) -> Encoder:
    """VGGish: 128 features per patch of 0.96 s; soxr resampler, float32 front end, short sounds zero-padded.

    Options: ``hop_s`` (0.96; 0.5 as in the original FAD), ``layer`` (pre-relu, post-relu), ``precision`` (fp32, bf16),
    ``pca`` (True: PCA, clipping and 8 bits as AudioSet's released embeddings).
    """
    from clipsonic_eval.encoders.vggish.encoder import load_vggish

    return load_vggish("vggish", weights, device, exact=False, **options)


@ENCODERS.register("vggish-exact")
def load_exact(weights: Path | None = None, *, device: str = "cpu", **options: Any) -> Encoder:
    """VGGish as torchvggish computes it: resampy, float64 front end, sounds below 0.975 s give no row.

    Options as for ``vggish``, and ``backend`` (own, or torchvggish where that package is installed). Agrees with
    torchvggish to 1e-5 where weights are equal (tox -e reference).
    """
    from clipsonic_eval.encoders.vggish.encoder import load_vggish

    return load_vggish("vggish-exact", weights, device, exact=True, **options)
