"""The published weights of Synchformer: found, read as tensors only, and compared with the network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from clipsonic_eval.encoders.synchformer.network import JOINT_HEAD, TOWER_HEAD, Depths, SynchformerNetwork
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.tensors import read_tensors
from clipsonic_eval.weight_files import PublishedWeights, fill_network, torch_hub_file

FILE: Final = "synchformer_state_dict.pth"
SOURCE: Final = f"https://github.com/hkchengrex/MMAudio/releases/download/v0.1/{FILE}"
PUBLISHED: Final = (PublishedWeights(FILE, "synchformer", "MIT", SOURCE),)
_LAYERS: Final = {
    "video": r"vfeat_extractor\.blocks\.(\d+)\.",
    "sound": r"afeat_extractor\.ast\.encoder\.layer\.(\d+)\.",
    "joint": r"transformer\.blocks\.(\d+)\.",
}


def find(weights: Path | None) -> Path:
    """Return the weight file, see :func:`clipsonic_eval.weight_files.torch_hub_file`."""
    return torch_hub_file(weights, FILE, SOURCE, named="Synchformer")


def load(path: Path) -> SynchformerNetwork:
    """Build the network from the published file, or one of other depths and width.

    Raises:
        WeightsError: not readable without executing anything, or another network's.
    """
    fix = f"fetch {FILE} from {SOURCE}"
    tensors = read_tensors(path, fix=fix)
    depths = {
        part: len({found[1] for name in tensors if (found := re.match(pattern, name))})
        for part, pattern in _LAYERS.items()
    }
    width = len(tensors.get("vproj.bias", ()))
    if not width or width % TOWER_HEAD or width % JOINT_HEAD or not all(depths.values()):
        raise WeightsError(f"{path}: these are not the tensors of Synchformer; {fix}")
    sizes = Depths(width, **depths)
    return fill_network(lambda: SynchformerNetwork(sizes), tensors, path, named="the tensors of Synchformer", fix=fix)
