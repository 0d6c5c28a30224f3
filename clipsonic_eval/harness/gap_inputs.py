"""The paired embeddings of a modality gap: of prepared clips, of a file of features, or of audio and its prompts."""

from __future__ import annotations

import dataclasses

import numpy as np

from clipsonic_eval import filenames, threads
from clipsonic_eval.clips import ClipStore
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import SpaceError, UserError
from clipsonic_eval.harness.features import read_features, read_prior
from clipsonic_eval.harness.gap_audio import read_audio
from clipsonic_eval.harness.gap_config import Features, GapConfig
from clipsonic_eval.harness.gap_text import check_text, load_text_encoder, read_prompts
from clipsonic_eval.progress import Progress
from clipsonic_eval.types import Embeddings, Skip


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
        features = read_audio(config, progress, encoder)
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
    encoder = load_text_encoder(config, given, space.name)
    if (encoder.card.name, encoder.card.weights_sha256) != (space.name, space.weights_sha256):
        raise SpaceError(
            f"{config.source}: its frames were embedded by {space.short}, but the prompts would be by "
            f"{encoder.card.short}; name the same encoder and weights, or prepare the clips again"
        )
    asked, unread = read_prompts(config, progress)
    prompts = asked or {k: p for k, p in zip(store.keys, store.prompts, strict=True) if p}
    rows = np.array([i for i, key in enumerate(store.keys) if key in prompts], dtype=np.intp)
    if len(rows) == 0:
        raise UserError(f"{config.source}: no clip has a prompt; give --prompts CSV with its keys")
    keys = tuple(store.keys[i] for i in rows)
    image = Embeddings(np.asarray(embeddings[rows, store.centre]), keys, "image", space)
    text = Embeddings(encoder.text([prompts[k] for k in keys]), keys, "text", space)
    skipped = (*unread, *(Skip(k, "has no prompt") for k in store.keys if k not in prompts))
    return Features(image, text, skipped=skipped, findings=check_text(config, encoder, prompts))
