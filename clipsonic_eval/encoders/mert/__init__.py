"""MERT: hidden states of a music model, the encoder of music Fréchet distances in fadtk.

Weights: the folder of https://huggingface.co/m-a-p/MERT-v1-95M or -330M (``config.json`` and ``pytorch_model.bin`` or
``model.safetensors``); without one, the Hugging Face cache. Nothing in the folder is executed: the network is our own,
with the names of the published tensors. Nothing is downloaded unless asked for, by ``download=True`` or the environment
variable ``CLIPSONIC_EVAL_DOWNLOAD=1``.

Options: ``layer``, from 0 (what enters the first layer) to the last, which is the default as in fadtk; ``window_s``,
5 s side by side, the length that MERT was trained on, or None for the whole clip as in fadtk (memory and time grow with
its square); ``rows``, the mean over each ``second``, or every ``frame`` (75 a second) as in fadtk.

Source: Y. Li et al., MERT: Acoustic Music Understanding Model with Large-Scale Self-supervised Training, ICLR 2024.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from clipsonic_eval.encoders._base import ENCODERS, Encoder


def _register(name: str, description: str) -> None:
    @ENCODERS.register(name)
    def load(
        weights: Path | None = None,
        *,
        device: str = "cpu",
        layer: int | None = None,
        window_s: float | None = 5.0,
        rows: Literal["frame", "second"] = "second",
        download: bool | None = None,
    ) -> Encoder:
        from clipsonic_eval.encoders.mert.encoder import load_mert

        return load_mert(name, weights, device, layer=layer, window_s=window_s, rows=rows, download=download)

    load.__doc__ = description


_register("mert-v1-95m", "MERT-v1-95M: 768-d hidden states of music, a row per second or frame.")
_register("mert-v1-330m", "MERT-v1-330M: 1024-d hidden states of music, a row per second or frame.")
