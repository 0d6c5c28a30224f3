"""Priors of the package dalle2-pytorch: LAION's (laion/DALLE2-PyTorch, folder ``prior``).

``prior_config.json`` says how the prior was built, ``best.pth`` holds the tensors of the prior, of the CLIP that it was
trained with, and of its noise schedule; of these the first are read. Checkpoints of a training keep the averaged
weights under ``ema_model``.

The null condition is not read: LAION's prior was trained without dropping its texts, so guidance would move away from
vectors that no gradient ever reached. Sampling is ancestral, as for every prior here, and the same as the package's
with all 1000 steps. With fewer, the package's own loop reads the noise levels one step off, which is not repeated.

Source: ``DiffusionPrior`` and ``train_configs`` of dalle2-pytorch 1.15 (MIT).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from clipsonic.prior.dalle2 import Dalle2Prior
from clipsonic.prior.published._found import FoundPrior
from clipsonic_eval.errors import SpaceError, WeightsError
from clipsonic_eval.files import read_json
from clipsonic_eval.tensors import read_tensors
from clipsonic_eval.types import EncoderCard
from clipsonic_eval.weight_files import COPY_FOLDER, fill_network

_CONFIG, _BEST = "prior_config.json", "best.pth"
_UNDER = ("ema_model", "model", "state_dict")
_CARD = {
    "scale": "image: l2-normalised x image_embed_scale; text: l2-normalised; output: l2-normalised",
    "text": "unit",
    "null": "none",
}
# what else the package can do and this does not: settings by name, and the value that they must have
_PRIOR_MUST = {"predict_x_start": True, "predict_v": False, "beta_schedule": "cosine"} | dict.fromkeys(
    ("sampling_clamp_l2norm", "init_image_embed_l2norm"), False
)
_NET_MUST = {"num_time_embeds": 1, "num_image_embeds": 1, "num_text_embeds": 1, "self_cond": False}
_NET_DEFAULTS = {"dim_head": 64, "heads": 8, "ff_mult": 4, "normformer": False, "norm_in": False} | dict.fromkeys(
    ("norm_out", "final_proj", "rotary_emb"), True
)
_CLIPS = {"ViT-L/14": "clip-vit-l-14", "ViT-B/16": "clip-vit-b-16", "ViT-B/32": "clip-vit-b-32"}  # OpenAI's: ours


class _Settings(NamedTuple):
    """The two parts of ``prior_config.json`` that decide what the prior computes."""

    prior: Mapping[str, Any]
    net: Mapping[str, Any]


def find(folder: Path) -> bool:
    """Return whether a folder has this layout."""
    return _place(folder) is not None


def read(folder: Path, clip: EncoderCard) -> FoundPrior:
    """Read a prior.

    Args:
        folder: that with ``prior_config.json``, or the one above with it in ``prior/``.
        clip: card of the CLIP that the user names.

    Raises:
        WeightsError: a part is missing or not readable, or the prior has a setting that is not supported.
        SpaceError: the prior was trained with another CLIP of OpenAI.
    """
    place = _place(folder)
    assert place is not None
    settings = _settings(place / _CONFIG)
    _check_clip(place, settings.prior.get("clip"), clip)
    path = _weights(place)
    tensors = _tensors(path)
    network = fill_network(
        lambda: Dalle2Prior(**_sizes(settings, tensors)),
        {**tensors, **_scale(settings, tensors)},
        path,
        named=f"the tensors that {_CONFIG} beside them describes",
        fix=COPY_FOLDER,
    )
    scheduler = {"num_train_timesteps": int(settings.prior.get("timesteps", 1000)), "clip_sample": False}
    return FoundPrior("dalle2-pytorch", network, path, scheduler, _CARD)


def _place(folder: Path) -> Path | None:
    return next((place for place in (folder, folder / "prior") if (place / _CONFIG).is_file()), None)


def _weights(place: Path) -> Path:
    found = sorted(place.glob("*.pth"))
    if (place / _BEST) in found:
        return place / _BEST
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise WeightsError(f"{place}: needs {_BEST} or one other .pth beside {_CONFIG}, found {names}; {COPY_FOLDER}")
    return found[0]


def _settings(path: Path) -> _Settings:
    """Read the settings; those that are left out have the package's defaults.

    Raises:
        WeightsError: not readable, or a setting has a value that is not supported.
    """
    written = read_json(path, WeightsError, fix=COPY_FOLDER)
    prior = written.get("prior") if isinstance(written, dict) else None
    net = prior.get("net") if isinstance(prior, dict) else None
    if not isinstance(prior, dict) or not isinstance(net, dict) or {"dim", "depth"} - net.keys():
        raise WeightsError(f"{path}: says nothing of prior.net.dim and prior.net.depth; {COPY_FOLDER}")
    timesteps = prior.get("timesteps", 1000)
    for part, must, where in ((prior, _PRIOR_MUST, "prior"), (net, {**_NET_MUST, "num_timesteps": timesteps}, "net")):
        for name, value in must.items():
            if part.get(name, value if name != "num_timesteps" else None) != value:
                raise WeightsError(
                    f"{path}: {where}.{name} is {part.get(name)}, but only priors with {value} are supported; use "
                    "another prior, such as that of laion/DALLE2-PyTorch"
                )
    return _Settings(prior, {**_NET_DEFAULTS, **net})


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of the network under the names of :class:`~clipsonic.prior.dalle2.Dalle2Prior`."""
    written = read_tensors(path, fix=COPY_FOLDER, under=_UNDER)
    found = {
        name.partition("net.")[2]: value for name, value in written.items() if name.startswith(("net.", "module.net."))
    }
    if "null_text_embed" in found:  # its name in releases before 1.8
        found["null_text_encodings"] = found.pop("null_text_embed")
    if "null_text_encodings" not in found:
        raise WeightsError(
            f"{path}: holds no net.null_text_encodings, the vectors in places without text; it is no prior of "
            "dalle2-pytorch, or of an early release that masked these places: use the best.pth of laion/DALLE2-PyTorch"
        )
    for name in ("null_text_embeds", "null_image_embed"):  # of guidance, see above
        found.pop(name, None)
    freqs = {name: found.pop(name) for name in sorted(found) if name.endswith("rotary_emb.freqs")}
    if freqs:  # one for all layers
        first = next(iter(freqs.values()))
        if not all(torch.equal(first, value) for value in freqs.values()):
            raise WeightsError(f"{path}: its layers have different rotary frequencies; {COPY_FOLDER}")
        found["causal_transformer.freqs"] = first
    return found


def _sizes(settings: _Settings, tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Return the arguments of :class:`~clipsonic.prior.dalle2.Dalle2Prior`."""
    net = settings.net
    max_text_len = tensors["null_text_encodings"].shape[1]
    flags = ("norm_in", "norm_out", "normformer", "final_proj", "rotary_emb")
    return {
        "embedding_dim": int(net["dim"]),
        "num_layers": int(net["depth"]),
        "num_attention_heads": int(net["heads"]),
        "attention_head_dim": int(net["dim_head"]),
        "num_embeddings": 77 if settings.prior.get("condition_on_text_encodings", True) else 0,
        "max_text_len": int(max_text_len),
        "ff_mult": int(net["ff_mult"]),
        "num_timesteps": int(net["num_timesteps"]),
        **{name: bool(net[name]) for name in flags},
    }


def _scale(settings: _Settings, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return ``clip_mean`` and ``clip_std``, (1, d): embeddings were trained at norm ``image_embed_scale``, or √d."""
    dim = tensors["null_text_encodings"].shape[2]
    scale = float(settings.prior.get("image_embed_scale") or dim**0.5)
    return {"clip_mean": torch.zeros(1, dim), "clip_std": torch.full((1, dim), 1 / scale)}


def _check_clip(place: Path, stated: Any, clip: EncoderCard) -> None:
    """Refuse a CLIP of OpenAI other than the one that the settings name.

    Raises:
        SpaceError: another one.
    """
    model = stated.get("model") if isinstance(stated, dict) else None
    needed = _CLIPS.get(str(model))
    if needed and clip.name in _CLIPS.values() and clip.name != needed:
        raise SpaceError(f"{place}: trained with {model}, but {clip.name} is named; give --encoder {needed}")
