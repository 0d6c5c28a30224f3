"""Kernel distances, inception score, precision and recall against kadtk, torch-fidelity and torchmetrics."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import reference_packages
import torch
from unit.metrics.data import embeddings

from clipsonic_eval.metrics import inception_score_10_splits, kad_kadtk, kid, precision, recall


@pytest.fixture
def sets() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((150, 9)), 0.8 * rng.standard_normal((150, 9)) + 0.4


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kernel", ["gaussian", "iq", "imq"])
def test_kad_is_kadtks(sets: tuple[np.ndarray, np.ndarray], kernel: Any) -> None:
    package = reference_packages.take(
        "kadtk", "kad.py", "calc_kernel_audio_distance", "median_pairwise_distance", torch=torch, SCALE_FACTOR=100
    )
    real, generated = (torch.from_numpy(x) for x in sets)
    wanted = package.calc_kernel_audio_distance(
        real, generated, (None, None), "cpu", kernel=kernel, precision=torch.float64
    )
    # its bandwidth is found in float32: 1e-6 is what that leaves
    assert float(kad_kadtk(*map(embeddings, sets), kernel=kernel, n_boot=0)) == pytest.approx(float(wanted), rel=2e-6)


def test_kid_is_torchmetrics_and_torch_fidelitys(sets: tuple[np.ndarray, np.ndarray]) -> None:
    from torchmetrics.image.kid import poly_mmd

    ours = float(kid(embeddings(sets[0]), embeddings(sets[1])))
    assert ours == pytest.approx(float(poly_mmd(*(torch.from_numpy(x) for x in sets))), rel=1e-6)

    def setting(name: str, _: Any) -> Any:
        return {"kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1.0}[name]

    def vassert(truth: bool, message: str) -> None:
        assert truth, message

    package = reference_packages.take(
        "torch_fidelity", "metric_kid.py", "mmd2", "kernel_poly", get_kwarg=setting, vassert=vassert
    )
    x, y = sets
    kernels = (package.kernel_poly(a, b) for a, b in ((x, x), (x, y), (y, y)))
    assert ours == pytest.approx(float(package.mmd2(*kernels)), rel=1e-6)


@pytest.mark.parametrize("k", [3, 5])
def test_precision_and_recall_are_torch_fidelitys(sets: tuple[np.ndarray, np.ndarray], k: int) -> None:
    package = reference_packages.take(
        "torch_fidelity", "metric_prc.py", "calc_cdist_full", "calculate_precision_recall_full", torch=torch
    )
    real, generated = (torch.from_numpy(x) for x in sets)
    wanted = package.calculate_precision_recall_full(generated, real, neighborhood=k)
    found = [float(metric(embeddings(sets[0]), embeddings(sets[1]), k=k, n_boot=0)) for metric in (precision, recall)]
    assert found == pytest.approx(wanted, abs=1e-6)
    assert 0 < wanted[0] < 1


def test_inception_score_is_torch_fidelitys() -> None:
    package = reference_packages.take(
        "torch_fidelity",
        "metric_isc.py",
        "isc_features_to_metric",
        torch=torch,
        KEY_METRIC_ISC_MEAN="mean",
        KEY_METRIC_ISC_STD="std",
    )
    logits = torch.from_numpy(2 * np.random.default_rng(0).standard_normal((203, 11)))
    wanted = package.isc_features_to_metric(logits)
    heard = embeddings(logits.log_softmax(dim=1).numpy())
    named = dataclasses.replace(heard, space=dataclasses.replace(heard.space, labels=tuple("abcdefghijk")))
    found = inception_score_10_splits(named)
    assert (float(found), found.details["split_std"]) == pytest.approx((wanted["mean"], wanted["std"]), rel=1e-6)
