"""PANNs Cnn14: log-probabilities of the AudioSet classes, or the features of the layer before (``-features``).

The classifier of most published KL divergences and inception scores of text-to-audio systems; the Fréchet distance of
its 2048 features is what they print as "FD". The weights are a download of your own: ``Cnn14_mAP=0.431.pth`` (32 kHz)
and ``Cnn14_16k_mAP=0.438.pth`` (16 kHz) from https://zenodo.org/records/3987831. Without ``weights`` they are searched
where panns_inference and audioldm_eval keep them.

Differences from audioldm_eval, which first published such numbers: channels are averaged (it takes the first), the mean
is not subtracted, and soxr resamples. The convention ``kl/audioldm-eval`` reproduces it.
"""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval.encoders._base import ENCODERS, Encoder


def _register(name: str, sample_rate: int, *, classes: bool, description: str) -> None:
    @ENCODERS.register(name)
    def load(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
        from clipsonic_eval.encoders.panns.encoder import load_panns

        return load_panns(name, weights, device, sample_rate, classes=classes)

    load.__doc__ = description


for _name, _rate in (("panns-cnn14", 32000), ("panns-cnn14-16k", 16000)):
    _khz = f"PANNs Cnn14 at {_rate // 1000} kHz"
    _register(_name, _rate, classes=True, description=f"{_khz}: log-probabilities of the 527 AudioSet classes.")
    _register(
        f"{_name}-features", _rate, classes=False, description=f"{_khz}: 2048 features of the layer before the classes."
    )
