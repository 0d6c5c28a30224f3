"""The samples of the study: every system answers the same queries; each folder of wavs is a stage that resumes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.fill_cache import EmbedConfig, fill_cache
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.harness.resolve import resolve_metric
from clipsonic_eval.harness.sample import sample
from clipsonic_eval.progress import Progress
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.entries import StudySystem
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.stage import Stage
from clipsonic_eval.systems import resolve
from clipsonic_eval.types import Query

METRICS = ("fad", "clap_score", "class_accuracy", "count_accuracy", "size_error")
_BATCH = 64


def folder(layout: Layout, system: StudySystem, split: str, guidance: float | None = None) -> Path:
    """Return the folder of a system's wavs; on the validation split the values of settings are kept apart."""
    return layout.wavs(split, system.name, system.seed, guidance if split == "val" else None, system.changed)


def sampling_stage(
    config: StudyConfig, layout: Layout, system: StudySystem, split: str, guidance: float | None = None
) -> Stage:
    """Return the stage that samples a system on the queries of a split.

    Args:
        config: of the study.
        layout: its folders.
        system: to be sampled.
        split: ``val`` or ``test``.
        guidance: scale of classifier-free guidance; None for controls, which have none.
    """
    at = f", {system.changed}" if system.changed else ""
    where = "a control" if system.seed is None else f"guidance {guidance:g}{at}, seed {system.seed}"
    needed = [layout.model(system.seed, name) for name in system.models if system.seed is not None]
    needed += [layout.clips("videos")] if system.seed is None else []  # retrieval's
    fingerprint = [config.identity(), system.name, split, system.seed, guidance]
    fingerprint += [system.changed] if system.changed else []
    work = partial(sample_system, layout, system, split, guidance)
    label = f"sample {system.name} ({split}, {where})"
    return Stage(folder(layout, system, split, guidance), label, fingerprint, work, (layout.clips(split), *needed))


def sample_system(layout: Layout, system: StudySystem, split: str, guidance: float | None, progress: Progress) -> None:
    """Sample a system, and embed its wavs for the metrics: the evaluation finds the embeddings in the cache.

    Raises:
        UserError: a query could not be answered; in the study's own world that is a fault.
    """
    name, out, seed = system.name, folder(layout, system, split, guidance), system.seed or 0
    loaded = resolve(system.spec, {**system.settings, **({} if guidance is None else {"guidance": guidance})})
    done = sample(loaded, queries(layout, split), out, seed=seed, batch_size=_BATCH, name=name, progress=progress)
    if done.skipped:
        first = done.skipped[0]
        raise UserError(f"{out}: {name} left out {len(done.skipped)} queries, the first ({first.key}): {first.reason}")
    encoders = tuple(dict.fromkeys(resolve_metric(name).card.encoder for name in METRICS))
    fill_cache(EmbedConfig((out,), encoders, cache=layout.cache, workers=1))


def queries(layout: Layout, split: str) -> list[Query]:
    """Return the queries of a split."""
    path = layout.queries(split)
    return list(read_queries(path).single(path, "prepare the world again"))
