"""LAION's CLAP checkpoints by our names, and where the file of one lies."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clipsonic_eval.encoders._hub import DOWNLOAD, cached, fetched, may_download
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.hashing import file_sha256

REPOSITORY: Final = "lukewys/laion_clap"
SOURCE: Final = f"https://huggingface.co/{REPOSITORY}"


@dataclass(frozen=True, slots=True)
class Model:
    """A published checkpoint.

    Attributes:
        file: its name in the repository.
        width: channels of the first stage of its audio tower: 96 of HTSAT-tiny, 128 of HTSAT-base.
        fusion: whether sounds of more than 10 s are fused from four pieces.
        sha256: of the file; "" where we know of no publication of it.
    """

    file: str
    width: int
    fusion: bool = False
    sha256: str = ""


MODELS: Final = {
    "clap-laion-audio": Model("630k-audioset-best.pt", 96),
    "clap-laion-fusion": Model("630k-audioset-fusion-best.pt", 96, fusion=True),
    "clap-laion-music": Model(
        "music_audioset_epoch_15_esc_90.14.pt",
        128,
        sha256="fae3e9c087f2909c28a09dc31c8dfcdacbc42ba44c70e972b58c1bd1caf6dedd",
    ),
    "clap-laion-music-speech": Model(
        "music_speech_audioset_epoch_15_esc_89.98.pt",
        128,
        sha256="51c68f12f9d7ea25fdaaccf741ec7f81e93ee594455410f3bca4f47f88d8e006",
    ),
}


def find(name: str, weights: Path | None, *, download: bool | None = None) -> Path:
    """Return the file of an encoder: the one given (or in the folder given), else a copy in the usual places.

    Those are the Hugging Face cache and the folder in which the laion_clap package keeps its downloads.

    Args:
        name: of the encoder.
        weights: file or folder.
        download: fetch what is nowhere; None: only if the environment variable CLIPSONIC_EVAL_DOWNLOAD is 1.

    Raises:
        WeightsError: there is none, or its bytes are not those of the published file of that name.
    """
    model = MODELS.get(name)
    path = _given(name, weights, model) if weights is not None else _known(name, model, download)
    if model and model.sha256 and path.name == model.file and file_sha256(path) != model.sha256:
        raise WeightsError(
            f"{path}: its SHA-256 is not that of the published file ({model.sha256}); {how_to_get(model)}; a file of "
            "your own under another name is taken as encoder 'clap-laion'"
        )
    return path


def how_to_get(model: Model | None) -> str:
    """Return the end of a sentence that says where a file is published."""
    if model is None:
        return "name a checkpoint of LAION's CLAP as the encoder's weights"
    known = f" (SHA-256 {model.sha256})" if model.sha256 else ""
    return f"fetch {model.file}{known} from {SOURCE} with 'hf download {REPOSITORY} {model.file}'"


def _given(name: str, weights: Path, model: Model | None) -> Path:
    if weights.is_file():
        return weights
    if weights.is_dir() and model is not None:
        for path in (weights / model.file, (weights / model.file).with_suffix(".safetensors")):
            if path.is_file():
                return path
    raise WeightsError(f"{weights}: no weights of '{name}' there; {how_to_get(model)}")


def _known(name: str, model: Model | None, download: bool | None) -> Path:
    if model is None:
        raise WeightsError(f"encoder '{name}' has no weights of its own; {how_to_get(None)}")
    copy = cached(REPOSITORY, model.file)
    if copy is not None:
        return copy
    package = importlib.util.find_spec("laion_clap")  # finds it without running it
    for folder in package.submodule_search_locations or [] if package else []:
        if (Path(folder) / model.file).is_file():
            return Path(folder) / model.file
    if may_download(download):
        return fetched(REPOSITORY, [model.file], command=f"'hf download {REPOSITORY} {model.file}'") / model.file
    raise WeightsError(
        f"encoder '{name}': {model.file} is neither in the Hugging Face cache nor in the laion_clap package; "
        f"{how_to_get(model)}, or set {DOWNLOAD}=1, or name the file as the encoder's weights"
    )
