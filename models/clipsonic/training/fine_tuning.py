"""Fine-tuning (``init_from``): a new run from the weights of a finished model, and the data scale that belongs to them.

Clips, steps and optimisation are the run's own; what decides the meaning of the weights must be the parent's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clipsonic.diffusion import DiffusionConfig
from clipsonic.model import MelDiffusion
from clipsonic.networks import NETWORKS, resolved_options
from clipsonic.prior.model import DiffusionPrior
from clipsonic.prior.network import PriorNetworkConfig
from clipsonic.training.config import AudioTrainingConfig, PriorTrainingConfig
from clipsonic_eval import outputs
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import ConfigError

_SPACE_KEYS = ("name", "weights_sha256", "dim")
# unet1d's weights serve another length of clip (unet2d's are refused when they are loaded), and dropout has none
_FREE_OPTIONS = ("frames", "dropout")
_LINEAGE_KEYS = ("weights_sha256", "identity", "steps", "clips", "data", "init_from")


def audio_parent(config: AudioTrainingConfig, space: Mapping[str, Any]) -> MelDiffusion | None:
    """Return the finished audio model that a run starts from, if any.

    Args:
        config: of the run; ``init_from`` names the folder.
        space: card of the condition encoder, as JSON.

    Raises:
        UserError: the folder holds no such model, or one whose weights mean something else.
    """
    if config.init_from is None:
        return None
    parent = MelDiffusion.load(config.init_from)
    name = next(n for n in NETWORKS if NETWORKS[n] is type(parent.network))
    options = {"n_mels": config.mel.n_mels, "condition_dim": space["dim"], **resolved_options(config.network)}
    run = {
        "network": _network(config.network.name, options),
        "mel": config.mel,
        "diffusion": _meaning(config.diffusion),
        "condition": _space(space),
    }
    theirs = {
        "network": _network(name, parent.network.config),
        # the scale is the parent's, unless another one is configured
        "mel": parent.mel if config.mel.mean else replace(parent.mel, mean=(), std=()),
        "diffusion": _meaning(parent.diffusion),
        "condition": _space(parent.card["condition"]["space"]),
    }
    _check(config.init_from, theirs, run)
    return parent


def prior_parent(config: PriorTrainingConfig, space: Mapping[str, Any]) -> DiffusionPrior | None:
    """Return the finished prior that a run starts from, if any.

    Args:
        config: of the run; ``init_from`` names the folder.
        space: card of the encoder of the pairs, as JSON.

    Raises:
        UserError: the folder holds no such prior, or one whose weights mean something else.
    """
    if config.init_from is None:
        return None
    parent = DiffusionPrior.load(config.init_from)
    if dict(parent.card.get("data") or {}).get("kind") == "published":
        raise ConfigError(
            f"init_from {config.init_from}: a published prior takes texts in another scale and has another null "
            "condition than priors that are trained here; it can be sampled, not trained on"
        )
    sizes = parent.network.config
    network = PriorNetworkConfig(
        heads=sizes["num_attention_heads"],
        head_dim=sizes["attention_head_dim"],
        layers=sizes["num_layers"],
        text_tokens=sizes["num_embeddings"],
    )
    theirs = {"network": network, "space": _space(parent.card["space"])}
    _check(config.init_from, theirs, {"network": config.network, "space": _space(space)})
    return parent


def _network(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides which weights a network has, from its registry name and its configuration."""
    kept = {k: v for k, v in options.items() if k not in _FREE_OPTIONS and not k.startswith("_")}
    return {"name": name, **kept}


def _meaning(diffusion: DiffusionConfig) -> dict[str, Any]:
    """Return what decides the meaning of a network's input and output."""
    return {name: getattr(diffusion, name) for name in ("steps", "schedule", "zero_terminal_snr", "prediction")}


def _space(space: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the meaning of embeddings, from an encoder card as JSON."""
    return {key: space.get(key) for key in _SPACE_KEYS}


def _check(folder: Path, parent: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """Raise ConfigError where what decides the meaning of the parent's weights is not the run's."""
    before, after = (json.loads(json.dumps(as_tree(tree))) for tree in (parent, run))
    changed = outputs.differences(before, after)
    if changed:
        raise ConfigError(
            f"init_from {folder}: its weights do not fit this run (theirs → this run's: {outputs.listing(changed)}); "
            "configure what they were trained with, or start without init_from"
        )


def lineage(parent: MelDiffusion | DiffusionPrior | None) -> dict[str, Any]:
    """Return what a run's card says of its parent: hash of the weights and their origin; empty without a parent."""
    return {} if parent is None else {"init_from": {k: parent.card[k] for k in _LINEAGE_KEYS if k in parent.card}}
