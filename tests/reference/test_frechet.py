"""Our Fréchet distance against the packages', on sets where their matrix roots are reliable."""

from __future__ import annotations

import numpy as np
import pytest
import reference_packages
import torch

from clipsonic_eval.stats.frechet import Gaussian, squared_frechet
from clipsonic_eval.stats.frechet_clips import distances_per_clip

SIZES = [(1, 50, 60), (8, 200, 300), (64, 500, 400), (128, 1000, 1500)]


def sets(d: int, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(d)
    a = rng.standard_normal((n, d)) * rng.uniform(0.5, 2, d) + 0.3
    return a, rng.standard_normal((m, d)) @ (np.eye(d) + 0.1 * rng.standard_normal((d, d)) / np.sqrt(d))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("size", SIZES[1:])  # neither of them can take one dimension
@pytest.mark.parametrize("package", [reference_packages.frechet_audio_distance, reference_packages.fadtk_distance])
def test_distances_of_sets(package, size) -> None:  # type: ignore[no-untyped-def]
    a, b = sets(*size)
    assert squared_frechet(a, b) == pytest.approx(package()(a, b), rel=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_distances_of_moments_by_torchmetrics(size: tuple[int, int, int]) -> None:
    from torchmetrics.image.fid import _compute_fid

    a, b = sets(*size)
    moments = [torch.from_numpy(np.atleast_1d(m)) for x in (a, b) for m in (x.mean(axis=0), np.atleast_2d(np.cov(x.T)))]
    assert squared_frechet(a, b) == pytest.approx(float(_compute_fid(*moments)), rel=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_distances_of_clips_by_fadtk() -> None:
    rng = np.random.default_rng(0)
    reference = rng.standard_normal((600, 12)) * 1.3
    clips = rng.standard_normal((5, 40, 12)) + rng.standard_normal((5, 1, 12))
    theirs = reference_packages.fadtk_distance()
    wanted = [theirs(reference, clip) for clip in clips]
    np.testing.assert_allclose(distances_per_clip(clips, Gaussian.fit(reference)), wanted, rtol=1e-6)
