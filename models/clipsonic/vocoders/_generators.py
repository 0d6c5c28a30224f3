"""Generator networks as vocoders: their folders, read and compared with a mel layout.

A folder holds ``config.json`` and the tensors, as published, or as :mod:`clipsonic.training.vocoder` leaves them inside
its own folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import nn

from clipsonic.mel import MelConfig
from clipsonic.vocoders._bigvgan_network import BigVGAN, BigVGANConfig, without_weight_norm
from clipsonic.vocoders._neural import NeuralVocoder
from clipsonic.vocoders._vocos_network import Vocos, VocosConfig
from clipsonic_eval import licences
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError, WeightsError
from clipsonic_eval.files import read_json
from clipsonic_eval.tensors import read_tensors
from clipsonic_eval.weight_files import COPY_FOLDER, fill_network, stated_licence


class _Kind(NamedTuple):
    """A kind of generator: what its settings and its network are, and the files that may hold its tensors."""

    title: str
    config: type[Any]
    network: type[nn.Module]
    files: tuple[str, ...]


GENERATORS: Final = {
    "bigvgan": _Kind("BigVGAN", BigVGANConfig, BigVGAN, ("bigvgan_generator.safetensors", "bigvgan_generator.pt")),
    "vocos": _Kind("Vocos", VocosConfig, Vocos, ("model.safetensors",)),
}


def generator_config(name: str, options: Mapping[str, Any], mel: MelConfig) -> Any:
    """Return the settings of a generator for a mel layout.

    Args:
        name: of the kind.
        options: what its size is; the layout is left out.
        mel: the layout.

    Raises:
        ConfigError: an option is missing, unknown, or follows from the layout.
    """
    layout = {
        "num_mels": mel.n_mels,
        "sampling_rate": mel.sample_rate,
        "hop_size": mel.hop,
        "n_fft": mel.n_fft,
        "fmin": mel.fmin,
        "fmax": mel.fmax,
    }
    if given := sorted(layout.keys() & options.keys()):
        raise ConfigError(f"network.options: {', '.join(given)} follow from mel; leave them out")
    return resolve(GENERATORS[name].config, {**options, **layout}, where=f"network.options ({name})")


def load_generator(name: str, mel: MelConfig, folder: str, *, chunk: int, device: str | torch.device) -> NeuralVocoder:
    """Load a generator as a vocoder, and tell the licence of a published one.

    Raises:
        WeightsError: no readable one there.
        ConfigError: it reads other mel spectrograms.
    """
    _check_layout(folder, read_config(name, _inner(name, Path(folder))), mel)
    network, _, _ = read_generator(name, Path(folder))
    if _inner(name, Path(folder)) == Path(folder):  # not one that was trained here
        licences.tell(name, stated_licence(Path(folder), ""), folder)
    return NeuralVocoder(name, mel, network, network, chunk=chunk, device=device)


def read_generator(name: str, folder: Path) -> tuple[nn.Module, Any, Path]:
    """Read a generator of a published or trained folder.

    Returns:
        The network in evaluation mode, its settings, and the file of its weights.

    Raises:
        WeightsError: no readable one there.
    """
    kind, folder = GENERATORS[name], _inner(name, folder)
    config = read_config(name, folder)
    path = next((folder / file for file in kind.files if (folder / file).is_file()), None)
    if path is None:
        raise WeightsError(f"{folder}: {' or '.join(kind.files)} is missing; {COPY_FOLDER}")
    tensors = without_weight_norm(read_tensors(path, fix=COPY_FOLDER, under=("generator",)))
    named = f"{kind.title}'s tensors"
    return fill_network(lambda: kind.network(config), tensors, path, named=named, fix=COPY_FOLDER), config, path


def read_config(name: str, folder: Path) -> Any:
    """Read what ``config.json`` says of the generator; the settings of its training are left out.

    Raises:
        WeightsError: not readable, or it lacks a setting.
    """
    kind, path = GENERATORS[name], folder / "config.json"
    written = read_json(path, WeightsError, fix=COPY_FOLDER)
    known = {field.name for field in fields(kind.config)}
    try:
        return resolve(kind.config, {key: value for key, value in dict(written).items() if key in known})
    except (ConfigError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: is no configuration of a {kind.title} ({error}); {COPY_FOLDER}") from error


def _inner(name: str, folder: Path) -> Path:
    """Return the folder of the published layout, which a trained vocoder's folder holds inside, by the kind's name."""
    return folder / name if (folder / name).is_dir() else folder


def _check_layout(folder: str, config: Any, mel: MelConfig) -> None:
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
