"""The published weights of PaSST-S: found, read as tensors only, and compared with the network."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clipsonic_eval.encoders.passt.network import Passt
from clipsonic_eval.tensors import read_tensors
from clipsonic_eval.weight_files import PublishedWeights, fill_network, torch_hub_file

FILE: Final = "passt-s-f128-p16-s10-ap.476-swa.pt"
SOURCE: Final = f"https://github.com/kkoutini/PaSST/releases/download/v0.0.1-audioset/{FILE}"
PUBLISHED: Final = (PublishedWeights(FILE, "passt, passt-features", "Apache-2.0", SOURCE),)


def find(weights: Path | None) -> Path:
    """Return the weight file, see :func:`clipsonic_eval.weight_files.torch_hub_file`."""
    return torch_hub_file(weights, FILE, SOURCE, named="PaSST")


def load(path: Path) -> Passt:
    """Build the network from the published file, another of its sizes, or a safetensors file.

    Raises:
        WeightsError: not readable without executing anything, or another network's.
    """
    fix = f"fetch {FILE} from {SOURCE}"
    tensors = read_tensors(path, fix=fix, under=("model", "state_dict"))
    return fill_network(Passt, tensors, path, named="the tensors of PaSST-S", fix=fix)
