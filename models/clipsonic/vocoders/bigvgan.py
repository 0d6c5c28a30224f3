"""BigVGAN of a published folder, versions 1 and 2: ``config.json`` and ``bigvgan_generator.pt`` (or ``.safetensors``).

The paper of CLIPSonic vocodes with a BigVGAN of its own. NVIDIA's have other mel layouts than the default of
:class:`clipsonic.mel.MelConfig`: the audio model is trained with the layout of its vocoder.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import torch

from clipsonic.mel import MelConfig
from clipsonic.vocoders import VOCODERS
from clipsonic.vocoders._bigvgan_network import BigVGAN, BigVGANConfig, without_weight_norm
from clipsonic.vocoders._neural import NeuralVocoder
from clipsonic_eval import licences
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError, WeightsError
from clipsonic_eval.files import read_json
from clipsonic_eval.tensors import read_tensors
from clipsonic_eval.weight_files import COPY_FOLDER, fill_network, stated_licence

FILES = ("bigvgan_generator.safetensors", "bigvgan_generator.pt")
TRAINED = "bigvgan"  # where clipsonic.training.vocoder leaves the published layout in its own folder


@VOCODERS.register("bigvgan")
def load(mel: MelConfig, *, folder: str, chunk: int = 4, device: str | torch.device = "cpu") -> NeuralVocoder:
    """Load a BigVGAN.

    Args:
        mel: layout of the log-mels, which must be that of the vocoder.
        folder: as published.
        chunk: clips processed together.
        device: of the network.

    Raises:
        WeightsError: no readable BigVGAN there.
        ConfigError: it reads other mel spectrograms.
    """
    _check_layout(folder, read_config(_inner(Path(folder))), mel)
    network, _, _ = read(Path(folder))
    if _inner(Path(folder)) == Path(folder):  # not one that was trained here
        licences.tell("bigvgan", stated_licence(Path(folder), ""), folder)
    return NeuralVocoder("bigvgan", mel, network, network, chunk=chunk, device=device)


def read(folder: Path) -> tuple[BigVGAN, BigVGANConfig, Path]:
    """Read the generator of a published or trained folder.

    Returns:
        The network in evaluation mode, its configuration, and the file of its weights.

    Raises:
        WeightsError: no readable BigVGAN there.
    """
    folder = _inner(folder)
    config = read_config(folder)
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        raise WeightsError(f"{folder}: holds neither {' nor '.join(FILES)}; {COPY_FOLDER}")
    tensors = without_weight_norm(read_tensors(path, fix=COPY_FOLDER, under=("generator",)))
    network = fill_network(lambda: BigVGAN(config), tensors, path, named="BigVGAN's tensors", fix=COPY_FOLDER)
    return network, config, path


def _inner(folder: Path) -> Path:
    """Return the folder of the published layout, which a trained vocoder's folder holds inside."""
    return folder / TRAINED if (folder / TRAINED).is_dir() else folder


def read_config(folder: Path) -> BigVGANConfig:
    """Read what ``config.json`` says of the generator; the settings of its training are left out.

    Raises:
        WeightsError: not readable, or it lacks a setting.
    """
    path = folder / "config.json"
    written = read_json(path, WeightsError, fix=COPY_FOLDER)
    known = {field.name for field in fields(BigVGANConfig)}
    try:
        return resolve(BigVGANConfig, {key: value for key, value in dict(written).items() if key in known})
    except (ConfigError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: is no configuration of a BigVGAN ({error}); {COPY_FOLDER}") from error


def _check_layout(folder: str, config: BigVGANConfig, mel: MelConfig) -> None:
    """Refuse a vocoder that reads other mel spectrograms, and say how to train for it.

    Raises:
        ConfigError: they differ.
    """
    needed = {
        "sample_rate": config.sampling_rate,
        "n_fft": config.n_fft,
        "hop": config.hop_size,
        "n_mels": config.num_mels,
        "fmin": float(config.fmin),
        "fmax": float(config.sampling_rate / 2 if config.fmax is None else config.fmax),
    }
    if {name: getattr(mel, name) for name in needed} != needed:
        sets = " ".join(f"--set mel.{name}={value:g}" for name, value in needed.items())
        raise ConfigError(f"{folder}: this vocoder reads other mel spectrograms; train the audio model with {sets}")
