"""The published weights of ImageBind: found, read as tensors only, and compared with the network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from torch import Tensor

from clipsonic_eval.encoders.imagebind.network import HEAD_WIDTH, MODALITIES, ImageBind, TowerSizes
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.tensors import read_tensors
from clipsonic_eval.weight_files import PublishedWeights, fill_network, hub_file, torch_hub_file

FILE: Final = "imagebind_huge.pth"
SOURCE: Final = f"https://dl.fbaipublicfiles.com/imagebind/{FILE}"
PUBLISHED: Final = (PublishedWeights(FILE, "imagebind", "CC BY-NC-SA 4.0", SOURCE),)
_TOKENIZERS: Final = tuple(f"openai/clip-vit-{size}" for size in ("large-patch14", "base-patch32", "base-patch16"))
_VOCABULARIES: Final = ("tokenizer.json", "vocab.json")
_LEFT_OUT: Final = re.compile(  # other modalities, scales of the training's loss, the causal mask
    r"modality_\w+\.(depth|thermal|imu)\.|modality_postprocessors\.|modality_preprocessors\.text\.mask$"
)


def find(weights: Path | None) -> Path:
    """Return the weight file, see :func:`clipsonic_eval.weight_files.torch_hub_file`."""
    return torch_hub_file(weights, FILE, SOURCE, named="ImageBind")


def load(path: Path) -> ImageBind:
    """Build the towers of vision, text and audio from the published file, or one of other sizes.

    Raises:
        WeightsError: not readable without executing anything, or another network's.
    """
    fix = f"fetch {FILE} from {SOURCE}"
    tensors = {k: v for k, v in read_tensors(path, fix=fix).items() if not _LEFT_OUT.match(k)}
    found = {name: _tower(name, tensors) for name in MODALITIES}
    towers = {name: sizes for name, sizes in found.items() if sizes is not None}
    dim = len(tensors.get("modality_heads.vision.2.weight", ()))
    if len(towers) < len(MODALITIES) or not dim:
        missing = next((name for name in MODALITIES if name not in towers), "vision")
        raise WeightsError(f"{path}: these are not the tensors of ImageBind (no tower for {missing}); {fix}")
    return fill_network(lambda: ImageBind(towers, dim), tensors, path, named="the tensors of ImageBind", fix=fix)


def _tower(name: str, tensors: Mapping[str, Tensor]) -> TowerSizes | None:
    """Return the sizes of a tower, None if there is none."""
    blocks = {
        int(found[1]) for key in tensors if (found := re.match(rf"modality_trunks\.{name}\.blocks\.(\d+)\.", key))
    }
    bias = tensors.get(f"modality_trunks.{name}.blocks.0.attn.out_proj.bias")
    if bias is None or bias.ndim != 1 or len(bias) % HEAD_WIDTH[name] or not len(bias):
        return None
    vocabulary = tensors.get("modality_preprocessors.text.token_embedding.weight")
    if name == "text" and vocabulary is None:
        return None
    return TowerSizes(len(bias), len(blocks), len(vocabulary) if name == "text" and vocabulary is not None else 0)


def tokenizer_folder(weights_dir: Path, folder: Path | None) -> Path:
    """Return a folder with CLIP's tokenizer: the one given, that of the weights, or the Hugging Face cache's.

    Raises:
        WeightsError: there is none.
    """
    place = weights_dir if folder is None else folder
    if any((place / name).is_file() for name in _VOCABULARIES):
        return place
    if folder is None:
        for repository in _TOKENIZERS:
            for name in _VOCABULARIES:
                if (path := hub_file(repository, name)) is not None:
                    return path.parent
    raise WeightsError(
        f"{place}: texts need CLIP's tokenizer, which is neither there nor in the Hugging Face cache; fetch it with "
        f"'hf download {_TOKENIZERS[0]} --include \"*.json\" --include merges.txt', or put vocab.json and merges.txt "
        "into the folder of the weights"
    )
