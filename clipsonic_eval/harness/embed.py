"""Embed: fill the cache of embeddings, alone or as one of many; `evaluate` finds everything there.

Embeddings are kept by the content of the sound and the encoder's card, so any number of processes or machines that see
one cache folder may each take a share: what they add up to does not depend on how the work was dealt.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsonic_eval import outputs, threads
from clipsonic_eval.encoders import ENCODERS, Encoder
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness import stored_statistics, suspicions
from clipsonic_eval.harness.audio_sets import AudioSet, reference_set
from clipsonic_eval.harness.cache import usable_cache
from clipsonic_eval.harness.embedding import Embedded, Embedder
from clipsonic_eval.harness.measures import Convened, convention_named
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.stats.moments import Moments
from clipsonic_eval.toyworld import mark
from clipsonic_eval.types import Finding, Skip


@dataclass(frozen=True, slots=True)
class EmbedConfig:
    """What is embedded.

    Attributes:
        folders: of media files, of a system's wavs, or of prepared clips.
        encoders: names of encoders and of conventions (``fad/fadtk``), which load the sound in their own way.
        weights: weight files by these names, where an encoder's own are not meant.
        share: (i, n): every n-th item of each folder from the i-th on, i in 1..n.
        batch_size: clips that an encoder gets at once.
        workers: threads that decode.
        device: of the encoders; ``cuda`` takes the GPU of this process' rank under torchrun.
        cache: folder of embeddings; None: the user's.
        statistics: an .npz that receives mean and covariance of all clips of all folders, to be given to `evaluate` as
            its reference; takes one encoder.
    """

    folders: tuple[Path, ...]
    encoders: tuple[str, ...]
    weights: dict[str, Path] = dataclasses.field(default_factory=dict)
    share: tuple[int, int] = (1, 1)
    batch_size: int = 64
    workers: int = 2
    device: str = "cpu"
    cache: Path | None = None
    statistics: Path | None = None

    def __post_init__(self) -> None:
        if not self.folders or not self.encoders:
            raise UserError("embed needs at least one folder and one encoder")
        if not 1 <= self.share[0] <= self.share[1]:
            raise UserError(f"share {self.share[0]}/{self.share[1]}: the first number counts from 1 to the second")
        if self.statistics is None:
            return
        if len(self.encoders) != 1 or self.share != (1, 1):
            raise UserError(
                "statistics are those of one encoder and of all clips; name one encoder and no share (what other "
                "processes have embedded is found in the cache)"
            )
        if self.statistics.suffix != ".npz":
            raise UserError(f"{self.statistics}: statistics are written as .npz; let its name end so")


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """What came of it: clips of this share that are in the cache now, by folder, what was left out and looks wrong."""

    cache: Path
    n: Mapping[str, int]
    skipped: Mapping[str, tuple[Skip, ...]]
    findings: Mapping[str, tuple[Finding, ...]]


def share_of_torchrun() -> tuple[int, int]:
    """Return this process' share under torchrun, by its RANK and WORLD_SIZE; (1, 1) elsewhere."""
    return int(os.environ.get("RANK", "0")) + 1, int(os.environ.get("WORLD_SIZE", "1"))


@threads.networks()
def embed(
    config: EmbedConfig, *, progress: Progress = SILENT, encoders: Mapping[str, Encoder] | None = None
) -> EmbedResult:
    """Embed this process' share of every folder.

    Args:
        config: what.
        progress: told of every clip.
        encoders: by name, already in memory.

    Raises:
        UserError: a folder is missing or empty, an encoder or its weights are missing, nothing of a folder's share is
            usable, or the place of the statistics cannot be written.
    """
    if config.statistics is not None:
        outputs.make_folder(config.statistics.parent, "--statistics")
    cache = usable_cache(config.cache)
    loaded = dict(encoders or {name: _load(name, config) for name in config.encoders})
    embedder = Embedder(loaded, cache=cache, batch_size=config.batch_size, workers=config.workers)
    n: dict[str, int] = {}
    skipped: dict[str, tuple[Skip, ...]] = {}
    findings: dict[str, tuple[Finding, ...]] = {}
    parts: list[Embedded] = []
    for folder in config.folders:
        audio = reference_set(folder)
        for note in audio.notes:
            progress.note(note)
        mine = _share(audio, config.share)
        n[str(folder)] = 0
        if mine.items:
            done = embedder.embed(mine, list(loaded), progress=progress)
            n[str(folder)] = len(done.keys)
            skipped[str(folder)] = done.skipped
            findings[str(folder)] = (
                *mark.strangers((encoder.card for encoder in loaded.values()), [folder]),
                *suspicions.of_set(done),
            )
            parts += [done] if config.statistics is not None else []
    if config.statistics is not None:
        _write_statistics(config.statistics, parts, config.encoders[0])
    return EmbedResult(cache, n, {k: v for k, v in skipped.items() if v}, suspicions.without_empty(findings))


def _write_statistics(path: Path, parts: Sequence[Embedded], name: str) -> None:
    if not parts:
        raise UserError(f"{path}: not written, no clip was usable; see what was skipped")
    moments = Moments.of(part.spaces[name].vectors for part in parts)
    digests = [digest for part in parts for digest in part.digests.values()]
    stored_statistics.write(path, moments, parts[0].spaces[name].space, digests)


def _share(whole: AudioSet, share: tuple[int, int]) -> AudioSet:
    first, of = share
    kept: Sequence[Skip] = whole.skipped if first == 1 else ()
    return dataclasses.replace(whole, items=whole.items[first - 1 :: of], skipped=tuple(kept))


def _load(name: str, config: EmbedConfig) -> Encoder:
    device = config.device
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    convention = convention_named(name)
    weights = config.weights.get(name)
    if convention is None:
        plain: Encoder = ENCODERS[name](weights, device=device)
        return plain
    return Convened(ENCODERS[convention.encoder](weights, device=device, **convention.options), convention)
