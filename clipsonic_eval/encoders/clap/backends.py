"""The laion_clap package instead of our own front end and transformers' network, for those who have it installed."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from torch import Tensor

from clipsonic_eval.encoders.clap.tokenizer import PAD
from clipsonic_eval.encoders.clap.windows import Windowing
from clipsonic_eval.errors import ConfigError, WeightsError

_ARCHITECTURES: Final = {96: "HTSAT-tiny", 128: "HTSAT-base"}  # by width of the audio tower's first stage


class LaionClap:
    """laion_clap with the given tensors, in the place of :class:`~clipsonic_eval.encoders.clap.network.ClapNetwork`.

    Its random crops are seeded by the audio, and the global generator is restored.

    Args:
        path: of the checkpoint, for error messages.
        tensors: of the checkpoint, under laion_clap's names.
        device: where it runs.
    """

    def __init__(self, path: Path, tensors: Mapping[str, Tensor], device: str) -> None:
        module = _import_package()
        width = int(tensors["audio_branch.patch_embed.proj.weight"].shape[0])
        self.fusion = "audio_branch.patch_embed.mel_conv2d.weight" in tensors
        if width not in _ARCHITECTURES:
            raise WeightsError(f"{path}: laion_clap has no network of width {width}; take the default backend")
        # importing it sets up loggers and parses a command line; its construction prints
        self._clap = module.CLAP_Module(enable_fusion=self.fusion, device=device, amodel=_ARCHITECTURES[width])
        own = self._clap.model.state_dict()
        try:
            self._clap.model.load_state_dict({k: v for k, v in tensors.items() if k in own})
        except RuntimeError as error:
            line = str(error).splitlines()[-1].strip()
            raise WeightsError(f"{path}: laion_clap cannot load these tensors ({line})") from None
        self._clap.eval()
        self.dim = 512
        self.vocab_size = int(tensors["text_branch.embeddings.word_embeddings.weight"].shape[0])
        self.signature = f"mel:its-own|text:roberta-bpe-{self.vocab_size}|backend:laion-clap-{version('laion-clap')}"

    def windows(self, waves: Tensor) -> Tensor:
        """Embed windows of 10 s, (b, 480000) -> (b, d)."""
        return self._clap.get_audio_embedding_from_data(list(waves), use_tensor=True)

    def fused(self, wave: Tensor, windowing: Windowing) -> Tensor:
        """Embed audio above 10 s by feature fusion, (n,) -> (1, d); the package has no rule but random crops.

        Raises:
            ConfigError: the windowing asks for another rule.
        """
        if windowing.truncation != "random":
            raise ConfigError(
                "the laion_clap package fuses at random only; take truncation=random or truncation=windows with it"
            )
        state = np.random.get_state()  # noqa: NPY002 # the package draws from the global generator
        np.random.seed(windowing.content_seed(wave.cpu().numpy()))  # noqa: NPY002
        try:
            return self._clap.get_audio_embedding_from_data([wave], use_tensor=True)
        finally:
            np.random.set_state(state)  # noqa: NPY002

    def texts(self, ids: Tensor) -> Tensor:
        """Embed texts, token ids (b, 77) -> (b, d)."""
        tokens = {"input_ids": ids, "attention_mask": (ids != PAD).long()}
        return self._clap.get_text_embedding([""], tokenizer=lambda _: tokens, use_tensor=True)


def _import_package() -> Any:
    handlers = list(logging.getLogger().handlers)
    try:
        return importlib.import_module("laion_clap")
    except Exception as error:  # it downloads tokenizers while it is imported, which fails in many ways
        line = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"the laion_clap package cannot be imported ({line}); install it with 'pip install "
            "clipsonic-eval[reference]' and import it once with a network, or take the default backend, which agrees"
        ) from error
    finally:
        logging.getLogger().handlers[:] = handlers
