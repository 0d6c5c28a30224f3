"""Scores of the modality gap: the text, and every prior, against the true embeddings of the same items."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.metrics._base import METRICS, PairMetric, check_draws
from clipsonic_eval.metrics.gap._pairs import PairedVectors, paired
from clipsonic_eval.metrics.gap.shift import mean_shift
from clipsonic_eval.metrics.scoring import SYSTEM, Vectors, make
from clipsonic_eval.types import Embeddings, Modality, Score, as_embeddings

TEXT = "text"


def gap_scores(
    image: Embeddings,
    text: Embeddings,
    prior: Mapping[str, Embeddings],
    *,
    seed: int = 0,
    n_boot: int = 2000,
    cross_fitted: Collection[str] = (),
) -> list[Score]:
    """Compute every registered statistic of the gap between two modalities, and of what each prior leaves of it.

    Args:
        image: (n, d) true embeddings, one row per key (for audio against text: those of the audio).
        text: (n, d), one row per key.
        prior: by name (``PD``, ``mean-shift``, ...), the predictions in the image's place; one row per key.
        seed: of the resamples.
        n_boot: number of resamples.
        cross_fitted: names of priors that were fitted on the other ones of these very items. Their items are not
            independent, so statistics that assume so are left out. Signatures say so (``from:other-half``;
            ``from:given`` for all other priors).

    Returns:
        Scores whose ``system`` is the condition: ``text`` or a prior's name. The cosines within a side are scored under
        the side's own name (``image``, ``text``) and a prior's own name. All are on the keys that all sets have.

    Raises:
        ConfigError: a prior has the name of a side.
        SpaceError: the sets come from different encoders.
        ShapeError: fewer than five common keys, a key twice, or a zero vector.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.types import as_embeddings
        >>> rng = np.random.default_rng(0)
        >>> image = rng.standard_normal((50, 8)) + 2
        >>> sets = [as_embeddings(v) for v in (image, -image, image + 0.1 * rng.standard_normal((50, 8)))]
        >>> scores = {(s.metric, s.system): s for s in gap_scores(*sets[:2], {"PD": sets[2]}, n_boot=200)}
        >>> scores["centroid_distance", "text"].value > 1.5
        True
        >>> scores["gap_closed", "PD"].value > 0.99
        True
    """
    for name in (TEXT, image.modality, text.modality):
        if name in prior:
            raise ConfigError(f"prior '{name}': a side of the gap has this name; give the prior another")
    keys, (target, *others) = paired([image, text, *prior.values()])
    space = Embeddings(target, keys, image.modality, image.space)
    origins = {name: "other-half" if name in cross_fitted else "given" for name in prior}
    text_pairs = PairedVectors(keys, target, others[0], n_boot, seed)
    conditions = {TEXT: text_pairs}
    for name, vectors in zip(prior, others[1:], strict=True):
        conditions[name] = PairedVectors(keys, target, vectors, n_boot, seed, text_pairs, name in cross_fitted)
    sides: list[tuple[str, str, PairedVectors]] = [
        (image.modality, image.modality, PairedVectors(keys, target, target, n_boot, seed)),
        (text.modality, TEXT, text_pairs),
        *(("prior", name, conditions[name]) for name in prior),
    ]
    scores = [
        _scored(metric, name, pairs, space, origins)
        for side, name, pairs in sides
        for metric in pair_metrics()
        if metric.side == side
    ]
    scores += [
        _scored(metric, name, pairs, space, origins)
        for name, pairs in conditions.items()
        for metric in pair_metrics()
        if _applies(metric, pairs)
    ]
    return [score for score in scores if score is not None]


def mean_shifted(image: Embeddings, text: Embeddings) -> Embeddings:
    """Return the text moved by the difference of the centroids of the other half of the items, (n common keys, d).

    Args:
        image: (n, d) embeddings, one row per key.
        text: (n, d) embeddings, one row per key.

    Raises:
        SpaceError: they come from different encoders.
        ShapeError: fewer than five common keys, a key twice, or a zero vector.
    """
    keys, (x, y) = paired([image, text])
    return Embeddings(mean_shift(x, y, keys), keys, image.modality, image.space)


def pair_metrics() -> Iterator[PairMetric]:
    """Yield the registered statistics of the modality gap, by name."""
    yield from (entry for entry in map(METRICS.__getitem__, METRICS) if isinstance(entry, PairMetric))


def _applies(metric: PairMetric, pairs: PairedVectors) -> bool:
    if metric.side or (pairs.cross_fitted and metric.independent):
        return False
    return pairs.text is not None or "text" not in metric.card.needs


def _scored(
    metric: PairMetric, system: str, pairs: PairedVectors, space: Embeddings, origins: Mapping[str, str]
) -> Score | None:
    found = metric.estimate(pairs)
    if found is None:
        return None
    items = ("items", config_hash(list(pairs.keys))[:8])
    origin = [("from", origins[system])] if system in origins else []
    return make(metric.card, system, space, found, seed=pairs.seed, identity=[items, *origin])


def score_pairs(
    metric: PairMetric, target: Vectors, other: Vectors, *, n_boot: int, seed: int, text: Vectors | None = None
) -> Score:
    """Score one statistic of the modality gap, of arrays that are paired row by row or embeddings paired by key.

    Args:
        metric: the statistic.
        target: (n, d) true embeddings of the images (or the audio).
        other: (n, d) of the text, or of what a prior predicts in the image's place.
        n_boot: number of resamples of the items for the interval; 0: no interval.
        seed: of the resamples.
        text: (n, d) of the text, where ``other`` is a prior's output.

    Raises:
        ShapeError: a shape does not fit, fewer than five common keys, a zero vector, or there is no gap to close.
        SpaceError: the sets come from different encoders or have different widths.
        ConfigError: too few resamples.
    """
    check_draws(n_boot, seed)
    sides: list[tuple[Vectors, str, Modality]] = [(target, "image", "image"), (other, "other", "text")]
    sets = [as_embeddings(v, name, modality=modality) for v, name, modality in sides]
    if text is not None:
        sets.append(as_embeddings(text, "text", modality="text"))
    _same_rows([v for v in (target, other, text) if v is not None], sets)
    keys, vectors = paired(sets)
    of_text = None if text is None else PairedVectors(keys, vectors[0], vectors[2], n_boot, seed)
    pairs = PairedVectors(keys, vectors[0], vectors[1], n_boot, seed, of_text)
    space = Embeddings(vectors[0], keys, sets[0].modality, sets[0].space)
    score = _scored(metric, SYSTEM, pairs, space, {})
    if score is None:
        raise ShapeError(f"{metric.card.name}: image and text do not differ, so there is no gap to close")
    return score


def _same_rows(given: list[Vectors], sets: list[Embeddings]) -> None:
    lengths = [len(s) for v, s in zip(given, sets, strict=True) if not isinstance(v, Embeddings)]
    if len(set(lengths)) > 1:
        raise ShapeError(
            f"arrays are paired row by row and need equally many rows; got {' and '.join(map(str, lengths))}"
        )
