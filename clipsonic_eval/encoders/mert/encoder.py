"""MERT as an encoder: hidden states of windows, a row per second or frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders._batches import mono_samples
from clipsonic_eval.encoders._frames import FrameEncoder, Framing, RowsPer
from clipsonic_eval.encoders.mert.weights import MODELS, RATE, load
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.types import Clip, EncoderCard


def normalised(clip: Clip) -> Float32:
    """Return the mean of a clip's channels at 24 kHz with zero mean and variance one over the clip, (1, n).

    As ``Wav2Vec2FeatureExtractor`` of transformers does with ``do_normalize``.

    Raises:
        ShapeError: the clip holds no sample.
    """
    wave = mono_samples(clip, RATE).astype(np.float64)
    centred = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)  # (x − mean) / √(variance + 1e-7)
    return centred.astype(np.float32)[None]


def load_mert(
    name: str,
    weights: Path | None,
    device: str,
    *,
    layer: int | None = None,
    window_s: float | None = 5.0,
    rows: RowsPer = "second",
    download: bool | None = None,
) -> FrameEncoder:
    """Load MERT by its registry name; options as of the package.

    Raises:
        ConfigError: an option has a value that is not allowed.
        WeightsError: the folder is missing, incomplete, unsafe or of another model.
    """
    model = MODELS[name]
    if layer is not None and not 0 <= layer <= model.layers:
        raise ConfigError(f"{name}: layer {layer} must be from 0 to {model.layers}")
    layer = model.layers if layer is None else layer
    network, settings, sha256 = load(model.hub.find(name, weights, download=download), model)
    framing = Framing.of(name, RATE, window_s, settings.shortest, rows)
    card = EncoderCard(
        name,
        weights_sha256=sha256,
        dim=model.dim,
        modalities=("audio",),
        preprocessing=f"rate:24k|resample:soxr-hq|mono:mean|norm:clip|{framing.signature}|layer:{layer}",
        sample_rate=RATE,
        licence="CC-BY-NC-4.0",
        source=model.hub.url,
    )
    network = network.to(device)
    return FrameEncoder(lambda waves: network(waves[:, 0], layer), normalised, card, framing, device)
