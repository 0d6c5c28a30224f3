"""The published folder of Audiobox Aesthetics: found, read as tensors only, and compared with the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from torch import Tensor

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.encoders.aesthetics.network import AXES, Aesthetics, Sizes
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.files import read_json
from clipsonic_eval.tensors import read_tensors
from clipsonic_eval.weight_files import (
    COPY_FOLDER,
    PublishedWeights,
    fill_network,
    how_to_get,
    hub_download,
    hub_folder,
    may_download,
)

REPOSITORY: Final = "facebook/audiobox-aesthetics"
_FILES: Final = ("config.json", "model.safetensors")
_COMMAND: Final = f"'hf download {REPOSITORY} {' '.join(_FILES)}'"
PUBLISHED: Final = (
    PublishedWeights(REPOSITORY, "audiobox-aesthetics", "CC BY 4.0", files=_FILES[1:], beside=_FILES[:1]),
)
_ONLY: Final = {  # settings of config.json that no published network has otherwise, and their defaults
    "use_weighted_layer_sum": True,
    "normalize_embed": True,
    "output_dim": 1,
    "proj_act_fn": "gelu",
}


class Scale(NamedTuple):
    """From standardised axes to points.

    Attributes:
        mean: (4,) of the axes, points.
        std: (4,) of the axes, points.
    """

    mean: Float64
    std: Float64


def find(weights: Path | None, *, download: bool | None = None) -> Path:
    """Return the folder: the one given, or that of the Hugging Face cache.

    Args:
        weights: folder, or a file in it.
        download: fetch what the cache lacks; None: only if the environment variable CLIPSONIC_EVAL_DOWNLOAD is 1.

    Raises:
        WeightsError: there is none, or a file is missing.
    """
    folder = weights if weights is None or weights.is_dir() else weights.parent
    if folder is None:
        folder = hub_folder(REPOSITORY)
    if folder is None and may_download(download):
        folder = hub_download(REPOSITORY, _FILES, command=_COMMAND)
    if folder is None:
        raise WeightsError(
            f"encoder 'audiobox-aesthetics': {REPOSITORY} is not in the Hugging Face cache; "
            f"{how_to_get(REPOSITORY, f'https://huggingface.co/{REPOSITORY}')}"
        )
    for name in _FILES:
        if not (folder / name).is_file():
            raise WeightsError(f"{folder}: no folder of {REPOSITORY}, {name} is missing; fetch it with {_COMMAND}")
    return folder


def load(folder: Path) -> tuple[Aesthetics, Scale]:
    """Return the network of a folder, and the scale of its axes.

    Raises:
        WeightsError: a file is damaged, or holds another network.
    """
    config = read_json(folder / _FILES[0], WeightsError, fix=COPY_FOLDER)
    path = folder / _FILES[1]
    tensors = read_tensors(path, fix=COPY_FOLDER)
    scale = _scale(folder, config)
    sizes = _sizes(tensors, config)
    if sizes is None:
        raise WeightsError(f"{path}: these are not the tensors of Audiobox Aesthetics; {COPY_FOLDER}")
    network = fill_network(
        lambda: Aesthetics(sizes), tensors, path, named="the tensors of Audiobox Aesthetics", fix=COPY_FOLDER
    )
    return network, scale


def _scale(folder: Path, config: Any) -> Scale:
    """Return the scale of the axes after checking the settings.

    Raises:
        WeightsError: a setting is missing, or none that this network has.
    """
    file = folder / _FILES[0]
    settings = config if isinstance(config, Mapping) else {}
    for name, only in _ONLY.items():
        if settings.get(name, only) != only:
            raise WeightsError(f"{file}: {name} is {settings[name]!r}, and only {only!r} is known here; {COPY_FOLDER}")
    axes: Any = settings.get("target_transform")
    try:
        scale = Scale(*(np.array([float(axes[axis][key]) for axis in AXES]) for key in ("mean", "std")))
    except (TypeError, KeyError, ValueError) as error:
        raise WeightsError(
            f"{file}: target_transform must have mean and std of the axes {', '.join(AXES)}; {COPY_FOLDER}"
        ) from error
    return scale


def _sizes(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> Sizes | None:
    """Return the sizes that the tensors show, None if they are of something else."""
    encoder = "wavlm_model.encoder"
    shown = {
        "projection": "wavlm_model.post_extract_proj.weight",
        "positions": f"{encoder}.pos_conv.0.weight_v",
        "heads": f"{encoder}.layers.0.self_attn.grep_a",
        "hidden": f"{encoder}.layers.0.fc1.weight",
        "buckets": f"{encoder}.layers.0.self_attn.relative_attention_bias.weight",
        "layers": f"layer_weights.{AXES[0]}",
    }
    shapes = {what: tuple(tensors[name].shape) for what, name in shown.items() if name in tensors}
    ranks = {"projection": 2, "positions": 3, "heads": 4, "hidden": 2, "buckets": 2, "layers": 1}
    if any(len(shapes.get(what, ())) != rank for what, rank in ranks.items()):
        return None
    width, channels = shapes["projection"]
    _, group, kernel = shapes["positions"]
    return Sizes(
        channels=channels,
        width=width,
        heads=shapes["heads"][1],
        hidden=shapes["hidden"][0],
        layers=shapes["layers"][0] - 1,
        kernel=kernel,
        group=group,
        buckets=shapes["buckets"][0],
        head_layers=int(config.get("proj_num_layer", 1)),
        head_norm=bool(config.get("proj_ln", False)),
        head_dropout=bool(config.get("proj_dropout", 0)),
    )
