"""The metrics as functions that also take folders: ``ce.fad("real/", "wavs/", encoder="vggish")``.

The functions of :mod:`clipsonic_eval.metrics` take arrays and embeddings. Here each of them gets four more keyword
arguments (``encoder``, ``weights``, ``device``, ``cache``), and whatever is given as a folder, a table or texts is
embedded before the call. Arrays pass straight through; then neither an encoder nor torch is loaded.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic_eval._arguments import StrPath, as_path, is_path, require_encoder, warn_of_skipped
from clipsonic_eval.errors import UserError
from clipsonic_eval.metrics import METRICS, MetricCard
from clipsonic_eval.metrics.scoring import function_of
from clipsonic_eval.types import Embeddings, Score, Skip, as_embeddings

if TYPE_CHECKING:
    from clipsonic_eval.encoders import Encoder

AUDIO = ("reference", "system", "real")  # arguments that are embeddings of audio, or a folder of it
_EXAMPLES = {  # by role
    "audio": "vggish",
    "audio_text": "clap-laion-audio",
    "audio_image": "imagebind",
    "classifier": "panns-cnn14",
    "aesthetics": "audiobox-aesthetics",
}
_OPTIONS: Mapping[str, Any] = {"encoder": None, "weights": None, "device": "cpu", "cache": None}
_DOC = """

Folders:
    Audio may also be given as a folder. Prompts and labels may be a table with the column ``key``, which names the
    clips, and the column ``prompt``, ``label``, ``count`` or ``size``; prompts also a dict of texts by key, or a list
    of texts in the order of the clips. Images may be a table with the columns ``key`` and ``image``, or a dict of files
    by key. ``encoder`` embeds them: a name (see ``list_encoders()``) or an encoder object.
    ``weights`` is its weight file, where not in its default place; ``device`` is ``cpu`` or ``cuda``; ``cache`` is the
    folder of the embedding cache, None for the user's.
"""


def metric_function(name: str) -> Callable[..., Score]:
    """Return the function of a metric, which takes arrays, embeddings or folders.

    Args:
        name: registered name of the metric.

    Raises:
        UserError: no metric of that name.

    Example:
        >>> import numpy as np
        >>> kid = metric_function("kid")
        >>> x = np.random.default_rng(0).standard_normal((60, 4))
        >>> float(kid(x, x + 2)) > float(kid(x, x + 1)) > 0
        True
    """
    entry = METRICS[name]
    function = function_of(entry)
    signature = inspect.signature(function)
    if not {*AUDIO, "prompts"} & set(signature.parameters) and function.__doc__:
        return function  # of paired embeddings: there is nothing to embed

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Score:
        options = {option: keywords.pop(option, default) for option, default in _OPTIONS.items()}
        given = signature.bind(*args, **keywords)
        system = given.arguments.get("system")
        given.arguments.update(_embedded(entry.card, given.arguments, **options))
        score = function(*given.args, **given.kwargs)
        return dataclasses.replace(score, system=Path(system).resolve().name) if is_path(system) else score

    call.__doc__ = inspect.cleandoc(function.__doc__ or "") + _DOC
    call.__signature__ = _with_options(signature)  # type: ignore[attr-defined]
    return call


def _with_options(own: inspect.Signature) -> inspect.Signature:
    """Return the signature of a metric's function with the keyword arguments that folders need."""
    parameters = list(own.parameters.values())
    fixed = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
    options = [inspect.Parameter(o, inspect.Parameter.KEYWORD_ONLY, default=d) for o, d in _OPTIONS.items()]
    return own.replace(parameters=[*fixed, *options, *(p for p in parameters if p.kind is p.VAR_KEYWORD)])


def _embedded(
    card: MetricCard,
    given: Mapping[str, Any],
    *,
    encoder: str | Encoder | None,
    weights: StrPath | None,
    device: str,
    cache: StrPath | None,
) -> dict[str, Any]:
    """Return the arguments that are folders, tables or texts, embedded."""
    folders = {argument: _folder(argument, given[argument]) for argument in AUDIO if is_path(given.get(argument))}
    prompts, labels, images = given.get("prompts"), given.get("labels"), given.get("images")
    result: dict[str, Any] = {"labels": _labels(labels, card.attribute)} if is_path(labels) else {}
    texts, files = _are_texts(prompts), is_path(images) or isinstance(images, Mapping)
    if not folders and not texts and not files:
        if encoder is not None:
            raise UserError("encoder: embeds folders and texts, and there are only embeddings here; leave it out")
        return result
    if encoder is None:
        raise _no_encoder(
            card, next(iter(folders.values()), prompts if texts else images), "texts" if texts else "images"
        )
    require_encoder(encoder, weights)
    from clipsonic_eval.harness.embed_folder import embed_folder, embed_prompts
    from clipsonic_eval.harness.resolve import load_encoder

    if isinstance(encoder, str):
        encoder = load_encoder(encoder, as_path(weights), device=device)
    asked = None
    if texts:
        result["prompts"] = embed_prompts(_texts(prompts, given["system"]), encoder)
        asked = set(result["prompts"].keys)
    if files:
        result["images"] = _images(images, encoder, as_path(cache))
        asked = set(result["images"].keys)
    for argument, folder in folders.items():
        keys = None if argument == "reference" else asked
        skipped: list[Skip] = []
        result[argument] = embed_folder(folder, encoder, keys=keys, skipped=skipped, cache=as_path(cache))
        warn_of_skipped(folder, skipped, stacklevel=4)
    _warn_of_toy_encoder(encoder, list(folders.values()))
    return result


def _folder(argument: str, given: StrPath) -> Path:
    path = Path(given)
    if path.is_dir():
        return path
    if path.is_file():
        stored = " (evaluate takes stored statistics as its reference)" if path.suffix == ".npz" else ""
        raise UserError(f"{argument}: '{path}' is a file; give a folder of audio, or an array of embeddings{stored}")
    raise UserError(
        f"{argument}: there is no folder '{path}'; give a folder of audio, or an array of embeddings (n, d)"
    )


def _no_encoder(card: MetricCard, given: object, kind: str) -> UserError:
    shown = f"'{given}'" if is_path(given) else kind
    example = f", e.g. encoder='{_EXAMPLES[card.role]}'" if card.role in _EXAMPLES else ""
    return UserError(f"{card.name}: {shown} must be embedded, so name an encoder{example} (list_encoders() names all)")


def _are_texts(prompts: object) -> bool:
    listed = isinstance(prompts, list | tuple) and bool(prompts) and all(isinstance(text, str) for text in prompts)
    return is_path(prompts) or isinstance(prompts, Mapping) or listed


def _texts(texts: Any, system: Any) -> Path | Mapping[str, str]:
    """Return the table of texts, or texts by key; those of a list belong to the clips in their order."""
    if is_path(texts):
        return Path(texts)
    if isinstance(texts, Mapping):
        return texts
    if is_path(system):
        raise UserError(
            "prompts: a list has no keys, so it cannot name the clips of a folder; give a dict of texts by key"
        )
    keys = list(dict.fromkeys(as_embeddings(system, "system").keys))
    if len(keys) != len(texts):
        raise UserError(f"prompts: {len(texts)} texts for {len(keys)} clips; give one for each, in their order")
    return dict(zip(keys, texts, strict=True))


def _images(images: Any, encoder: Encoder, cache: Path | None) -> Embeddings:
    """Return the images of a table, or of files by key, embedded."""
    from clipsonic_eval.harness.cache import usable_cache
    from clipsonic_eval.harness.queries import read_queries
    from clipsonic_eval.harness.query_images import embed_images

    if isinstance(images, Mapping):
        files: Mapping[str, Path] = {str(key): Path(file) for key, file in images.items()}
    else:
        files = read_queries(Path(images)).images
    if not files:
        raise UserError(f"images: {images} names no image; give a table with the columns key, prompt and image")
    found = embed_images(files, encoder, cache=usable_cache(cache))
    warn_of_skipped(Path("images"), found.skipped, stacklevel=5)
    return found.embeddings


def _labels(table: StrPath, attribute: str) -> dict[str, str]:
    from clipsonic_eval.harness.queries import read_queries

    asked = read_queries(Path(table))
    labels = dict(asked.attributes.get(attribute, {}) if attribute else asked.labels)
    if not labels:
        name = attribute or "label"
        raise UserError(f"{table}: no query has a {name}; give a table with the column {name}")
    return labels


def _warn_of_toy_encoder(encoder: Encoder, folders: Sequence[Path]) -> None:
    """Warn where an encoder that knows one small world only gets other data."""
    from clipsonic_eval.checks.evaluation import check_world

    for finding in check_world([encoder.card], folders) if folders else []:
        warnings.warn(finding.sentence, stacklevel=4)
