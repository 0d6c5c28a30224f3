"""The paired embeddings of a modality gap: of prepared clips, of a file of features, or of audio and its prompts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clipsonic_eval import filenames, outputs, threads
from clipsonic_eval.checks.evaluation import check_prompts, check_set, check_world
from clipsonic_eval.clips import ClipStore
from clipsonic_eval.config import as_tree
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import ConfigError, SpaceError, UserError
from clipsonic_eval.harness.features import read_features, read_prior
from clipsonic_eval.progress import Progress
from clipsonic_eval.types import Embeddings, Finding, Skip

_ROLE = "audio_text"


@dataclass(frozen=True, slots=True)
class GapConfig:
    """A measurement of the modality gap.

    Attributes:
        source: prepared clips, a file of features, or a folder of ``<key>.wav``.
        prompts: table with key and prompt; None: the prompts of the prepared clips.
        encoder: of the prompts (and of the audio); None for features, which are embedded already.
        weights: weight file of the encoder.
        prior: by name, a file of predicted embeddings: npz with ``keys`` and ``vectors``.
        mean_shift: also score the text embeddings moved by the difference of the centroids, estimated on the other half
            of the items, unless ``prior`` brings a ``mean-shift``.
        space: name of the space of a file of features; None: the file's own.
        n_bootstrap: number of resamples.
        seed: of the resamples.
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
        for name in ("source", "prompts", "weights", "cache"):  # strings are taken for paths
            given = getattr(self, name)
            object.__setattr__(self, name, None if given is None else Path(given))
        object.__setattr__(self, "prior", {name: Path(path) for name, path in self.prior.items()})

    def identity(self) -> dict[str, object]:
        """Return what decides the result: the settings, and the files themselves instead of their paths."""
        paths = ("source", "prompts", "prior", "device", "cache")
        settings = {k: v for k, v in as_tree(self).items() if k not in paths}
        files = {"source": self.source, "prompts": self.prompts, **self.prior}
        inputs = {name: outputs.state_of(path) for name, path in files.items() if path is not None}
        return {**settings, "weights": outputs.state_of(self.weights), "inputs": inputs}


@dataclass(frozen=True, slots=True)
class Features:
    """Paired embeddings, by key.

    Attributes:
        image: (n, d) true embeddings that a prior predicts (for audio against text: those of the audio).
        text: (n, d) of the other side.
        prior: by name, (n, d) predictions in the image's place.
        skipped: items that have no counterpart or cannot be used.
        findings: of checks of the prompts and the audio.
    """

    image: Embeddings
    text: Embeddings
    prior: Mapping[str, Embeddings] = field(default_factory=dict)
    skipped: tuple[Skip, ...] = ()
    findings: tuple[Finding, ...] = ()


@threads.networks()
def read(config: GapConfig, progress: Progress, encoder: Encoder | None = None) -> Features:
    """Read or embed the two sides of a gap, and what the priors predict.

    Args:
        config: the source, and what embeds it.
        progress: receives the notes on tables and folders.
        encoder: already in memory, instead of the one that the configuration names.

    Raises:
        UserError: the source is missing, has no pairs, or was embedded by another encoder.
    """
    if config.source.is_file():
        found = read_features(config.source, config.space)
        prior = {k: v for k, v in found.items() if k not in ("image", "text")}
        features = Features(found["image"], found["text"], prior)
    elif (config.source / filenames.CLIPS).is_file():
        features = _from_clips(config, progress, encoder)
    elif config.source.is_dir():
        features = _from_audio(config, progress, encoder)
    else:
        raise UserError(f"{config.source}: neither prepared clips, nor a file of features, nor a folder of audio")
    added = {n: read_prior(path, features.image.space, features.image.modality) for n, path in config.prior.items()}
    return dataclasses.replace(features, prior={**features.prior, **added})


def _from_clips(config: GapConfig, progress: Progress, given: Encoder | None) -> Features:
    """Pair the centre frame of each prepared clip with its prompt."""
    store = ClipStore.open(config.source)
    space, embeddings = store.image_space, store.image_embeddings
    if space is None or embeddings is None:
        raise UserError(f"{config.source}: was prepared without image embeddings; prepare it with an image encoder")
    encoder = _encoder(config, given, space.name)
    if (encoder.card.name, encoder.card.weights_sha256) != (space.name, space.weights_sha256):
        raise SpaceError(
            f"{config.source}: its frames were embedded by {space.short}, but the prompts would be by "
            f"{encoder.card.short}; name the same encoder and weights, or prepare the clips again"
        )
    asked, unread = _prompts(config, progress)
    prompts = asked or {k: p for k, p in zip(store.keys, store.prompts, strict=True) if p}
    rows = np.array([i for i, key in enumerate(store.keys) if key in prompts], dtype=np.intp)
    if len(rows) == 0:
        raise UserError(f"{config.source}: no clip has a prompt; give --prompts CSV with its keys")
    keys = tuple(store.keys[i] for i in rows)
    image = Embeddings(np.asarray(embeddings[rows, store.centre]), keys, "image", space)
    text = Embeddings(encoder.text([prompts[k] for k in keys]), keys, "text", space)
    skipped = (*unread, *(Skip(k, "has no prompt") for k in store.keys if k not in prompts))
    return Features(image, text, skipped=skipped, findings=_prompt_findings(config, encoder, prompts))


def _from_audio(config: GapConfig, progress: Progress, given: Encoder | None) -> Features:
    """Pair each clip of a folder with its prompt."""
    from clipsonic_eval.harness.audio_sets import system_set
    from clipsonic_eval.harness.cache import usable_cache
    from clipsonic_eval.harness.embedder import Embedder

    encoder = _encoder(config, given, "toy-clap")
    asked, unread = _prompts(config, progress)
    audio = system_set("audio", config.source, None if asked is None else asked.keys())
    for note in audio.notes:
        progress.note(note)
    prompts = asked or {key: prompt for key, (prompt, _) in audio.prompts.items()}
    if not prompts:
        raise UserError(f"{config.source}: there are no prompts; give --prompts CSV")
    embedder = Embedder({_ROLE: encoder}, cache=usable_cache(config.cache))
    embedded = embedder.embed(audio, [_ROLE], progress=progress)
    keys = tuple(k for k in embedded.keys if k in prompts)
    text = Embeddings(encoder.text([prompts[k] for k in keys]), keys, "text", encoder.card)
    found = (*_prompt_findings(config, encoder, prompts), *check_set(embedded.levels, embedded.spaces))
    return Features(embedded.spaces[_ROLE], text, skipped=(*unread, *embedded.skipped), findings=found)


def _encoder(config: GapConfig, given: Encoder | None, example: str) -> Encoder:
    from clipsonic_eval.harness.resolve import load_encoder

    if given is not None:
        return given
    if config.encoder is None:
        raise ConfigError(f"{config.source}: the prompts must be embedded; name an encoder, e.g. --encoder {example}")
    return load_encoder(config.encoder, config.weights, device=config.device)


def _prompts(config: GapConfig, progress: Progress) -> tuple[dict[str, str] | None, tuple[Skip, ...]]:
    """Return the prompts of the table by key, None without a table, and its rows that could not be used."""
    from clipsonic_eval.harness.queries import read_queries

    if config.prompts is None:
        return None, ()
    asked = read_queries(config.prompts)
    asked.show_notes(progress)
    single = asked.single(config.prompts, "keep one row for each key")
    return {q.key: q.prompt for q in single}, asked.skipped


def _prompt_findings(config: GapConfig, encoder: Encoder, prompts: Mapping[str, str]) -> tuple[Finding, ...]:
    return (*check_world([encoder.card], [config.source]), *check_prompts(encoder, prompts))
