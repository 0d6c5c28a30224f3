"""A folder of audio, or a table of prompts, as :class:`~clipsonic_eval.types.Embeddings`."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path

from clipsonic_eval import filenames, threads
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.audio_sets import reference_set, system_set
from clipsonic_eval.harness.cache import usable_cache
from clipsonic_eval.harness.embedder import Embedder
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.harness.resolve import load_encoder
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.types import Embeddings, Skip


@threads.networks()
def embed_folder(
    folder: Path | str,
    encoder: Encoder | str,
    *,
    keys: Collection[str] | None = None,
    skipped: list[Skip] | None = None,
    cache: Path | str | None = None,
    weights: Path | None = None,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Embeddings:
    """Embed every clip of a folder: media files, the outputs of a system, or prepared clips.

    Embeddings are cached by the content of the audio and the encoder's card, as in an evaluation.

    Args:
        folder: of audio; ``samples.csv`` in it names the keys, otherwise the file names do.
        encoder: in memory, or the name of an encoder or a convention (see :func:`load_encoder`).
        keys: of the queries; clips of other keys are left out, queries without a clip are listed as skipped.
        skipped: receives what was left out and why; None: a warning counts the clips that could not be embedded.
        cache: folder of the cache; None: the user's.
        weights: weight file of a named encoder, where it is not in its default place.
        device: where a named encoder runs, ``cpu`` or ``cuda``.
        progress: shows how far it is.

    Returns:
        Embeddings (n, d) float32, clips sorted by key; an encoder with windows gives several rows per clip.

    Raises:
        UserError: the folder is missing or holds no usable audio, or the encoder or its weights are missing.
    """
    folder = Path(folder)
    loaded = load_encoder(encoder, weights, device=device) if isinstance(encoder, str) else encoder
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
    for key, text in texts:
        if not isinstance(text, str):
            raise UserError(f"prompts: that of '{key}' is {text!r}, no text; leave the clip out, or give its prompt")
    vectors = loaded.text([text for _, text in texts])
    return Embeddings(vectors, tuple(key for key, _ in texts), "text", loaded.card)
