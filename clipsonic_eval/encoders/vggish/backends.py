"""The torchvggish package in the place of our own front end and network, for whoever has it installed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders.vggish.frontend import RATE, SHORTEST
from clipsonic_eval.encoders.vggish.network import DIM
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.types import Clip


class Package:
    """torchvggish's pipeline with given tensors; one clip at a time, as it does."""

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        try:
            self._input = importlib.import_module("torchvggish.vggish_input")
            network: Any = importlib.import_module("torchvggish.torchvggish")
        except ImportError as error:
            raise ConfigError(
                f"the torchvggish package cannot be imported ({error}); install it with 'pip install "
                "clipsonic-eval[reference]', or take the default backend, which agrees with it"
            ) from error
        self._network = network._vgg(postprocess=False)
        self._network.load_state_dict(dict(tensors))
        self._network.eval().requires_grad_(requires_grad=False)

    def __call__(self, clip: Clip) -> Float32:
        """Embed a clip -> (patches, 128), before the last ReLU; a sound too short for a patch gives no row."""
        if clip.samples.shape[1] * RATE < SHORTEST * clip.sample_rate:  # it raises where there is not even a frame
            return np.zeros((0, DIM), np.float32)
        examples = self._input.waveform_to_examples(clip.samples.T.astype(np.float64), clip.sample_rate)
        if not len(examples):
            return np.zeros((0, DIM), np.float32)
        seen = self._network.features(examples.detach().float())
        flat = seen.transpose(1, 3).transpose(1, 2).contiguous().flatten(1)
        embedded: Float32 = self._network.embeddings[:-1](flat).numpy()
        return embedded
