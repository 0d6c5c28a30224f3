"""OpenAI's CLIP models by our names: where the folder of one lies, and its network."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

from clipsonic_eval.errors import WeightsError
from clipsonic_eval.weight_files import HubModel, given_folder, read_transformers

_SETTINGS: Final = ("*.json", "merges.txt")


class ClipModel(NamedTuple):
    """A published model, identified by its sizes.

    Attributes:
        hub: where it is published.
        dim: of the shared space.
        patch: side of an image patch, pixels.
        layers: of the image tower.
    """

    hub: HubModel
    dim: int
    patch: int
    layers: int


MODELS: Final = {
    "clip-vit-l-14": ClipModel(
        HubModel("openai/clip-vit-large-patch14", ("model.safetensors",), settings=_SETTINGS), 768, 14, 24
    ),
    "clip-vit-b-16": ClipModel(HubModel("openai/clip-vit-base-patch16", settings=_SETTINGS), 512, 16, 12),
    "clip-vit-b-32": ClipModel(HubModel("openai/clip-vit-base-patch32", settings=_SETTINGS), 512, 32, 12),
}
PUBLISHED: Final = tuple(model.hub.published(name, "MIT") for name, model in MODELS.items())


def find(name: str, weights: Path | None, *, download: bool | None = None) -> Path:
    """Return the folder of a model: the one given, or that of the Hugging Face cache.

    Args:
        name: registry name.
        weights: a folder as transformers writes it, or a file in it.
        download: fetch what the cache lacks; None: only if the environment variable CLIPSONIC_EVAL_DOWNLOAD is 1.

    Raises:
        WeightsError: there is none.
    """
    if name in MODELS:
        return MODELS[name].hub.find(name, weights, download=download)
    if weights is None:
        raise WeightsError(f"encoder '{name}' has no weights of its own; name a folder with config.json and tensors")
    return given_folder(weights)


def load(folder: Path, model: ClipModel | None = None) -> Any:
    """Return the network of a folder, transformers' ``CLIPModel`` in float32 on the CPU; nothing is executed.

    Args:
        folder: as transformers writes it.
        model: refuse a network of other sizes.

    Raises:
        WeightsError: a file is missing, damaged or unsafe, or the sizes differ.
    """
    from transformers import CLIPConfig, CLIPModel

    network = read_transformers(folder, CLIPConfig, CLIPModel, extra=("position_ids",))
    if model is not None:
        config = network.config
        found = (config.projection_dim, config.vision_config.patch_size, config.vision_config.num_hidden_layers)
        if found != (model.dim, model.patch, model.layers):
            raise WeightsError(
                f"{folder}: a CLIP of {found[0]} dimensions, patch {found[1]}, {found[2]} layers, but "
                f"{model.hub.repository} has {model.dim}, {model.patch}, {model.layers}; load others as "
                "'clip-transformers'"
            )
    return network
