"""Fill the embedding cache, alone or as one of many processes; ``evaluate`` finds the embeddings there.

Embeddings are cached by the content of the audio and the card of the encoder, so any number of processes or machines
that see one cache folder may each take a share; the result does not depend on how the work was split.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clipsonic_eval import outputs, threads
from clipsonic_eval.checks.evaluation import check_set, check_world, without_empty
from clipsonic_eval.config import coerce
from clipsonic_eval.errors import UserError, unknown_name
from clipsonic_eval.harness.audio_sets import AudioSet, reference_set
from clipsonic_eval.harness.cache import usable_cache
from clipsonic_eval.harness.embedder import EmbeddedSet, Embedder
from clipsonic_eval.harness.resolve import Encoders, load_encoder
from clipsonic_eval.harness.stored_statistics import write_statistics
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.types import Finding, Skip


@dataclass(frozen=True, slots=True)
class EmbedConfig:
    """Settings of ``embed``.

    Attributes:
        folders: of media files, of a system's wavs, or of prepared clips.
        encoders: names of encoders and of conventions (``fad/fadtk``), which bring their own preprocessing.
        weights: weight file by these names, where an encoder's own is not meant.
        share: (i, n): every n-th clip of each folder from the i-th on, i in 1..n.
        batch_size: clips that an encoder gets at once.
        workers: threads that decode.
        device: of the encoders; under torchrun, ``cuda`` is the process's own GPU.
        cache: folder of the embedding cache; None: the user's.
        statistics: .npz file for the mean and covariance of all clips of all folders, which ``evaluate`` takes as a
            reference; needs exactly one encoder.
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
        coerce(self)
        if not self.folders or not self.encoders:
            raise UserError("embed needs at least one folder and one encoder")
        for name in self.weights:
            if name not in self.encoders:
                raise unknown_name("encoder to give weights to", name, self.encoders)
        if not 1 <= self.share[0] <= self.share[1]:
            raise UserError(f"share {self.share[0]}/{self.share[1]}: the first number counts from 1 to the second")
        if self.statistics is None:
            return
        if len(self.encoders) != 1 or self.share != (1, 1):
            raise UserError(
                "statistics are of one encoder and of all clips; name one encoder and no share (embeddings of other "
                "processes are found in the cache)"
            )
        if self.statistics.suffix != ".npz":
            raise UserError(f"{self.statistics}: statistics are written as .npz; give a name that ends in .npz")


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """Result of ``embed``, by folder.

    Attributes:
        cache: folder of the cache.
        n: clips of this share that are in the cache now.
        skipped: clips that could not be embedded.
        findings: what looks wrong.
    """

    cache: Path
    n: Mapping[str, int]
    skipped: Mapping[str, tuple[Skip, ...]]
    findings: Mapping[str, tuple[Finding, ...]]


def share_of_torchrun() -> tuple[int, int]:
    """Return the share of this process under torchrun, by its RANK and WORLD_SIZE; (1, 1) elsewhere."""
    return int(os.environ.get("RANK", "0")) + 1, int(os.environ.get("WORLD_SIZE", "1"))


@threads.networks()
def fill_cache(config: EmbedConfig, *, progress: Progress = SILENT, encoders: Encoders | None = None) -> EmbedResult:
    """Embed this process's share of every folder.

    Args:
        config: settings.
        progress: shows every clip.
        encoders: by name, already in memory.

    Raises:
        UserError: a folder is missing or empty, an encoder or its weights are missing, no clip of a folder's share is
            usable, or the statistics cannot be written.
    """
    if config.statistics is not None:
        outputs.make_folder(config.statistics.parent, "--statistics")
    cache = usable_cache(config.cache)
    loaded = dict(
        encoders or {n: load_encoder(n, config.weights.get(n), device=config.device) for n in config.encoders}
    )
    embedder = Embedder(loaded, cache=cache, batch_size=config.batch_size, workers=config.workers)
    n = {str(folder): 0 for folder in config.folders}
    skipped: dict[str, tuple[Skip, ...]] = {}
    findings: dict[str, list[Finding]] = {}
    parts: list[EmbeddedSet] = []
    for folder in config.folders:
        name = str(folder)
        audio = dataclasses.replace(reference_set(folder), name=name)
        for note in audio.notes:
            progress.note(note)
        mine = _share(audio, config.share)
        if mine.items:
            done = embedder.embed(mine, list(loaded), progress=progress)
            n[name], skipped[name] = len(done.keys), done.skipped
            world = check_world((encoder.card for encoder in loaded.values()), [folder])
            findings[name] = [*world, *check_set(done.levels, done.spaces)]
            parts += [done] if config.statistics is not None else []
    if config.statistics is not None:
        if not parts:
            raise UserError(f"{config.statistics}: not written, no clip was usable; see what was skipped")
        digests = [digest for part in parts for digest in part.digests.values()]
        write_statistics(config.statistics, [part.spaces[config.encoders[0]] for part in parts], digests)
    return EmbedResult(cache, n, {name: skips for name, skips in skipped.items() if skips}, without_empty(findings))


def _share(whole: AudioSet, share: tuple[int, int]) -> AudioSet:
    """Return every n-th clip; what the listing skipped is reported by the first share only."""
    first, of = share
    skipped = whole.skipped if first == 1 else ()
    return dataclasses.replace(whole, items=whole.items[first - 1 :: of], skipped=skipped)
