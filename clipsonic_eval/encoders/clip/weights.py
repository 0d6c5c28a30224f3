"""OpenAI's CLIP models by our names: where the folder of one lies, and its network."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

from clipsonic_eval.errors import WeightsError
from clipsonic_eval.weight_files import (
    COPY_FOLDER,
    DOWNLOAD,
    hub_download,
    hub_folder,
    may_download,
    read_transformers,
    tensors_in,
)

_SETTINGS: Final = ("*.json", "merges.txt")


class ClipModel(NamedTuple):
    """A published model, identified by its sizes.

    Attributes:
        repository: on the Hugging Face hub.
        dim: of the shared space.
        patch: side of an image patch, pixels.
        layers: of the image tower.
        tensors: files of the repository that may hold the tensors, in order of preference.
    """

    repository: str
    dim: int
    patch: int
    layers: int
    tensors: tuple[str, ...] = ("model.safetensors", "pytorch_model.bin")

    @property
    def command(self) -> str:
        """The shell command that downloads it."""
        wanted = " ".join(f'--include "{pattern}"' for pattern in (*_SETTINGS, *self.tensors))
        return f"'hf download {self.repository} {wanted}'"


MODELS: Final = {
    "clip-vit-l-14": ClipModel("openai/clip-vit-large-patch14", 768, 14, 24, ("model.safetensors",)),
    "clip-vit-b-16": ClipModel("openai/clip-vit-base-patch16", 512, 16, 12),
    "clip-vit-b-32": ClipModel("openai/clip-vit-base-patch32", 512, 32, 12),
}


def find(name: str, weights: Path | None, *, download: bool | None = None) -> Path:
    """Return the folder of a model: the one given, or that of the Hugging Face cache.

    Args:
        name: registry name.
        weights: a folder as transformers writes it, or a file in it.
        download: fetch what the cache lacks; None: only if the environment variable CLIPSONIC_EVAL_DOWNLOAD is 1.

    Raises:
        WeightsError: there is none.
    """
    if weights is not None:
        folder = weights.parent if weights.is_file() else weights
        if not (folder / "config.json").is_file():
            raise WeightsError(f"{folder}: no CLIP folder of transformers, config.json is missing; name its folder")
        return folder
    if name not in MODELS:
        raise WeightsError(f"encoder '{name}' has no weights of its own; name a folder with config.json and tensors")
    model = MODELS[name]
    cached = hub_folder(model.repository)
    if cached is not None:
        return cached
    if may_download(download):
        return _download(model)
    raise WeightsError(
        f"encoder '{name}': {model.repository} is not in the Hugging Face cache; fetch it with {model.command}, "
        f"or set {DOWNLOAD}=1, or name a folder as the encoder's weights"
    )


def _download(model: ClipModel) -> Path:
    """Return the folder after downloading what it lacks; pickled tensors only where there are no others."""
    folder = Path()
    for tensors in model.tensors:
        folder = hub_download(model.repository, [*_SETTINGS, tensors], command=model.command)
        if tensors_in(folder):
            break
    return folder


def load(folder: Path, model: ClipModel | None = None) -> Any:
    """Return the network of a folder, transformers' ``CLIPModel`` in float32 on the CPU; nothing is executed.

    Args:
        folder: as transformers writes it.
        model: refuse a network of other sizes.

    Raises:
        WeightsError: a file is missing, damaged or unsafe, or the sizes differ.
    """
    from transformers import CLIPConfig, CLIPModel

    if not tensors_in(folder):
        raise WeightsError(f"{folder}: holds neither model.safetensors nor pytorch_model.bin; {COPY_FOLDER}")
    network = read_transformers(folder, CLIPConfig, CLIPModel, extra=("position_ids",))
    if model is not None:
        config = network.config
        found = (config.projection_dim, config.vision_config.patch_size, config.vision_config.num_hidden_layers)
        if found != (model.dim, model.patch, model.layers):
            raise WeightsError(
                f"{folder}: a CLIP of {found[0]} dimensions, patch {found[1]}, {found[2]} layers, but "
                f"{model.repository} has {model.dim}, {model.patch}, {model.layers}; load others as 'clip-transformers'"
            )
    return network
