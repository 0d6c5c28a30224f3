"""CLAP's network: transformers' ClapModel behind our own front end."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from clipsonic_eval.encoders._logmel import LogMel
from clipsonic_eval.encoders.clap.frontend import fused_mels
from clipsonic_eval.encoders.clap.tokenizer import PAD
from clipsonic_eval.encoders.clap.windows import Windowing


class ClapNetwork:
    """Both towers of a CLAP; all vectors are L2-normalised.

    The feature extractor of transformers is not used: it crops at random, and marks one random clip per batch as long.

    Args:
        model: transformers' ``ClapModel``.
        front: its front end.
        device: where it runs.
        dtype: of the towers.

    Attributes:
        fusion: whether audio above 10 s is fused from four inputs.
        dim: of the shared space.
        vocab_size: tokens that the text tower knows.
        signature: front end and text tower as fields of a signature.
    """

    def __init__(self, model: Any, front: LogMel, device: str, dtype: torch.dtype) -> None:
        self._model = model.eval().requires_grad_(requires_grad=False).to(device, dtype)
        self._dtype, self._front = dtype, front
        config = model.config
        self.fusion = bool(config.audio_config.enable_fusion)
        self.dim = int(config.projection_dim)
        self.vocab_size = int(config.text_config.vocab_size)
        epsilon = config.text_config.layer_norm_eps
        self.signature = f"mel:{front}|text:roberta-bpe-{self.vocab_size},eps-{epsilon:g}|backend:transformers"

    def windows(self, waves: Tensor) -> Tensor:
        """Embed windows of 10 s, (b, 480000) -> (b, d)."""
        mels = self._front(waves)[:, None]
        return self._embed_audio(mels.expand(-1, 4, -1, -1) if self.fusion else mels, fused=False)

    def fused(self, wave: Tensor, windowing: Windowing) -> Tensor:
        """Embed audio above 10 s by feature fusion, (n,) -> (1, d)."""
        mels, fused = fused_mels(wave, self._front, windowing)
        return self._embed_audio(mels, fused=fused)

    def texts(self, ids: Tensor) -> Tensor:
        """Embed texts, token ids (b, 77) -> (b, d)."""
        output = self._model.text_model(input_ids=ids, attention_mask=(ids != PAD).long())
        projected = self._model.text_projection(output.pooler_output)
        return torch.nn.functional.normalize(projected.float(), dim=-1)

    def _embed_audio(self, mels: Tensor, *, fused: bool) -> Tensor:
        """Embed log-mel spectrograms, (b, 1 or 4, 1001, 64) dB -> (b, d)."""
        flags = torch.full((len(mels), 1), fused, device=mels.device)
        output = self._model.audio_model(input_features=mels.to(self._dtype), is_longer=flags)
        projected = self._model.audio_projection(output.pooler_output)
        return torch.nn.functional.normalize(projected.float(), dim=-1)
