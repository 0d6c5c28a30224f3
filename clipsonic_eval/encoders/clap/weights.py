"""CLAP's weights: LAION's checkpoints by our names, folders of transformers, and the networks that they hold.

Published checkpoints hold ``{"state_dict": tensors, ...}`` with names that begin with ``module.``. Besides the two
towers they hold layers of the training (classifier heads, transforms after the projections) and matrices of the front
end; those are left out by name, and anything else that is missing or unexpected is refused.

Source of the layout: laion_clap 1.1.7.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from torch import Tensor

from clipsonic_eval.encoders._logmel import LogMel
from clipsonic_eval.encoders.clap.frontend import front_end, read_front_end
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.tensors import missing_and_unexpected, read_tensors
from clipsonic_eval.weight_files import (
    COPY_FOLDER,
    PublishedWeights,
    how_to_get,
    hub_download,
    hub_file,
    may_download,
    read_transformers,
    tensors_in,
    tensors_sha256,
)

REPOSITORY: Final = "lukewys/laion_clap"
_URL: Final = f"https://huggingface.co/{REPOSITORY}"
_PATCHES: Final = "audio_branch.patch_embed.proj.weight"
_FUSION: Final = "audio_branch.patch_embed.mel_conv2d.weight"  # only checkpoints with feature fusion have it
_EPSILON: Final = 1e-5  # of RoBERTa's layer normalisation; folders on the hub leave it out, transformers then has 1e-12
_HEAD_WIDTH: Final = 64  # of RoBERTa's attention; no tensor shows it
_BUFFERS: Final = ("position_ids", "token_type_ids")
_IGNORED: Final = re.compile(
    r"(audio_branch\.(head|tscam_conv|spectrogram_extractor|logmel_extractor)\.|(text|audio)_transform\.|.*\.attn_mask$"
    r"|text_branch\.embeddings\.(position_ids|token_type_ids)$|.*\.relative_position_index$|.*\.num_batches_tracked$)"
)
_RENAMED: Final = (  # laion_clap's names to transformers'
    (r"^text_branch\.", "text_model."),
    (r"^audio_branch\.", "audio_model.audio_encoder."),
    (r"\.bn0\.", ".batch_norm."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.attn\.", ".attention.self."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"^(text|audio)_projection\.0\.", r"\1_projection.linear1."),
    (r"^(text|audio)_projection\.2\.", r"\1_projection.linear2."),
)


class ClapCheckpoint(NamedTuple):
    """A published checkpoint.

    Attributes:
        file: its name in the repository.
        width: channels of the first stage of its audio tower: 96 of HTSAT-tiny, 128 of HTSAT-base.
        fusion: whether audio above 10 s is fused from four inputs.
        sha256: of the file; "" where no publication of it is known.
    """

    file: str
    width: int
    fusion: bool = False
    sha256: str = ""


CHECKPOINTS: Final = {
    "clap-laion-audio": ClapCheckpoint("630k-audioset-best.pt", 96),
    "clap-laion-fusion": ClapCheckpoint("630k-audioset-fusion-best.pt", 96, fusion=True),
    "clap-laion-music": ClapCheckpoint(
        "music_audioset_epoch_15_esc_90.14.pt",
        128,
        sha256="fae3e9c087f2909c28a09dc31c8dfcdacbc42ba44c70e972b58c1bd1caf6dedd",
    ),
    "clap-laion-music-speech": ClapCheckpoint(
        "music_speech_audioset_epoch_15_esc_89.98.pt",
        128,
        sha256="51c68f12f9d7ea25fdaaccf741ec7f81e93ee594455410f3bca4f47f88d8e006",
    ),
}
PUBLISHED: Final = tuple(
    PublishedWeights(REPOSITORY, name, "CC0-1.0", files=(known.file,), sha256=known.sha256)
    for name, known in CHECKPOINTS.items()
)


def find(name: str, weights: Path | None, *, download: bool | None = None) -> Path:
    """Return the checkpoint of an encoder, or the folder of ``clap-transformers``.

    Without ``weights``, a checkpoint is looked for in the Hugging Face cache and in the folder in which the laion_clap
    package keeps its downloads.

    Args:
        name: registry name.
        weights: file or folder.
        download: fetch what is nowhere; None: only if the environment variable CLIPSONIC_EVAL_DOWNLOAD is 1.

    Raises:
        WeightsError: there is none, or it is not the published file of that name.
    """
    if name == "clap-transformers":
        if weights is None:
            raise WeightsError(
                f"encoder '{name}' has no weights of its own; name a folder with config.json and tensors"
            )
        if not weights.is_dir() or not tensors_in(weights) or not (weights / "config.json").is_file():
            raise WeightsError(
                f"{weights}: no CLAP folder of transformers, config.json or tensors are missing; {COPY_FOLDER}"
            )
        return weights
    known = CHECKPOINTS.get(name)
    path = _given(name, weights, known) if weights is not None else _kept(name, known, download)
    if known and known.sha256 and path.name == known.file and file_sha256(path) != known.sha256:
        raise WeightsError(
            f"{path}: its SHA-256 is not that of the published file ({known.sha256}); {_fix(known)}; a file of "
            "your own under another name is taken as encoder 'clap-laion'"
        )
    return path


def _given(name: str, weights: Path, known: ClapCheckpoint | None) -> Path:
    if weights.is_file():
        return weights
    if weights.is_dir() and known is not None:
        for path in (weights / known.file, (weights / known.file).with_suffix(".safetensors")):
            if path.is_file():
                return path
    raise WeightsError(f"{weights}: no weights of '{name}' there; {_fix(known)}")


def _kept(name: str, known: ClapCheckpoint | None, download: bool | None) -> Path:
    if known is None:
        raise WeightsError(f"encoder '{name}' has no weights of its own; {_fix(None)}")
    cached = hub_file(REPOSITORY, known.file)
    if cached is not None:
        return cached
    package = importlib.util.find_spec("laion_clap")  # finds it without running it
    for folder in package.submodule_search_locations or [] if package else []:
        if (Path(folder) / known.file).is_file():
            return Path(folder) / known.file
    if may_download(download):
        return hub_download(REPOSITORY, [known.file], command=f"'hf download {REPOSITORY} {known.file}'") / known.file
    raise WeightsError(
        f"encoder '{name}': {known.file} is neither in the Hugging Face cache nor in the laion_clap package; "
        f"{how_to_get(name, _URL)}"
    )


def _fix(known: ClapCheckpoint | None) -> str:
    """Return where a file is published, as the end of an error message."""
    if known is None:
        return "name a checkpoint of LAION's CLAP as the encoder's weights"
    stated = f" (SHA-256 {known.sha256})" if known.sha256 else ""
    return f"fetch {known.file}{stated} from {_URL} with 'hf download {REPOSITORY} {known.file}'"


def publication(name: str, path: Path) -> tuple[str, str]:
    """Return where the weights of an encoder are published, and their licence ("" for weights of your own)."""
    return (_URL, "CC0-1.0") if name in CHECKPOINTS else (path.name, "")


def read_folder(folder: Path) -> tuple[Any, LogMel, str]:
    """Read a folder as transformers writes it; nothing in it is executed and nothing is downloaded.

    Returns:
        transformers' ClapModel in float32, its front end, and the SHA-256 of its tensors.

    Raises:
        WeightsError: a file is missing, damaged or unsafe, or they do not belong together.
    """
    from transformers import ClapConfig, ClapModel

    model = read_transformers(folder, ClapConfig, ClapModel, extra=_BUFFERS, missing=_BUFFERS)
    front = read_front_end(folder, fusion=bool(model.config.audio_config.enable_fusion))
    return model, front, tensors_sha256(model.state_dict())


def read_checkpoint(name: str, path: Path) -> tuple[dict[str, Tensor], str]:
    """Read a checkpoint of LAION's layout, as published or as safetensors.

    Returns:
        Tensors of any shape under laion_clap's names, and the SHA-256 of the file.

    Raises:
        WeightsError: not readable without executing it, or not of the sizes that the encoder's name stands for.
    """
    known = CHECKPOINTS.get(name)
    tensors = read_tensors(path, fix=_fix(known), under=("state_dict",))
    tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    tensors.pop("text_branch.embeddings.position_ids", None)
    if known is not None and _PATCHES in tensors:
        width, fusion = int(tensors[_PATCHES].shape[0]), _FUSION in tensors
        if (width, fusion) != (known.width, known.fusion):
            raise WeightsError(
                f"{path}: a CLAP of width {width} {'with' if fusion else 'without'} fusion, which is not '{name}'; "
                f"{_fix(known)}, or load it as 'clap-laion'"
            )
    return tensors, file_sha256(path)


def build(name: str, path: Path, tensors: Mapping[str, Tensor]) -> tuple[Any, LogMel]:
    """Return transformers' ClapModel, float32, with the tensors of a checkpoint, and its front end.

    Args:
        name: registry name of the encoder.
        path: of the checkpoint, for error messages.
        tensors: see :func:`read_checkpoint`.

    Raises:
        WeightsError: a tensor is missing, unexpected or of another shape.
    """
    from transformers import ClapModel

    fix = _fix(CHECKPOINTS.get(name))
    model = ClapModel(_config(path, tensors, fix))
    found = {name: value.float() for name, value in renamed(tensors).items() if name != "logit_scale"}
    buffers = {name for name, _ in model.named_buffers() if not name.endswith(("running_mean", "running_var"))}
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items() if name not in buffers}
    wrong = list(missing_and_unexpected(found, wanted))
    if wrong:
        raise WeightsError(f"{path}: these are not the tensors of a CLAP of LAION ('{wrong[0]}' first); {fix}")
    model.load_state_dict(found, strict=False)
    return model, front_end(fusion=_FUSION in tensors)


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of both towers, of any shape, under transformers' names, query, key and value apart."""
    found: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if _IGNORED.match(name):
            continue
        new = name
        for pattern, replacement in _RENAMED:
            new = re.sub(pattern, replacement, new)
        if ".qkv." in new:
            for part, third in zip(("query", "key", "value"), value.chunk(3), strict=True):
                found[new.replace("qkv", part)] = third.contiguous()
        else:
            found[new] = value
    return found


def _config(path: Path, tensors: Mapping[str, Tensor], fix: str) -> Any:
    """Return the ClapConfig that the shapes of a checkpoint's tensors imply."""
    from transformers import ClapConfig

    stages = [f"audio_branch.layers.{stage}.blocks" for stage in range(4)]
    try:
        joint = tensors["audio_projection.2.weight"].shape[0]
        vocabulary, width = tensors["text_branch.embeddings.word_embeddings.weight"].shape
        audio = {
            "patch_embeds_hidden_size": tensors[_PATCHES].shape[0],
            "depths": [_count(tensors, rf"{re.escape(stage)}\.(\d+)\.") for stage in stages],
            "num_attention_heads": [
                tensors[f"{stage}.0.attn.relative_position_bias_table"].shape[1] for stage in stages
            ],
            "hidden_size": tensors["audio_branch.norm.weight"].shape[0],
            "projection_dim": joint,
            "enable_fusion": _FUSION in tensors,
            "fusion_type": "aff_2d",
        }
        text = {
            "vocab_size": vocabulary,
            "hidden_size": width,
            "intermediate_size": tensors["text_branch.encoder.layer.0.intermediate.dense.weight"].shape[0],
            "num_hidden_layers": _count(tensors, r"text_branch\.encoder\.layer\.(\d+)\."),
            "num_attention_heads": max(1, width // _HEAD_WIDTH),
            "max_position_embeddings": tensors["text_branch.embeddings.position_embeddings.weight"].shape[0],
            "layer_norm_eps": _EPSILON,
            "projection_dim": joint,
        }
    except (KeyError, IndexError, ValueError) as error:
        raise WeightsError(f"{path}: these are no tensors of a CLAP of LAION ({error} is missing); {fix}") from None
    return ClapConfig(audio_config=audio, text_config=text, projection_dim=joint)


def _count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    """Return how many numbered layers match, one more than the highest number."""
    numbers = {int(match[1]) for name in tensors if (match := re.match(pattern, name))}
    if not numbers:
        raise KeyError(pattern.replace("\\", ""))
    return max(numbers) + 1
