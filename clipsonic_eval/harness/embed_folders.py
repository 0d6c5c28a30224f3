"""Embed folders: as arrays for a notebook, or into the cache, alone or as one of many processes.

Embeddings are kept by the content of the sound and the encoder's card, so any number of processes or machines that see
one cache folder may each take a share: what they add up to does not depend on how the work was dealt.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsonic_eval import filenames, outputs, threads
from clipsonic_eval.checks.evaluation import check_set, without_empty
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness import stored_statistics
from clipsonic_eval.harness.audio_sets import AudioSet, reference_set, system_set
from clipsonic_eval.harness.cache import usable_cache
from clipsonic_eval.harness.embedder import EmbeddedSet, Embedder
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.harness.resolve import load_encoder
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.stats.moments import Moments
from clipsonic_eval.toyworld import mark
from clipsonic_eval.types import Embeddings, Finding, Skip


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
def embed_folders(
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
    loaded = dict(
        encoders or {n: load_encoder(n, config.weights.get(n), device=config.device) for n in config.encoders}
    )
    embedder = Embedder(loaded, cache=cache, batch_size=config.batch_size, workers=config.workers)
    n: dict[str, int] = {}
    skipped: dict[str, tuple[Skip, ...]] = {}
    findings: dict[str, tuple[Finding, ...]] = {}
    parts: list[EmbeddedSet] = []
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
                *check_set(done.levels, done.spaces),
            )
            parts += [done] if config.statistics is not None else []
    if config.statistics is not None:
        _write_statistics(config.statistics, parts, config.encoders[0])
    return EmbedResult(cache, n, {k: v for k, v in skipped.items() if v}, without_empty(findings))


def _write_statistics(path: Path, parts: Sequence[EmbeddedSet], name: str) -> None:
    if not parts:
        raise UserError(f"{path}: not written, no clip was usable; see what was skipped")
    moments = Moments.of(part.spaces[name].vectors for part in parts)
    digests = [digest for part in parts for digest in part.digests.values()]
    stored_statistics.write(path, moments, parts[0].spaces[name].space, digests)


def _share(whole: AudioSet, share: tuple[int, int]) -> AudioSet:
    first, of = share
    kept: Sequence[Skip] = whole.skipped if first == 1 else ()
    return dataclasses.replace(whole, items=whole.items[first - 1 :: of], skipped=tuple(kept))


@threads.networks()
def embed_folder(
    folder: Path | str,
    encoder: Encoder | str,
    *,
    keys: Collection[str] | None = None,
    skipped: list[Skip] | None = None,
    cache: Path | str | None = None,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Embeddings:
    """Embed every clip of a folder: media files, the outputs of a system, or prepared clips.

    Embeddings are cached by the content of the sound and the encoder's card, as in an evaluation.

    Args:
        folder: of audio; ``samples.csv`` in it names the keys, otherwise the file names do.
        encoder: in memory, or the name of an encoder or a convention (see :func:`load_encoder`).
        keys: of the queries; clips of other keys are left out, queries without a clip are listed as skipped.
        skipped: receives what was left out and why; None: a warning counts the clips that could not be embedded.
        cache: folder of the cache; None: the user's.
        device: where a named encoder runs, ``cpu`` or ``cuda``.
        progress: shows how far it is.

    Returns:
        Embeddings (n, d) float32, clips sorted by key; an encoder with windows gives several rows per clip.

    Raises:
        UserError: the folder is missing or holds no usable audio, or the encoder or its weights are missing.
    """
    folder = Path(folder)
    loaded = load_encoder(encoder, device=device) if isinstance(encoder, str) else encoder
    if keys is not None or (folder / filenames.SAMPLES).exists():
        audio = system_set(str(folder), folder, keys)
    else:
        audio = dataclasses.replace(reference_set(folder), name=str(folder))
    embedder = Embedder({"audio": loaded}, cache=usable_cache(None if cache is None else Path(cache)))
    found = embedder.embed(audio, ["audio"], progress=progress)
    if skipped is not None:
        skipped += found.skipped
    elif found.skipped:
        first = found.skipped[0]
        warnings.warn(
            f"{folder}: {len(found.skipped)} clips skipped, the first: {first.key}: {first.reason}", stacklevel=3
        )
    return found.spaces["audio"]


@threads.networks()
def embed_prompts(
    prompts: Mapping[str, str] | Path | str, encoder: Encoder | str, *, device: str = "cpu"
) -> Embeddings:
    """Embed text queries with an audio-text (or image-text) encoder.

    Args:
        prompts: text by key, or a table with the columns ``key`` and ``prompt``; a key with several captions gives a
            row for each.
        encoder: in memory, or its name.
        device: where a named encoder runs, ``cpu`` or ``cuda``.

    Returns:
        Embeddings (n, d) float32, sorted by key.

    Raises:
        UserError: the table cannot be read, or the encoder takes no text.
    """
    loaded = load_encoder(encoder, device=device) if isinstance(encoder, str) else encoder
    texts = sorted(prompts.items()) if isinstance(prompts, Mapping) else read_queries(Path(prompts)).texts
    if not texts:
        raise UserError("no prompts to embed; give at least one")
    vectors = loaded.text([text for _, text in texts])
    return Embeddings(vectors, tuple(key for key, _ in texts), "text", loaded.card)
