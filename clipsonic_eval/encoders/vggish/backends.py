"""The torchvggish package instead of our own front end and network, for those who have it installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders.vggish.frontend import RATE, SHORTEST
from clipsonic_eval.encoders.vggish.network import DIM
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.types import Clip


def torchvggish(tensors: Mapping[str, torch.Tensor]) -> Callable[[Clip], Float32]:
    """Return torchvggish's pipeline with the given weights.

    Args:
        tensors: VGGish's 18, by name.

    Returns:
        A function from a clip to its features before the last ReLU, (patches, 128) float32; a clip too short for a
        patch has none.

    Raises:
        ConfigError: the package cannot be imported.
    """
    try:
        front_end = importlib.import_module("torchvggish.vggish_input")
        networks: Any = importlib.import_module("torchvggish.torchvggish")
    except ImportError as error:
        raise ConfigError(
            f"the torchvggish package cannot be imported ({error}); install it with 'pip install "
            "clipsonic-eval[reference]', or take the default backend, which agrees with it"
        ) from error
    network = networks._vgg(postprocess=False)
    network.load_state_dict(dict(tensors))
    network.eval().requires_grad_(requires_grad=False)

    def embed(clip: Clip) -> Float32:
        if clip.samples.shape[1] * RATE < SHORTEST * clip.sample_rate:  # it raises where there is not even a frame
            return np.zeros((0, DIM), np.float32)
        examples = front_end.waveform_to_examples(clip.samples.T.astype(np.float64), clip.sample_rate)
        if not len(examples):
            return np.zeros((0, DIM), np.float32)
        maps = network.features(examples.detach().float())
        flat = maps.transpose(1, 3).transpose(1, 2).contiguous().flatten(1)
        embedded: Float32 = network.embeddings[:-1](flat).numpy()
        return embedded

    return embed
