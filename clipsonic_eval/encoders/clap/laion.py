"""A checkpoint of LAION's CLAP as transformers' ClapModel: sizes read off its tensors, and their other names.

Published files hold ``{"state_dict": tensors, ...}`` with names that begin with ``module.``. Besides the two towers
they have layers of the training (classifier heads, the transforms after the projections) and matrices of the front
end; those are left aside by name, and anything else that is missing or strange is refused.

Source of the layout: laion_clap 1.1.7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from clipsonic_eval.errors import WeightsError
from clipsonic_eval.tensors import missing_and_strange

EPSILON: Final = 1e-5  # of RoBERTa's layer normalisation; folders on the hub leave it out, transformers then has 1e-12
HEAD_WIDTH: Final = 64  # of RoBERTa's attention; no tensor tells it

_ASIDE: Final = re.compile(
    r"(audio_branch\.(head|tscam_conv|spectrogram_extractor|logmel_extractor)\.|(text|audio)_transform\.|.*\.attn_mask$"
    r"|text_branch\.embeddings\.(position_ids|token_type_ids)$|.*\.relative_position_index$|.*\.num_batches_tracked$)"
)
_NAMES: Final = (
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


def bare(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors under laion_clap's own names, without what wraps them in training."""
    return {name.removeprefix("module."): value for name, value in tensors.items()}


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the towers' tensors under transformers' names; what belongs to neither tower is left aside."""
    found: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if _ASIDE.match(name):
            continue
        new = name
        for pattern, replacement in _NAMES:
            new = re.sub(pattern, replacement, new)
        if ".qkv." in new:
            for part, piece in zip(("query", "key", "value"), value.chunk(3), strict=True):
                found[new.replace("qkv", part)] = piece.contiguous()
        else:
            found[new] = value
    return found


def config_of(path: Path, tensors: Mapping[str, Tensor], again: str) -> Any:
    """Return the ClapConfig of a network whose tensors these are.

    Raises:
        WeightsError: they are not those of a CLAP.
    """
    from transformers import ClapConfig

    try:
        patches = tensors["audio_branch.patch_embed.proj.weight"]
        blocks = [_count(tensors, rf"audio_branch\.layers\.{stage}\.blocks\.(\d+)\.") for stage in range(4)]
        heads = [
            tensors[f"audio_branch.layers.{stage}.blocks.0.attn.relative_position_bias_table"].shape[1]
            for stage in range(4)
        ]
        last = tensors["audio_branch.norm.weight"].shape[0]
        joint = tensors["audio_projection.2.weight"].shape[0]
        words = tensors["text_branch.embeddings.word_embeddings.weight"]
        places = tensors["text_branch.embeddings.position_embeddings.weight"].shape[0]
        inner = tensors["text_branch.encoder.layer.0.intermediate.dense.weight"].shape[0]
    except (KeyError, IndexError) as error:
        raise WeightsError(f"{path}: these are no tensors of a CLAP of LAION ({error} is missing); {again}") from None
    audio = {
        "patch_embeds_hidden_size": patches.shape[0],
        "depths": blocks,
        "num_attention_heads": heads,
        "hidden_size": last,
        "projection_dim": joint,
        "enable_fusion": "audio_branch.patch_embed.mel_conv2d.weight" in tensors,
        "fusion_type": "aff_2d",
    }
    text = {
        "vocab_size": words.shape[0],
        "hidden_size": words.shape[1],
        "intermediate_size": inner,
        "num_hidden_layers": _count(tensors, r"text_branch\.encoder\.layer\.(\d+)\."),
        "num_attention_heads": max(1, words.shape[1] // HEAD_WIDTH),
        "max_position_embeddings": places,
        "layer_norm_eps": EPSILON,
        "projection_dim": joint,
    }
    return ClapConfig(audio_config=audio, text_config=text, projection_dim=joint)


def network_of(path: Path, tensors: Mapping[str, Tensor], again: str) -> Any:
    """Return transformers' ClapModel, float32, with the tensors of a checkpoint (:func:`bare`).

    Raises:
        WeightsError: a tensor is missing, strange or of another shape.
    """
    from transformers import ClapModel

    network = ClapModel(config_of(path, tensors, again))
    own = network.state_dict()
    found = {name: value.float() for name, value in renamed(tensors).items() if name != "logit_scale"}
    buffers = {name for name, _ in network.named_buffers() if not name.endswith(("running_mean", "running_var"))}
    wanted = {name: value for name, value in own.items() if name not in buffers}
    wrong = list(missing_and_strange(found, {name: tuple(value.shape) for name, value in wanted.items()}))
    if wrong:
        raise WeightsError(f"{path}: these are not the tensors of a CLAP of LAION ('{wrong[0]}' first); {again}")
    network.load_state_dict(found, strict=False)
    return network


def _count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    numbers = {int(match[1]) for name in tensors if (match := re.match(pattern, name))}
    if not numbers:
        raise KeyError(pattern.replace("\\", ""))
    return max(numbers) + 1
