"""OpenAI's CLIP models by our names, and where the folder of one lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clipsonic_eval.encoders._hub import DOWNLOAD, fetched, may_download
from clipsonic_eval.encoders._transformers import tensors_in
from clipsonic_eval.errors import WeightsError

_SETTINGS: Final = ("*.json", "merges.txt")


@dataclass(frozen=True, slots=True)
class Model:
    """A published model, told from others by its sizes.

    Attributes:
        repository: on the Hugging Face hub.
        dim: of the shared space.
        patch: side of a patch of the picture, pixels.
        layers: of the image tower.
        tensors: files of its repository that may hold them.
    """

    repository: str
    dim: int
    patch: int
    layers: int
    tensors: tuple[str, ...] = ("model.safetensors", "pytorch_model.bin")

    @property
    def command(self) -> str:
        """The shell command that fetches it."""
        wanted = " ".join(f'--include "{pattern}"' for pattern in (*_SETTINGS, *self.tensors))
        return f"'hf download {self.repository} {wanted}'"


MODELS: Final = {
    "clip-vit-l-14": Model("openai/clip-vit-large-patch14", 768, 14, 24, ("model.safetensors",)),
    "clip-vit-b-16": Model("openai/clip-vit-base-patch16", 512, 16, 12),
    "clip-vit-b-32": Model("openai/clip-vit-base-patch32", 512, 32, 12),
}


def folder_of(name: str, weights: Path | None, *, download: bool | None = None) -> Path:
    """Return the folder of a model: the one that is given, else that of the Hugging Face cache.

    Args:
        name: of the encoder.
        weights: a folder as transformers writes it, or a file within.
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
    cached = _cached(model.repository)
    if cached is not None:
        return cached
    if may_download(download):
        return _fetched(model)
    raise WeightsError(
        f"encoder '{name}': {model.repository} is not in the Hugging Face cache; fetch it with {model.command}, "
        f"or set {DOWNLOAD}=1, or name a folder as the encoder's weights"
    )


def _cached(repository: str) -> Path | None:
    """Return the cached folder if it holds tensors; no network is touched."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(huggingface_hub.snapshot_download(repository, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return folder if (folder / "config.json").is_file() and tensors_in(folder) else None


def _fetched(model: Model) -> Path:
    """Return the folder after fetching what it lacks; pickled tensors only where there are no others."""
    folder = Path()
    for tensors in model.tensors:
        folder = fetched(model.repository, [*_SETTINGS, tensors], command=model.command)
        if tensors_in(folder):
            break
    return folder
