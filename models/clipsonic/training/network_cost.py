"""Weights and floating-point operations of the network that a configuration describes, counted without computing it.

Shapes alone pass through the network (torch's ``meta`` device), so that a billion weights take no memory. A
multiplication and the addition that follows it are two operations, as torch's ``FlopCounterMode`` counts them: matrix
products, convolutions and attention; activations and normalisations are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from clipsonic.networks import NETWORKS, resolved_options
from clipsonic.prior.network import PriorNetworkConfig, TextConditions, build_network, predict_x0
from clipsonic.training.config import AudioTrainingConfig, PriorTrainingConfig, TrainConfig
from clipsonic.training.execution import outermost_blocks
from clipsonic.training.optimizers import kernels
from clipsonic.training.sharding import state_bytes
from clipsonic_eval.config import resolve
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.encoders.clap.weights import CHECKPOINTS
from clipsonic_eval.encoders.clip.weights import MODELS
from clipsonic_eval.errors import ConfigError

_AUDIO, _PRIOR = "clipsonic.training.audio:train", "clipsonic.training.prior:train"
COUNTED = (_AUDIO, _PRIOR)  # a vocoder's training has discriminators beside its network
_DIM_OF_CLAP = 512  # of LAION's checkpoints
_Call = Callable[[torch.nn.Module], torch.Tensor]


class NetworkCost(NamedTuple):
    """What a network costs.

    Attributes:
        network: its registry name; ``prior`` for a diffusion prior.
        parameters: number of weights.
        forward: operations of one evaluation for one item.
        training: operations of one item in training: forward and backward.
        run: operations of a whole training: ``training`` times batch times steps, without validation.
        state_bytes: what a process holds for the weights in training, activations aside.
    """

    network: str
    parameters: int
    forward: int
    training: int
    run: int
    state_bytes: int


def network_cost(config: Mapping[str, Any], *, duration_s: float = 4.0, processes: int = 1) -> NetworkCost:
    """Count the weights and operations of a training's network.

    Args:
        config: of the training, with ``trainer``, see :func:`clipsonic_eval.presets.read_training`.
        duration_s: of the clips; the configuration does not hold it. No matter for a prior.
        processes: that the training runs on, for its memory.

    Raises:
        ConfigError: no configuration of ours, or a network that takes no such clips.
        UserError: an encoder whose dimension is not known and whose weights are not there.
    """
    tree = {key: value for key, value in config.items() if key not in {"trainer", "out"}}
    trainer = config.get("trainer")
    settings: AudioTrainingConfig | PriorTrainingConfig
    if trainer == _AUDIO:
        settings = resolve(AudioTrainingConfig, tree)
        network, call = _audio_network(settings, duration_s)
        name = settings.network.name
    elif trainer == _PRIOR:
        settings = resolve(PriorTrainingConfig, tree)
        network, call = _prior_network(settings.network, _dim(settings.encoder))
        name = "prior"
    else:
        raise ConfigError(f"trainer {trainer!r}: the cost of audio models and priors is counted, no other")
    parameters = sum(weight.numel() for weight in network.parameters())
    forward, training = _count(network, call)
    run = training * settings.train.batch_size * settings.train.steps
    return NetworkCost(name, parameters, forward, training, run, _state_bytes(network, settings.train, processes))


def _state_bytes(network: torch.nn.Module, train: TrainConfig, processes: int) -> int:
    trained = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
    one_moment = sum(kernel.numel() for kernel in kernels(network)) if train.optimizer == "muon" else 0
    shards = 1 if train.shard == "none" else processes
    gathered = _gathered(network) if train.shard == "weights" and shards > 1 else None
    averages = 1 + len(train.ema_lengths)
    return state_bytes(trained, averages=averages, one_moment=one_moment, shards=shards, gathered=gathered)


def _gathered(network: torch.nn.Module) -> int:
    """Return how many weights are whole at a time where they are divided: those of no block, and of two blocks."""
    blocks = sorted(sum(weight.numel() for weight in block.parameters()) for block in outermost_blocks(network))
    return sum(weight.numel() for weight in network.parameters()) - sum(blocks[:-2])


def _audio_network(config: AudioTrainingConfig, duration_s: float) -> tuple[torch.nn.Module, _Call]:
    n_mels, dim = config.mel.n_mels, _dim(config.condition.encoder)
    seconds = duration_s if config.crop_s is None else config.crop_s
    frames = config.mel.frames(round(seconds * config.mel.sample_rate))
    with torch.device("meta"):
        network = NETWORKS[config.network.name](
            n_mels=n_mels, frames=frames, condition_dim=dim, **resolved_options(config.network)
        )
        arguments = torch.zeros(1, n_mels, frames), torch.zeros(1, dtype=torch.int64), torch.zeros(1, dim)
    return network, lambda called: called(*arguments)


def _prior_network(config: PriorNetworkConfig, dim: int) -> tuple[torch.nn.Module, _Call]:
    with torch.device("meta"):
        network = build_network(config, dim, seed=0)
        x, t = torch.zeros(1, dim), torch.zeros(1, dtype=torch.int64)
        tokens, mask = torch.zeros(1, config.text_tokens, dim), torch.ones(1, config.text_tokens, dtype=torch.bool)
        texts = TextConditions(x, tokens, mask) if config.text_tokens else TextConditions(x)
    return network, partial(predict_x0, x=x, t=t, texts=texts)


def _count(network: torch.nn.Module, call: _Call) -> tuple[int, int]:
    """Return the operations of one evaluation, and of one with its gradients."""
    with FlopCounterMode(display=False) as counter:
        predicted = call(network)
        forward = counter.get_total_flops()
        predicted.sum().backward()
    return forward, counter.get_total_flops()


def _dim(encoder: str) -> int:
    """Return the dimension of an encoder's embeddings, without its weights where it is a published one."""
    if encoder in MODELS:
        return MODELS[encoder].dim
    return _DIM_OF_CLAP if encoder in CHECKPOINTS else load_encoder(encoder).card.dim
