"""CLAP as an encoder: unit vectors of audio and texts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.bfloat16 import chosen
from clipsonic_eval.encoders._base import EncoderBase, TextNote
from clipsonic_eval.encoders._batches import in_batches, mono_samples
from clipsonic_eval.encoders.clap import tokenizer, weights
from clipsonic_eval.encoders.clap.backends import LaionClap
from clipsonic_eval.encoders.clap.network import ClapNetwork
from clipsonic_eval.encoders.clap.windows import RATE, WINDOW, Windowing, windowing_for
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.types import Clip, EncoderCard

_TEXTS: Final = 8  # of a batch


class ClapEncoder(EncoderBase):
    """Both towers of a CLAP, frozen, in batches of one size.

    Args:
        network: both towers.
        windowing: how audio becomes windows.
        card: its identity.
        device: of the network.
        weights_dir: folder of the weights, where a tokenizer may be.
        tokenizer_dir: folder of the tokenizer, if it is elsewhere.
    """

    def __init__(
        self,
        network: ClapNetwork | LaionClap,
        windowing: Windowing,
        card: EncoderCard,
        device: str,
        *,
        weights_dir: Path,
        tokenizer_dir: Path | None = None,
    ) -> None:
        super().__init__(card)
        self._network, self._windowing, self._device = network, windowing, device
        self._weights_dir, self._tokenizer_dir = weights_dir, tokenizer_dir
        self._tokenizer: Any = None
        self._batch_size = 4 if device == "cpu" else 32  # a single window costs as much as a whole batch

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the keys: one row per clip, or per window."""
        if self._windowing.rows == "clip":
            return [clip.key for clip in clips]
        return [clip.key for clip in clips for _ in self._windowing.starts(len(mono_samples(clip, RATE)))]

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (rows, d) float32 unit vectors.

        Raises:
            ShapeError: a clip holds no sample.
        """
        waves = [self._windowing.quantised(mono_samples(clip, RATE)) for clip in clips]
        starts = [[] if self._is_fused(wave) else self._windowing.starts(len(wave)) for wave in waves]
        windows = (
            self._windowing.window(wave, start)
            for wave, of_clip in zip(waves, starts, strict=True)
            for start in of_clip
        )
        vectors = self._embed_windows(windows)
        ends = np.cumsum([len(of_clip) for of_clip in starts], dtype=int)
        rows = [
            self._fused(wave) if self._is_fused(wave) else self._rows(vectors[end - len(of_clip) : end])
            for wave, of_clip, end in zip(waves, starts, ends, strict=True)
        ]
        return np.concatenate(rows) if rows else np.zeros((0, self._card.dim), np.float32)

    def _is_fused(self, wave: Float32) -> bool:
        return self._network.fusion and self._windowing.truncation != "windows" and len(wave) > WINDOW

    def _fused(self, wave: Float32) -> Float32:
        vector: Float32 = self._network.fused(torch.from_numpy(wave).to(self._device), self._windowing).cpu().numpy()
        return vector

    def _embed_windows(self, windows: Iterator[Float32]) -> Float32:
        """Embed windows (480000,) each -> (windows, d) float32, a batch in memory at a time."""
        found = []
        while batch := list(itertools.islice(windows, self._batch_size)):
            waves = torch.from_numpy(np.stack(batch))
            found.append(
                in_batches(self._network.windows, waves, size=self._batch_size, device=self._device, dim=self._card.dim)
            )
        return np.concatenate(found) if found else np.zeros((0, self._card.dim), np.float32)

    def _rows(self, vectors: Float32) -> Float32:
        """Return the rows of one clip from the vectors of its windows, (windows, d) -> (rows, d)."""
        if self._windowing.rows == "window" or len(vectors) == 1:
            return vectors
        mean = vectors.mean(axis=0, dtype=np.float64, keepdims=True)
        unit: Float32 = (mean / np.linalg.norm(mean)).astype(np.float32)
        return unit

    @torch.inference_mode()
    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts -> (n, d) float32 unit vectors; texts above 77 tokens are truncated.

        Raises:
            WeightsError: RoBERTa's tokenizer is missing or another one.
        """
        read = self._read_tokenizer()
        if not texts:
            return np.zeros((0, self._card.dim), np.float32)
        ids = tokenizer.encode(read, texts)
        return in_batches(self._network.texts, ids, size=_TEXTS, device=self._device, dim=self._card.dim)

    def text_notes(self, texts: Sequence[str]) -> list[TextNote]:
        """Return for each text whether it is truncated."""
        return tokenizer.text_notes(self._read_tokenizer(), texts)

    def _read_tokenizer(self) -> Any:
        if self._tokenizer is None:
            self._tokenizer = tokenizer.load(self._weights_dir, self._tokenizer_dir, self._network.vocab_size)
        return self._tokenizer


def load_clap(
    name: str,
    place: Path | None,
    device: str,
    *,
    precision: Literal["fp32", "bf16"] = "fp32",
    backend: Literal["transformers", "laion-clap"] = "transformers",
    tokenizer_dir: Path | None = None,
    download: bool | None = None,
    windowing: Mapping[str, Any],
) -> ClapEncoder:
    """Load a CLAP by its registry name; options as of the package.

    Raises:
        ConfigError: an unknown option, or a value that is not allowed.
        WeightsError: the weights are missing, unsafe or of another network.
    """
    if precision not in ("fp32", "bf16") or backend not in ("transformers", "laion-clap"):
        raise ConfigError(f"{name}: precision is fp32 or bf16, backend transformers or laion-clap")
    packaged = backend == "laion-clap"
    if packaged and (precision != "fp32" or name == "clap-transformers"):
        raise ConfigError(f"{name}: the laion_clap package takes LAION's checkpoints in fp32 only")
    dtype = torch.bfloat16 if chosen(precision, device, name) == "bf16" else torch.float32
    path = weights.find(name, place, download=download)
    network: ClapNetwork | LaionClap
    if path.is_dir():
        model, front, sha256 = weights.read_folder(path)
        network = ClapNetwork(model, front, device, dtype)
    else:
        tensors, sha256 = weights.read_checkpoint(name, path)
        if packaged:
            network = LaionClap(path, tensors, device)
        else:
            model, front = weights.build(name, path, tensors)
            network = ClapNetwork(model, front, device, dtype)
    rule = windowing_for(name, windowing, fusion=network.fusion)
    source, licence = weights.publication(name, path)
    card = EncoderCard(
        name,
        weights_sha256=sha256,
        dim=network.dim,
        modalities=("audio", "text"),
        preprocessing=f"rate:48k|resample:soxr-hq|mono:mean|{rule.signature}|{network.signature}"
        f",cut-{tokenizer.MAX_TOKENS}|layer:projection,l2|dtype:{precision}",
        sample_rate=RATE,
        licence=licence,
        source=source,
    )
    folder = path if path.is_dir() else path.parent
    return ClapEncoder(network, rule, card, device, weights_dir=folder, tokenizer_dir=tokenizer_dir)
