"""Geometry of an image-text space, for calibrating toy CLIP (the modality-gap metrics stand with the metrics)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.arraytypes import Float64, FloatArray
from clipsonic_eval.seeds import stream

# Published CLIP ViT-B/16 features of 500 COCO pairs.
TARGETS: Final[dict[str, float]] = {
    "centroid_distance": 0.85,
    "matched_cosine": 0.31,
    "image_image_cosine": 0.53,
    "text_text_cosine": 0.52,
    "separability": 1.0,
    "class_decoding": 0.9,
}

_Probe = Callable[[Float64, Float64, Float64], Float64]  # fitted on (n, d) and (n, k), applied to (m, d)


def _unit(x: FloatArray) -> Float64:
    """Return rows of length 1, (n, d) -> (n, d) float64."""
    x = np.asarray(x, dtype=np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _mean_pair_cosine(x: Float64) -> float:
    """Return the mean cosine of the n(n-1)/2 pairs of different unit rows, (n, d)."""
    n = len(x)
    total = x.sum(axis=0)
    return float((total @ total - n) / (n * (n - 1)))  # (|Σ x_i|² − n) / (n (n − 1))


def _ridge(x: Float64, y: Float64, x_new: Float64) -> Float64:
    """Fit a linear map with an intercept by ridge regression and apply it.

    Args:
        x: (n, d) inputs.
        y: (n, k) targets.
        x_new: (m, d) inputs.

    Returns:
        (m, k) predictions; the penalty is 1e-3 of the mean variance.
    """
    mean, target = x.mean(axis=0), y.mean(axis=0)
    centred = x - mean
    gram = centred.T @ centred
    gram += np.eye(len(gram)) * 1e-3 * np.trace(gram) / len(gram)
    return (x_new - mean) @ np.linalg.solve(gram, centred.T @ (y - target)) + target  # (XᵀX + λI)⁻¹ Xᵀ Y


def _kernel_ridge(x: Float64, y: Float64, x_new: Float64) -> Float64:
    """Fit a smooth map by ridge regression with a Gaussian kernel and apply it; shapes as of :func:`_ridge`.

    It reads what is there but not linearly. The kernel's variance is half the median squared distance of the inputs,
    the penalty 0.01.
    """

    def squared(a: Float64, b: Float64) -> Float64:  # |a − b|² = |a|² + |b|² − 2 a·b
        return np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T, 0)

    among = squared(x, x)
    width, target = max(float(np.median(among)), np.finfo(float).tiny), y.mean(axis=0)
    weights = np.linalg.solve(np.exp(-among / width) + 0.01 * np.eye(len(x)), y - target)  # (K + λI)⁻¹ Y
    return np.exp(-squared(x_new, x) / width) @ weights + target


def _halves(n: int) -> tuple[slice, slice]:
    return slice(0, n // 2), slice(n // 2, n)


def _classify(x: Float64, labels: NDArray[np.int64], probe: _Probe = _ridge) -> float:
    """Return the held-out accuracy of a probe on rows (n, d): the first half fits, the second half tests."""
    fit, held = _halves(len(x))
    onehot = np.eye(int(labels.max()) + 1)[labels]
    return float((probe(x[fit], onehot[fit], x[held]).argmax(axis=1) == labels[held]).mean())


def _explained(x: Float64, values: FloatArray, probe: _Probe = _ridge) -> float:
    """Return the held-out R² of a probe of values (n,) on rows (n, d), split likewise."""
    fit, held = _halves(len(x))
    y = np.asarray(values, dtype=np.float64)
    predicted = probe(x[fit], y[fit, None], x[held])[:, 0]
    return float(1 - ((predicted - y[held]) ** 2).mean() / y[held].var())


def geometry(
    image: FloatArray,
    text: FloatArray,
    *,
    label: NDArray[np.int64],
    size: FloatArray,
    count: NDArray[np.int64],
    class_text: FloatArray | None = None,
) -> dict[str, float]:
    """Measure an image-text space on matched pairs.

    Args:
        image: (n, d) embeddings of images.
        text: (n, d) embeddings of their captions, row by row.
        label: (n,) class numbers.
        size: (n,) drawn size.
        count: (n,) number of objects.
        class_text: (classes, d) embeddings of the bare class prompts, for zero-shot accuracy.

    Returns:
        Cosines, centroid distance, separability and the accuracy of linear and kernel probes on the images, by name.
    """
    x, y = _unit(image), _unit(text)
    fit, held = _halves(len(x))
    both = np.concatenate([x[fit], y[fit]])
    side = np.concatenate([np.ones(len(x[fit])), -np.ones(len(y[fit]))])[:, None]
    called = np.concatenate([_ridge(both, side, x[held])[:, 0] > 0, _ridge(both, side, y[held])[:, 0] < 0])
    xc, yc = _unit(x - x.mean(axis=0)), _unit(y - y.mean(axis=0))
    result = {
        "centroid_distance": float(np.linalg.norm(x.mean(axis=0) - y.mean(axis=0))),
        "matched_cosine": float((x * y).sum(axis=1).mean()),
        "unmatched_cosine": float((x.sum(axis=0) @ y.sum(axis=0) - (x * y).sum()) / (len(x) * (len(x) - 1))),
        "image_image_cosine": _mean_pair_cosine(x),
        "text_text_cosine": _mean_pair_cosine(y),
        "centred_matched_cosine": float((xc * yc).sum(axis=1).mean()),
        "separability": float(called.mean()),
        "class_decoding": _classify(x, label),
        "class_decoding_text": _classify(y, label),
        "count_decoding": _classify(x, count - 1),
        "size_r2": _explained(x, size),
        "class_decoding_kernel": _classify(x, label, _kernel_ridge),
        "count_decoding_kernel": _classify(x, count - 1, _kernel_ridge),
        "size_r2_kernel": _explained(x, size, _kernel_ridge),
        "recall_at_1": float(((x[:500] @ y[:500].T).argmax(axis=1) == np.arange(len(x[:500]))).mean()),
    }
    if class_text is not None:
        result["zero_shot_class"] = float(((x @ _unit(class_text).T).argmax(axis=1) == label).mean())
    return result


def intervals(
    image: FloatArray, text: FloatArray, *, seed: int = 0, draws: int = 500
) -> dict[str, tuple[float, float]]:
    """Return 95 % percentile bootstrap intervals over pairs of the cosines and of the centroid distance.

    Args:
        image: (n, d) embeddings of images.
        text: (n, d) embeddings of their captions, row by row.
        seed: of the bootstrap.
        draws: resamples of the pairs.
    """
    x, y = _unit(image), _unit(text)
    n = len(x)
    rng = stream(seed, "", "instrument-bootstrap")
    matched = (x * y).sum(axis=1)
    collected: dict[str, list[float]] = {
        k: [] for k in ("centroid_distance", "matched_cosine", "image_image_cosine", "text_text_cosine")
    }
    for _ in range(draws):
        weight = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        mx, my = weight @ x / n, weight @ y / n
        collected["centroid_distance"].append(float(np.linalg.norm(mx - my)))
        collected["matched_cosine"].append(float(weight @ matched / n))
        # without pairs of a row with its own copy, whose cosine is 1 in any space
        same = (weight**2).sum()
        collected["image_image_cosine"].append(float((n * n * mx @ mx - same) / (n * n - same)))
        collected["text_text_cosine"].append(float((n * n * my @ my - same) / (n * n - same)))
    ends: Callable[[list[float]], tuple[float, float]] = lambda v: (  # noqa: E731
        float(np.quantile(v, 0.025)),
        float(np.quantile(v, 0.975)),
    )
    return {k: ends(v) for k, v in collected.items()}
