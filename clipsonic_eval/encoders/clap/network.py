"""The two networks that can run a CLAP: transformers' (the default) and the laion_clap package."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from clipsonic_eval.encoders._log_mel import BANDS, FrontEnd, log_mel
from clipsonic_eval.encoders.clap.tokenizer import PAD
from clipsonic_eval.encoders.clap.windows import FRAMES, HOP, RATE, Cutting
from clipsonic_eval.errors import ConfigError, WeightsError

_SIZES = {96: "HTSAT-tiny", 128: "HTSAT-base"}


class Network(Protocol):
    """A CLAP; vectors are L2-normalised."""

    fusion: bool
    dim: int
    words: int
    front: str

    def pieces(self, waves: Tensor) -> Tensor:
        """Embed pieces of at most 10 s, filled up: (b, 480000) -> (b, d)."""
        ...

    def fused(self, wave: Tensor, cutting: Cutting) -> Tensor:
        """Embed one sound of more than 10 s by fusion: (n,) -> (1, d)."""
        ...

    def texts(self, ids: Tensor) -> Tensor:
        """Embed texts, ids (b, 77) -> (b, d)."""
        ...


class Transformers:
    """transformers' ClapModel behind our own front end.

    The front end is that of the package: Slaney's bands in the checkpoints without fusion, HTK's in those with it. The
    extractor of transformers is not used: it draws lots, and marks one random sound of a batch as long.
    """

    def __init__(self, network: Any, front: FrontEnd, device: str, dtype: torch.dtype) -> None:
        self._network = network.eval().requires_grad_(requires_grad=False).to(device, dtype)
        self._dtype, self._front = dtype, front
        config = network.config
        self.fusion = bool(config.audio_config.enable_fusion)
        self.dim = int(config.projection_dim)
        self.words = int(config.text_config.vocab_size)
        epsilon = config.text_config.layer_norm_eps
        self.front = f"mel:{front}|text:roberta-bpe-{self.words},eps-{epsilon:g}|backend:transformers"

    def pieces(self, waves: Tensor) -> Tensor:
        """Embed pieces."""
        mels = log_mel(waves, self._front)[:, None]
        if not self.fusion:
            return self._heard(mels, longer=False)
        return self._heard(mels.expand(-1, 4, -1, -1), longer=False)

    def fused(self, wave: Tensor, cutting: Cutting) -> Tensor:
        """Embed one long sound: itself shrunk (bilinear, not antialiased, as when LAION trained) and three pieces."""
        mel = log_mel(wave[None], self._front)[0]
        if len(mel) == FRAMES:  # a little more than 10 s, and yet no frame more
            return self._heard(mel.expand(1, 4, -1, -1), longer=False)
        shrunk = torch.nn.functional.interpolate(mel[None, None], (FRAMES, BANDS), mode="bilinear")[0, 0]
        starts = cutting.thirds(wave.cpu().numpy(), len(mel))
        stacked = torch.stack([shrunk, *(mel[start : start + FRAMES] for start in starts)])
        return self._heard(stacked[None], longer=True)

    def _heard(self, mels: Tensor, *, longer: bool) -> Tensor:
        flags = torch.full((len(mels), 1), longer, device=mels.device)
        output = self._network.audio_model(input_features=mels.to(self._dtype), is_longer=flags)
        projected = self._network.audio_projection(output.pooler_output)
        return torch.nn.functional.normalize(projected.float(), dim=-1)

    def texts(self, ids: Tensor) -> Tensor:
        """Embed texts."""
        output = self._network.text_model(input_ids=ids, attention_mask=(ids != PAD).long())
        projected = self._network.text_projection(output.pooler_output)
        return torch.nn.functional.normalize(projected.float(), dim=-1)


class Package:
    """The laion_clap package with the same tensors; its random choices are seeded by the sound, and undone after."""

    def __init__(self, path: Path, tensors: Mapping[str, Tensor], device: str) -> None:
        module = _import_package()
        width = int(tensors["audio_branch.patch_embed.proj.weight"].shape[0])
        self.fusion = "audio_branch.patch_embed.mel_conv2d.weight" in tensors
        if width not in _SIZES:
            raise WeightsError(f"{path}: laion_clap has no network of width {width}; take the default backend")
        # importing it sets up loggers and reads the command line of nobody; its construction prints
        self._clap = module.CLAP_Module(enable_fusion=self.fusion, device=device, amodel=_SIZES[width])
        own = self._clap.model.state_dict()
        try:
            self._clap.model.load_state_dict({k: v for k, v in tensors.items() if k in own})
        except RuntimeError as error:
            line = str(error).splitlines()[-1].strip()
            raise WeightsError(f"{path}: laion_clap cannot load these tensors ({line})") from None
        self._clap.eval()
        self.dim = 512
        self.words = int(tensors["text_branch.embeddings.word_embeddings.weight"].shape[0])
        self.front = f"mel:its-own|text:roberta-bpe-{self.words}|backend:laion-clap-{_version()}"

    def pieces(self, waves: Tensor) -> Tensor:
        """Embed pieces."""
        return self._clap.get_audio_embedding_from_data(list(waves), use_tensor=True)

    def fused(self, wave: Tensor, cutting: Cutting) -> Tensor:
        """Embed one long sound; the package knows no other rule than its lots."""
        if cutting.long != "random":
            raise ConfigError("the laion_clap package fuses at random only; take long=random or long=windows with it")
        state = np.random.get_state()  # noqa: NPY002 # the package draws from the global generator
        np.random.seed(cutting.lot_seed(wave.cpu().numpy()))  # noqa: NPY002
        try:
            return self._clap.get_audio_embedding_from_data([wave], use_tensor=True)
        finally:
            np.random.set_state(state)  # noqa: NPY002

    def texts(self, ids: Tensor) -> Tensor:
        """Embed texts."""
        given = {"input_ids": ids, "attention_mask": (ids != PAD).long()}
        return self._clap.get_text_embedding([""], tokenizer=lambda _: given, use_tensor=True)


def front_end(*, fusion: bool, lowest: float = 50, highest: float = 14000) -> FrontEnd:
    """Return the front end of a checkpoint."""
    return FrontEnd(RATE, 1024, HOP, lowest, highest, "htk" if fusion else "slaney")


def _import_package() -> Any:
    handlers = list(logging.getLogger().handlers)
    try:
        return importlib.import_module("laion_clap")
    except Exception as error:  # it fetches tokenizers while it is imported, which fails in many ways
        line = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"the laion_clap package cannot be imported ({line}); install it with 'pip install "
            "clipsonic-eval[reference]' and import it once with a network, or take the default backend, which agrees"
        ) from error
    finally:
        logging.getLogger().handlers[:] = handlers


def _version() -> str:
    from importlib.metadata import version

    return version("laion-clap")
