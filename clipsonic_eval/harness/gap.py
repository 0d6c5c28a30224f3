"""Gap: paired embeddings in, modality-gap statistics out.

Three ways in, one way on:

- prepared clips with image embeddings and prompts, which an encoder of the same space embeds;
- a file of features (npz, npy or Parquet), so that anybody's encoder can be looked at;
- a folder of audio and its prompts, in an audio-text space.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval import atomic, filenames, outputs, provenance, threads
from clipsonic_eval.checks.evaluation import check_prompts, check_set
from clipsonic_eval.clips import ClipStore
from clipsonic_eval.config import as_tree, portable
from clipsonic_eval.encoders import ENCODERS, Encoder
from clipsonic_eval.errors import ConfigError, SpaceError, UserError
from clipsonic_eval.harness.audio_sets import system_set
from clipsonic_eval.harness.cache import usable_cache
from clipsonic_eval.harness.embedder import Embedder
from clipsonic_eval.harness.features import read_features, read_prior
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.harness.write import write
from clipsonic_eval.metrics.gap import gap_scores, mean_shift, paired
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import RunRecord
from clipsonic_eval.toyworld import mark
from clipsonic_eval.types import Embeddings, Finding, Skip

__all__ = ["Features", "GapConfig", "gap", "measure_gap"]

MEAN_SHIFT = "mean-shift"


@dataclass(frozen=True, slots=True)
class GapConfig:
    """Which gap.

    Attributes:
        source: prepared clips, a file of features, or a folder of ``<key>.wav``.
        prompts: csv with key and prompt; None: the prompts of the prepared clips.
        encoder: of the prompts (and of the audio); None for features, which are embedded already.
        weights: weight file of the encoder.
        prior: by name, a file of predicted embeddings: npz with ``keys`` and ``vectors``.
        mean_shift: also score the text embeddings moved by the difference of the centroids, learnt on the other half
            of the items, unless ``prior`` brings a ``mean-shift``.
        space: name of the space of a file of features; None: the file's own.
        n_bootstrap: resamples.
        seed: of the bootstrap.
        tags: written into the record.
        device: of the encoder.
        cache: folder of embeddings by content; None: the user's cache folder.
    """

    source: Path
    prompts: Path | None = None
    encoder: str | None = None
    weights: Path | None = None
    prior: dict[str, Path] = field(default_factory=dict)
    mean_shift: bool = True
    space: str | None = None
    n_bootstrap: int = 2000
    seed: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    device: str = "cpu"
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.n_bootstrap < 20:
            raise ConfigError("n_bootstrap must be at least 20, better 2000 and more")


@dataclass(frozen=True, slots=True)
class Features:
    """Paired embeddings.

    Attributes:
        image: the side that a prior aims at (for audio against text: the audio).
        text: the other side.
        prior: what stands in the image's place, by name.
        skipped: items without a counterpart, or not usable.
        findings: what looks wrong.
    """

    image: Embeddings
    text: Embeddings
    prior: Mapping[str, Embeddings] = field(default_factory=dict)
    skipped: tuple[Skip, ...] = ()
    findings: tuple[Finding, ...] = ()


def gap(
    config: GapConfig,
    out: Path,
    *,
    progress: Progress = SILENT,
    encoder: Encoder | None = None,
    overwrite: bool = False,
) -> RunRecord:
    """Measure a modality gap and write a run folder.

    Args:
        config: what.
        out: receives ``record.json``, the csv files and ``projection.npz``.
        progress: told of the stages.
        encoder: of the prompts, already in memory.
        overwrite: replace another run of ``gap`` in ``out``.

    Raises:
        UserError: the source is missing, holds no pairs, or was embedded by another encoder; ``out`` holds something
            else.
    """
    started = time.perf_counter()
    with outputs.claim(out, "gap", _identity(config), overwrite=overwrite):
        features = _read(config, progress, encoder)
        progress.note(f"gap of {len(features.image)} items, {config.n_bootstrap} resamples")
        record = measure_gap(features, config, out)
    progress.note(f"done in {time.perf_counter() - started:.1f} s")
    return record


def measure_gap(features: Features, config: GapConfig, out: Path) -> RunRecord:
    """Score paired embeddings that are in memory and write the run folder; ``config`` is recorded as it is."""
    with threads.matrices(min(features.image.vectors.shape)):
        return _measure(features, config, out)


def _measure(features: Features, config: GapConfig, out: Path) -> RunRecord:
    prior = dict(features.prior)
    cross_fitted: Collection[str] = ()
    if config.mean_shift and MEAN_SHIFT not in prior:
        prior[MEAN_SHIFT] = _mean_shifted(features)
        cross_fitted = (MEAN_SHIFT,)
    scores = gap_scores(
        features.image, features.text, prior, seed=config.seed, n_boot=config.n_bootstrap, cross_fitted=cross_fitted
    )
    record = RunRecord(
        kind="gap",
        scores=tuple(scores),
        skipped={"source": features.skipped} if features.skipped else {},
        findings={"source": features.findings} if features.findings else {},
        tags=dict(config.tags),
        config=portable(as_tree(config)),
        provenance=provenance.collect(),
    )
    _write_projection(features, prior, out)
    write(record, out)
    return record


def _identity(config: GapConfig) -> dict[str, object]:
    """Return what decides the result: the settings, and the files themselves instead of their paths."""
    settings = {k: v for k, v in as_tree(config).items() if k not in ("source", "prompts", "prior", "device", "cache")}
    files = {"source": config.source, "prompts": config.prompts, **config.prior}
    inputs = {name: outputs.state_of(path) for name, path in files.items() if path is not None}
    return {**settings, "weights": outputs.state_of(config.weights), "inputs": inputs}


def _mean_shifted(features: Features) -> Embeddings:
    keys, (x, y) = paired([features.image, features.text])
    return Embeddings(mean_shift(x, y, keys), keys, features.image.modality, features.image.space)


@threads.networks()
def _read(config: GapConfig, progress: Progress, encoder: Encoder | None) -> Features:
    if config.source.is_file():
        read = read_features(config.source, config.space)
        features = Features(read["image"], read["text"], {k: v for k, v in read.items() if k not in ("image", "text")})
    elif (config.source / filenames.CLIPS).is_file():
        features = _from_clips(config, progress, encoder)
    elif config.source.is_dir():
        features = _from_audio(config, progress, encoder)
    else:
        raise UserError(f"{config.source}: neither prepared clips, nor a file of features, nor a folder of audio")
    added = {n: read_prior(path, features.image.space, features.image.modality) for n, path in config.prior.items()}
    return dataclasses.replace(features, prior={**features.prior, **added})


def _encoder(config: GapConfig, given: Encoder | None, example: str) -> Encoder:
    if given is not None:
        return given
    if config.encoder is None:
        raise ConfigError(f"{config.source}: the prompts must be embedded; name an encoder, e.g. --encoder {example}")
    loaded: Encoder = ENCODERS[config.encoder](config.weights, device=config.device)
    return loaded


def _prompts(config: GapConfig, progress: Progress) -> tuple[dict[str, str] | None, tuple[Skip, ...]]:
    """Return the prompts of the table that was given, None without one, and its rows that could not be used."""
    if config.prompts is None:
        return None, ()
    asked = read_queries(config.prompts)
    asked.show_notes(progress)
    single = asked.single(config.prompts, "keep one row for each key")
    return {q.key: q.prompt for q in single}, asked.skipped


def _from_clips(config: GapConfig, progress: Progress, given: Encoder | None) -> Features:
    """Centre picture of each clip against its prompt."""
    store = ClipStore.open(config.source)
    space, embeddings = store.image_space, store.image_embeddings
    if space is None or embeddings is None:
        raise UserError(f"{config.source}: was prepared without pictures; prepare it with an image encoder")
    encoder = _encoder(config, given, space.name)
    if (encoder.card.name, encoder.card.weights_sha256) != (space.name, space.weights_sha256):
        raise SpaceError(
            f"{config.source}: its pictures were embedded by {space.short}, but the prompts would be by "
            f"{encoder.card.short}; name the same encoder and weights, or prepare the clips again"
        )
    told, unread = _prompts(config, progress)
    said = told or {k: p for k, p in zip(store.keys, store.prompts, strict=True) if p}
    rows = np.array([i for i, key in enumerate(store.keys) if key in said], dtype=np.intp)
    skipped = (*unread, *(Skip(k, "has no prompt") for k in store.keys if k not in said))
    if len(rows) == 0:
        raise UserError(f"{config.source}: no clip has a prompt; give --prompts CSV with its keys")
    keys = tuple(store.keys[i] for i in rows)
    image = Embeddings(np.asarray(embeddings[rows, store.centre]), keys, "image", space)
    text = Embeddings(encoder.text([said[k] for k in keys]), keys, "text", space)
    return Features(image, text, findings=tuple(_strangers(config, encoder, said)), skipped=skipped)


def _strangers(config: GapConfig, encoder: Encoder, said: Mapping[str, str]) -> list[Finding]:
    return [*mark.strangers([encoder.card], [config.source]), *check_prompts(encoder, said)]


def _from_audio(config: GapConfig, progress: Progress, given: Encoder | None) -> Features:
    encoder = _encoder(config, given, "toy-clap")
    said, unread = _prompts(config, progress)
    audio = system_set("audio", config.source, None if said is None else said.keys())
    for note in audio.notes:
        progress.note(note)
    said = said or {key: prompt for key, (prompt, _) in audio.prompts.items()}
    if not said:
        raise UserError(f"{config.source}: nobody says the prompts; give --prompts CSV")
    embedder = Embedder({"clap": encoder}, cache=usable_cache(config.cache))
    embedded = embedder.embed(audio, ["clap"], progress=progress)
    keys = tuple(k for k in embedded.keys if k in said)
    text = Embeddings(encoder.text([said[k] for k in keys]), keys, "text", encoder.card)
    found = (*_strangers(config, encoder, said), *check_set(embedded.levels, embedded.spaces))
    return Features(embedded.spaces["clap"], text, skipped=(*unread, *embedded.skipped), findings=found)


def _write_projection(features: Features, prior: Mapping[str, Embeddings], out: Path) -> None:
    """Write 2-D coordinates for a figure.

    Principal components of the pooled image and text vectors (unit length), taken about their common mean; the priors
    are laid into the same plane and do not move it. Each component's largest loading is positive.
    """
    names = ["image", "text", *prior]
    keys, vectors = paired([features.image, features.text, *prior.values()])
    pooled = np.concatenate(vectors[:2])
    centre = pooled.mean(axis=0)
    _, values, axes = np.linalg.svd(pooled - centre, full_matrices=False)
    plane = axes[:2] * np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    arrays: dict[str, NDArray[np.generic]] = {
        name: ((v - centre) @ plane.T).astype(np.float32) for name, v in zip(names, vectors, strict=True)
    }
    arrays["keys"] = np.array(keys)
    arrays["explained"] = values[:2] ** 2 / (values**2).sum()
    arrays["method"] = np.array("PCA of pooled image and text unit vectors, centred on their common mean")
    with atomic.replacing(out / filenames.PROJECTION) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
