"""The codecs' published folders: found, and their encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

from clipsonic_eval.errors import WeightsError
from clipsonic_eval.weight_files import HubModel, read_transformers


class CodecModel(NamedTuple):
    """A published model.

    Attributes:
        hub: where it is published.
        rate: Hz.
        channels: of its input.
        dim: of its latents.
        licence: of its weights.
    """

    hub: HubModel
    rate: int
    channels: int
    dim: int
    licence: str = "MIT"


MODELS: Final = {
    "encodec-24k": CodecModel(HubModel("facebook/encodec_24khz"), 24000, 1, 128),
    "encodec-48k": CodecModel(HubModel("facebook/encodec_48khz"), 48000, 2, 128),
    "dac-44k": CodecModel(HubModel("descript/dac_44khz"), 44100, 1, 1024),
}
PUBLISHED: Final = tuple(model.hub.published(name, model.licence) for name, model in MODELS.items())


def load(name: str, folder: Path) -> tuple[Any, int]:
    """Return the encoder of a folder's network and the samples of its shortest input.

    Args:
        name: registry name.
        folder: as transformers writes it.

    Returns:
        A module (b, channels, n) -> (b, d, frames), float32 on the CPU, for inference; and 1 for EnCodec, which pads
        its input to whole frames, one frame for DAC, which does not.

    Raises:
        WeightsError: a file is missing, damaged or unsafe, or of another network.
    """
    from transformers import DacConfig, DacModel, EncodecConfig, EncodecModel

    model = MODELS[name]
    if name == "dac-44k":
        network = read_transformers(folder, DacConfig, DacModel)
        shortest, channels = int(network.config.hop_length), 1
    else:
        network = read_transformers(folder, EncodecConfig, EncodecModel)
        shortest, channels = 1, int(network.config.audio_channels)
    found = (int(network.config.sampling_rate), channels, int(network.config.hidden_size))
    if found != model[1:4]:
        raise WeightsError(
            f"{folder}: a codec of {found[0]} Hz, {found[1]} channels and {found[2]} dimensions, but "
            f"{model.hub.repository} has {model.rate}, {model.channels} and {model.dim}; take the encoder of its size"
        )
    return network.encoder, shortest
