"""Fill the embedding cache, alone or as one of many processes; ``evaluate`` finds the embeddings there.

Embeddings are cached by the content of the audio and the card of the encoder, so any number of processes or machines
that see one cache folder may each take a share; the result does not depend on how the work was split.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clipsonic_eval import outputs, threads
from clipsonic_eval.checks.evaluation import check_set, check_world, without_empty
from clipsonic_eval.errors import UserError, WeightsError
from clipsonic_eval.harness.audio_sets import AudioSet, reference_set
from clipsonic_eval.harness.cache import usable_cache
from clipsonic_eval.harness.embed_config import EmbedConfig, Part, run_parts
from clipsonic_eval.harness.embedder import EmbeddedSet, Embedder
from clipsonic_eval.harness.resolve import Encoders, load_encoder
from clipsonic_eval.harness.stored_statistics import write_statistics
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.types import Finding, Skip

__all__ = ["EmbedConfig", "EmbedResult", "fill_cache", "fill_part"]


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


def fill_part(part: Part) -> str:
    """Embed one part; return why none of its clips is usable, or nothing.

    Raises:
        WeightsError: of an encoder, on the machine where the part runs.
    """
    try:
        fill_cache(part.config)
    except WeightsError:
        raise
    except UserError as error:  # the pass over all parts says what remains wrong
        return str(error)
    return ""


@threads.networks()
def fill_cache(config: EmbedConfig, *, progress: Progress = SILENT, encoders: Encoders | None = None) -> EmbedResult:
    """Embed this process's share of every folder.

    Where it is dealt to several processes, they fill the cache, and this one reads it: the result is the same.

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
    if config.engine == "ray" or config.processes > 1:
        run_parts(config, cache, fill_part, progress)
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
