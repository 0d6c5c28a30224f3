"""CLAP as the harness sees it: unit vectors of sounds and texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.bfloat16 import chosen
from clipsonic_eval.encoders._base import EncoderBase, TextNote
from clipsonic_eval.encoders._batches import in_batches
from clipsonic_eval.encoders.clap import tokenizer as tokens
from clipsonic_eval.encoders.clap.folder import read_folder
from clipsonic_eval.encoders.clap.laion import bare, network_of
from clipsonic_eval.encoders.clap.models import MODELS, REPOSITORY, find, how_to_get
from clipsonic_eval.encoders.clap.network import Network, Package, Transformers, front_end
from clipsonic_eval.encoders.clap.windows import RATE, SIZE, Cutting
from clipsonic_eval.errors import ConfigError, ShapeError, WeightsError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.media.audio import mono_at
from clipsonic_eval.tensors import read_tensors
from clipsonic_eval.types import Clip, EncoderCard

Precision = Literal["fp32", "bf16"]
Backend = Literal["transformers", "laion-clap"]

_ON_CPU: Final = 4  # pieces of a batch; a single sound costs as much as a whole one
_ON_GPU: Final = 32
_TEXTS: Final = 8


class ClapEncoder(EncoderBase):
    """Both towers of a CLAP, frozen, in batches of one size.

    Args:
        network: see there.
        cutting: how sounds become pieces.
        card: its identity.
        device: where the network lies.
        beside: folder of the weights, where a tokenizer may be.
        tokenizer: folder of the tokenizer, if it is elsewhere.
    """

    def __init__(
        self,
        network: Network,
        cutting: Cutting,
        card: EncoderCard,
        *,
        device: str = "cpu",
        beside: Path,
        tokenizer: Path | None = None,
    ) -> None:
        super().__init__(card)
        self._network, self._cutting, self._device = network, cutting, device
        self._beside, self._tokenizer_folder = beside, tokenizer
        self._tokenizer: Any = None
        self._size = _ON_CPU if device == "cpu" else _ON_GPU

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the keys: one row for each clip, or for each of its windows."""
        return [clip.key for clip in clips for _ in range(self._rows(clip))]

    def _rows(self, clip: Clip) -> int:
        if self._cutting.rows == "clip":
            return 1
        return len(self._cutting.starts(len(mono_at(clip, RATE))))

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (rows, d) unit vectors.

        Raises:
            ShapeError: a clip holds no sample.
        """
        rows: list[Float32] = []
        counts = [0] * len(clips)
        waiting: list[Float32] = []
        order: list[int] = []  # clip of each vector that comes out of batches
        whole: dict[int, Float32] = {}
        for number, clip in enumerate(clips):
            wave = self._wave(clip)
            if self._fuses(wave):
                whole[number] = (
                    self._network.fused(torch.from_numpy(wave).to(self._device), self._cutting).cpu().numpy()
                )
                counts[number] = 1
                continue
            for start in self._cutting.starts(len(wave)):
                waiting.append(self._cutting.piece(wave, start))
                order.append(number)
                counts[number] += 1
                if len(waiting) == self._size:
                    rows.append(self._embed(waiting))
                    waiting = []
        if waiting:
            rows.append(self._embed(waiting))
        vectors = np.concatenate(rows) if rows else np.zeros((0, self._card.dim), np.float32)
        return self._by_clip(vectors, order, counts, whole)

    def _fuses(self, wave: Float32) -> bool:
        return self._network.fusion and self._cutting.long != "windows" and len(wave) > SIZE

    def _embed(self, pieces: Sequence[Float32]) -> Float32:
        batch = torch.from_numpy(np.stack(pieces))
        return in_batches(self._network.pieces, batch, size=self._size, device=self._device, dim=self._card.dim)

    def _by_clip(
        self, vectors: Float32, order: Sequence[int], counts: Sequence[int], whole: dict[int, Float32]
    ) -> Float32:
        """Return the rows in the order of the clips."""

        def parts() -> Iterator[Float32]:
            done = 0
            for number, count in enumerate(counts):
                if number in whole:
                    yield whole[number]
                    continue
                assert order[done] == number
                part = vectors[done : done + count]
                done += count
                if self._cutting.rows == "clip" and count > 1:
                    mean = part.mean(axis=0, dtype=np.float64, keepdims=True)
                    part = (mean / np.linalg.norm(mean)).astype(np.float32)
                yield part

        found = list(parts())
        return np.concatenate(found) if found else np.zeros((0, self._card.dim), np.float32)

    def _wave(self, clip: Clip) -> Float32:
        mono = mono_at(clip, RATE)
        if len(mono) == 0:
            raise ShapeError(f"clip '{clip.key}': audio must hold at least one sample")
        return self._cutting.level(mono)

    @torch.inference_mode()
    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts -> (n, d) unit vectors; what does not fit into 77 tokens is cut off.

        Raises:
            WeightsError: RoBERTa's tokenizer is missing or another one.
        """
        tokenizer = self._reader()
        if not texts:
            return np.zeros((0, self._card.dim), np.float32)
        ids = tokens.tokens(tokenizer, texts)
        return in_batches(self._network.texts, ids, size=_TEXTS, device=self._device, dim=self._card.dim)

    def text_notes(self, texts: Sequence[str]) -> list[TextNote]:
        """Return by text whether it is cut off."""
        return tokens.notes(self._reader(), texts)

    def _reader(self) -> Any:
        if self._tokenizer is None:
            folder = tokens.find(self._beside, self._tokenizer_folder)
            self._tokenizer = tokens.load(folder, self._tokenizer_folder or self._beside, self._network.words)
        return self._tokenizer


def load_clap(
    name: str,
    weights: Path | None,
    device: str,
    *,
    precision: Precision = "fp32",
    backend: Backend = "transformers",
    tokenizer: Path | None = None,
    download: bool | None = None,
    **cutting: Any,
) -> ClapEncoder:
    """Load a CLAP by its registered name; see :mod:`clipsonic_eval.encoders.clap`.

    Raises:
        ConfigError: an option that it does not take.
        WeightsError: the weights are missing, unsafe or of another network.
    """
    if precision not in ("fp32", "bf16") or backend not in ("transformers", "laion-clap"):
        raise ConfigError(f"{name}: precision is fp32 or bf16, backend transformers or laion-clap")
    if backend == "laion-clap" and (precision != "fp32" or name == "clap-transformers"):
        raise ConfigError(f"{name}: the laion_clap package takes LAION's checkpoints in fp32 only")
    dtype = torch.bfloat16 if chosen(precision, device, name) == "bf16" else torch.float32
    network: Network
    if name == "clap-transformers":
        if weights is None:
            raise WeightsError(
                f"encoder '{name}' has no weights of its own; name a folder with config.json and tensors"
            )
        model, front, sha256 = read_folder(weights)
        network, beside, source, licence = Transformers(model, front, device, dtype), weights, weights.name, ""
    else:
        path = find(name, weights, download=download)
        beside = path.parent
        sha256 = file_sha256(path)
        tensors = _checked(name, path)
        if backend == "laion-clap":
            network = Package(path, tensors, device)
        else:
            front = front_end(fusion="audio_branch.patch_embed.mel_conv2d.weight" in tensors)
            built = network_of(path, tensors, how_to_get(MODELS.get(name)))
            network = Transformers(built, front, device, dtype)
        published = name in MODELS
        source = f"https://huggingface.co/{REPOSITORY}" if published else path.name
        licence = "CC0-1.0" if published else ""
    rule = _cutting(name, network.fusion, cutting)
    fields = f"rate:48k|resample:soxr-hq|mono:mean|{rule.signature}|{network.front},cut-{tokens.PLACES}"
    card = EncoderCard(
        name,
        sha256,
        network.dim,
        ("audio", "text"),
        f"{fields}|layer:projection,l2|dtype:{precision}",
        RATE,
        (),
        licence,
        source,
    )
    return ClapEncoder(network, rule, card, device=device, beside=beside, tokenizer=tokenizer)


def _checked(name: str, path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a checkpoint that is of the sizes that its name says."""
    model = MODELS.get(name)
    tensors = bare(read_tensors(path, fix=how_to_get(model), under=("state_dict",)))
    tensors.pop("text_branch.embeddings.position_ids", None)
    proj = tensors.get("audio_branch.patch_embed.proj.weight")
    fusion = "audio_branch.patch_embed.mel_conv2d.weight" in tensors
    if model is not None and proj is not None and (int(proj.shape[0]), fusion) != (model.width, model.fusion):
        kind = "with" if fusion else "without"
        raise WeightsError(
            f"{path}: a CLAP of width {proj.shape[0]} {kind} fusion, which is not '{name}'; {how_to_get(model)}, or "
            "load it as 'clap-laion'"
        )
    return tensors


def _cutting(name: str, fusion: bool, options: dict[str, Any]) -> Cutting:
    known = {"long", "hop_s", "tail", "rows", "int16", "seed"}
    strange = sorted(set(options) - known)
    if strange:
        raise ConfigError(f"{name}: no option '{strange[0]}'; there are {', '.join(sorted(known))}")
    rule = Cutting(**{"long": "fusion" if fusion and "tail" not in options else "windows", **options})
    if rule.long == "fusion" and not fusion:
        raise ConfigError(f"{name}: long=fusion needs a checkpoint with fusion; this one takes windows or random")
    if rule.long != "windows" and (rule.rows == "window" or rule.tail == "zeros"):
        raise ConfigError(f"{name}: long={rule.long} gives one row for each clip; take long=windows with rows and tail")
    return rule
