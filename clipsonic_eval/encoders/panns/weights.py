"""Published Cnn14 checkpoints: found, read without executing them, and compared with our front end."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from clipsonic_eval.encoders._logmel import LogMel
from clipsonic_eval.encoders.panns.frontend import AT_16K, AT_32K, published_matrices
from clipsonic_eval.encoders.panns.network import Cnn14, build
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.tensors import read_tensors
from clipsonic_eval.weight_files import PublishedWeights, how_to_get

RECORD: Final = "https://zenodo.org/records/3987831"
FILES: Final = {AT_32K: "Cnn14_mAP=0.431.pth", AT_16K: "Cnn14_16k_mAP=0.438.pth"}
_FOLDERS: Final = (
    "panns_data",
    ".cache/audioldm_eval/ckpt",
)  # of panns_inference and audioldm_eval, in the home folder
PUBLISHED: Final = tuple(
    PublishedWeights(file, users, "CC-BY-4.0", f"{RECORD}/files/{file}?download=1", folder="~/panns_data")
    for file, users in zip(
        FILES.values(),
        ("panns-cnn14, panns-cnn14-features", "panns-cnn14-16k, panns-cnn14-16k-features"),
        strict=True,
    )
)


def find(weights: Path | None, front: LogMel) -> Path:
    """Return the checkpoint that a loader's ``weights`` argument means.

    Args:
        weights: a file, or a folder that holds the published name as .pth or .safetensors; None: the folders of
            panns_inference and audioldm_eval.
        front: says at which sample rate the network was trained.

    Raises:
        WeightsError: there is no such file.
    """
    name = FILES[front]
    places = [Path.home() / place for place in _FOLDERS] if weights is None else [weights]
    for place in places:
        for path in (place, place / name, (place / name).with_suffix(".safetensors")):
            if path.is_file():
                return path
    raise WeightsError(f"{' or '.join(map(str, places))}: no {name} there; {how_to_get(name, RECORD)}")


def load(path: Path, front: LogMel) -> Cnn14:
    """Read a checkpoint: ``{"model": tensors, ...}`` or the tensors themselves, as .pth or .safetensors.

    Raises:
        WeightsError: not readable without executing it, not a Cnn14, or trained with another front end.
    """
    # the published files also hold the state of the training's sampler
    tensors = read_tensors(path, fix=f"fetch the file again from {RECORD}", under=("model",))
    try:
        return build(_without_front_end(path, tensors, front))
    except (KeyError, RuntimeError, IndexError) as error:
        raise WeightsError(f"{path}: holds another network than Cnn14; fetch the file from {RECORD}") from error


def _without_front_end(path: Path, tensors: dict[str, Tensor], front: LogMel) -> dict[str, Tensor]:
    """Return the tensors of the network alone, after comparing those of the front end with ours."""
    network = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    for name, expected in published_matrices(front).items():
        found = network.pop(name, None)
        if found is None or found.shape != expected.shape or not torch.allclose(found, expected, rtol=1e-4, atol=1e-5):
            raise WeightsError(
                f"{path}: its front end is not that of Cnn14 at {front.sample_rate} Hz ({name} is missing or differs); "
                "take the encoder for the rate of the file"
            )
    return network
