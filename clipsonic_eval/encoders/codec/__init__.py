"""Neural codecs: the latents of EnCodec and DAC before quantisation, for Fréchet distances of codecs.

``encodec-24k`` (mono, 128 dimensions, 75 frames a second), ``encodec-48k`` (stereo, 128, 150) and ``dac-44k`` (mono,
1024, 86). The networks are those of transformers; only their encoders are kept. Weights: the folders of
https://huggingface.co/facebook/encodec_24khz, facebook/encodec_48khz and descript/dac_44khz; without one, the Hugging
Face cache. Nothing is downloaded unless asked for, by ``download=True`` or the environment variable
``CLIPSONIC_EVAL_DOWNLOAD=1``.

Options: ``window_s``, seconds side by side, by default 10 (24k), 1 (48k, the model's segment without its overlap) and 5
(DAC), or None for the whole clip; ``overlap``, windows that overlap by half; ``rows``, the mean over each ``second`` or
every ``frame``. EnCodec at 48 kHz divides each second by its level before coding it; here, as in fadtk, it does not.
The conventions ``fad/fadtk-encodec-emb``, ``-48k`` and ``fad/fadtk-dac-44khz`` give fadtk's numbers.

Sources: A. Défossez et al., High Fidelity Neural Audio Compression, TMLR 2023; R. Kumar et al., High-Fidelity Audio
Compression with Improved RVQGAN, NeurIPS 2023.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from clipsonic_eval.encoders._base import ENCODERS, Encoder


def _register(name: str, seconds: float, description: str) -> None:
    @ENCODERS.register(name)
    def load(
        weights: Path | None = None,
        *,
        device: str = "cpu",
        window_s: float | None = seconds,
        rows: Literal["frame", "second"] = "second",
        overlap: bool = False,
        download: bool | None = None,
    ) -> Encoder:
        from clipsonic_eval.encoders.codec.encoder import load_codec

        framing = {"window_s": window_s, "rows": rows, "overlap": overlap}
        return load_codec(name, weights, device, framing, download=download)

    load.__doc__ = description


_register("encodec-24k", 10.0, "EnCodec at 24 kHz: 128-d latents before quantisation, a row per second or frame.")
_register(
    "encodec-48k", 1.0, "EnCodec at 48 kHz, stereo: 128-d latents before quantisation, a row per second or frame."
)
_register("dac-44k", 5.0, "DAC at 44.1 kHz: 1024-d latents before quantisation, a row per second or frame.")
