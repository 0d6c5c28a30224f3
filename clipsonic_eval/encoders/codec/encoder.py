"""Neural codecs as encoders: latents of windows before quantisation, a row per second or frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipsonic_eval.encoders._frames import FrameEncoder, Framing, mono, stereo
from clipsonic_eval.encoders.codec.weights import MODELS, load
from clipsonic_eval.types import EncoderCard
from clipsonic_eval.weight_files import tensors_sha256


def load_codec(
    name: str, weights: Path | None, device: str, framed: Mapping[str, Any], *, download: bool | None = None
) -> FrameEncoder:
    """Load a codec by its registry name; options as of the package.

    Raises:
        ConfigError: an option has a value that is not allowed.
        WeightsError: the folder is missing, incomplete, unsafe or of another model.
    """
    model = MODELS[name]
    network, shortest = load(name, model.hub.find(name, weights, download=download))
    framing = Framing.of(name, model.rate, shortest=shortest, **framed)
    channels = "mean" if model.channels == 1 else "doubled,stereo-kept"
    card = EncoderCard(
        name,
        weights_sha256=tensors_sha256(network.state_dict()),
        dim=model.dim,
        modalities=("audio",),
        preprocessing=f"rate:{model.rate / 1000:g}k|resample:soxr-hq|mono:{channels}|{framing.signature}"
        "|layer:before-quantisation",
        sample_rate=model.rate,
        licence=model.licence,
        source=model.hub.url,
    )
    network = network.to(device)
    prepare = mono(model.rate) if model.channels == 1 else stereo(model.rate)
    return FrameEncoder(lambda waves: network(waves).transpose(1, 2), prepare, card, framing, device)
