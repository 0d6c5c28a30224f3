"""``panns-cnn14``, ``panns-cnn14-16k``: log-probabilities of AudioSet's classes; with ``-features``: the layer before.

Cnn14 of PANNs, the classifier of most published KL and inception scores of text-to-audio systems; the Fréchet distance
of its 2048 features is what they print as "FD". The weights are the user's download:
``Cnn14_mAP=0.431.pth`` (32 kHz) and ``Cnn14_16k_mAP=0.438.pth`` of https://zenodo.org/records/3987831.

What differs from audioldm_eval, which first published such numbers: channels are averaged (it takes the first), the
mean is not subtracted, and soxr resamples.
"""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval.encoders._base import ENCODERS, Encoder


@ENCODERS.register("panns-cnn14")
def load(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """PANNs Cnn14 at 32 kHz: log-probabilities of the 527 AudioSet classes."""
    from clipsonic_eval.encoders.panns.encoder import load_panns

    return load_panns("panns-cnn14", weights, device, 32000, classes=True)


@ENCODERS.register("panns-cnn14-features")
def load_features(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """PANNs Cnn14 at 32 kHz: 2048 features of the layer before the classes."""
    from clipsonic_eval.encoders.panns.encoder import load_panns

    return load_panns("panns-cnn14-features", weights, device, 32000, classes=False)


@ENCODERS.register("panns-cnn14-16k")
def load_16k(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """PANNs Cnn14 at 16 kHz: log-probabilities of the 527 AudioSet classes."""
    from clipsonic_eval.encoders.panns.encoder import load_panns

    return load_panns("panns-cnn14-16k", weights, device, 16000, classes=True)


@ENCODERS.register("panns-cnn14-16k-features")
def load_16k_features(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """PANNs Cnn14 at 16 kHz: 2048 features of the layer before the classes."""
    from clipsonic_eval.encoders.panns.encoder import load_panns

    return load_panns("panns-cnn14-16k-features", weights, device, 16000, classes=False)
