"""Post-hoc averages against the closed forms, against averages taken directly, and through a whole training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from scipy.integrate import quad
from unit.clipsonic.fakes import IMAGE_SPACE, D, FakeStore
from unit.clipsonic.test_training import KilledAt, _config

from clipsonic.model import MelDiffusion
from clipsonic.model_folder import WEIGHTS
from clipsonic.prior.data import Pairs, PairSource
from clipsonic.prior.model import DiffusionPrior
from clipsonic.prior.network import PriorNetworkConfig
from clipsonic.training.audio import train_on
from clipsonic.training.config import PriorOptimisation, PriorTrainingConfig
from clipsonic.training.posthoc_ema import PowerAverages, Stored, coefficients, exponent, overlaps
from clipsonic.training.prior import train_on as train_prior_on
from clipsonic_eval.cli import main
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.files import read_json


@pytest.mark.parametrize("length", [0.01, 0.05, 0.1, 0.2, 0.28])
def test_the_length_is_the_standard_deviation_of_the_profile(length: float) -> None:
    gamma = exponent(length)
    moments = [quad(lambda x, k=k: (gamma + 1) * x ** (gamma + k), 0, 1)[0] for k in (0, 1, 2)]
    assert moments[0] == pytest.approx(1)
    assert np.sqrt(moments[2] - moments[1] ** 2) == pytest.approx(length, rel=1e-6)


@pytest.mark.parametrize("length", [0.0, -0.1, 0.29, 1.0])
def test_a_length_that_no_profile_has_is_refused(length: float) -> None:
    with pytest.raises(ConfigError, match="above 0 and at most"):
        exponent(length)


def test_overlaps_are_the_integrals_of_products_of_profiles() -> None:
    def profile(x: float, t: float, gamma: float) -> float:
        return (gamma + 1) * x**gamma / t ** (gamma + 1) if x <= t else 0.0

    steps, exponents = np.array([3.0, 5.0, 5.0]), np.array([2.0, 7.0, 0.5])
    found = overlaps(steps, exponents, steps, exponents)
    for i in range(3):
        for j in range(3):
            end = min(steps[i], steps[j])
            product = lambda x, i=i, j=j: profile(x, steps[i], exponents[i]) * profile(x, steps[j], exponents[j])  # noqa: E731
            assert found[i, j] == pytest.approx(quad(product, 0, end)[0], rel=1e-6)


def _walk(steps: int) -> torch.Tensor:
    """Return weights (steps, 16) that drift and tremble, as in training."""
    generator = torch.Generator().manual_seed(0)
    drift = torch.linspace(0, 1, steps)[:, None] * torch.randn(16, generator=generator)
    return drift + 0.1 * torch.randn(steps, 16, generator=generator)


def test_an_average_that_is_updated_weighs_the_weights_by_its_profile() -> None:
    values = _walk(400)
    averages = PowerAverages([0.1], torch.zeros(16))
    for step, value in enumerate(values, start=1):
        averages.update(value, step)
    tau = np.arange(1, 401)
    weights = tau ** (exponent(0.1) + 1.0) - (tau - 1.0) ** (exponent(0.1) + 1.0)  # of the steps, by the recursion
    profile = torch.from_numpy(weights / 400 ** (exponent(0.1) + 1.0)).float()
    assert float(profile.sum()) == pytest.approx(1, rel=1e-5)
    direct = (profile[:, None] * values).sum(dim=0)
    assert torch.allclose(averages.averages[0], direct, atol=0.02)  # (1 − 1/t)^(γ+1) is that quotient to first order


def _smallest_error(found: list[Stored], step: int, length: float) -> float:
    """Return how near the stored profiles come to the wanted one, by least squares on a fine grid."""
    tau = np.linspace(0, step, 8001)[1:] - step / 16000

    def profile(t: int, gamma: float) -> Any:
        return np.where(tau <= t, (gamma + 1) / t * np.minimum(tau / t, 1) ** gamma, 0.0)

    columns = np.stack([profile(one.step, exponent(one.length)) for one in found], axis=1)
    wanted = profile(step, exponent(length))
    rest = wanted - columns @ np.linalg.lstsq(columns, wanted, rcond=1e-8)[0]
    return float(np.linalg.norm(rest) / np.linalg.norm(wanted))


@pytest.mark.parametrize("length", [0.02, 0.03, 0.07, 0.15, 0.25])
def test_a_combination_of_stored_averages_is_the_average_taken_directly(length: float) -> None:
    values = _walk(2000)
    kept = PowerAverages([0.05, 0.1], torch.zeros(16))
    wanted = PowerAverages([length], torch.zeros(16))
    found, vectors = [], []
    for step, value in enumerate(values, start=1):
        kept.update(value, step)
        wanted.update(value, step)
        if step % 100 == 0:
            found += [Stored(Path(), step, one) for one in kept.lengths]
            vectors += list(kept.averages.clone())
    chosen, error = coefficients(found, 2000, length)
    assert error == pytest.approx(_smallest_error(found, 2000, length), abs=0.005)
    combined = (torch.from_numpy(chosen)[:, None] * torch.stack(vectors).double()).sum(dim=0)
    direct = wanted.averages[0].double()
    plain = vectors[-1].double()  # the stored average next to it
    assert float((combined - direct).norm()) < 0.02 * float(direct.norm())
    assert float((combined - direct).norm()) < 0.5 * float((plain - direct).norm())


def test_a_length_far_from_what_was_stored_has_a_large_error() -> None:
    found = [Stored(Path(), 1000, 0.1)]
    assert coefficients(found, 1000, 0.1)[1] == pytest.approx(0, abs=1e-6)
    assert coefficients(found, 1000, 0.02)[1] > 0.5


def _trained(folder: Path, **train: Any) -> Path:
    settings = {"ema_lengths": [0.1, 0.2], "ema_every": 2, "precision": "fp32", **train}
    return train_on(FakeStore(), _config(**settings), folder)


def test_a_stored_length_comes_back_as_it_was_and_another_one_is_a_model_too(tmp_path: Path) -> None:
    out = _trained(tmp_path / "model")
    words = ["ema", str(out), "--length", "0.2", "--length", "0.15", "--out", str(tmp_path / "ema"), "--json"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    same, other = json.loads(done.stdout)
    assert (same["step"], same["stored"]) == (8, 8)
    assert same["profile_error"] < 1e-4
    model = MelDiffusion.load(tmp_path / "ema/ema-0.2")
    stored = load_file(out / "ema/step-00000008.safetensors")
    for name, value in model.network.named_parameters():
        assert torch.allclose(value, stored[f"0.2/{name}"], atol=1e-5)
    others = [stored[f"0.1/{name}"] for name, _ in model.network.named_parameters()]
    assert not all(map(torch.equal, others, model.network.parameters()))
    assert model.card["ema"]["length"] == 0.2
    assert model.card["averaged_from"] == read_json(out / "card.json")["weights_sha256"]
    assert "val_loss" not in model.card
    assert other["weights"] != same["weights"]
    assert CliRunner().invoke(main, words).exit_code == 0  # again, to the same folder


def test_further_averages_change_no_weight_and_a_killed_run_stores_the_same(tmp_path: Path) -> None:
    whole = _trained(tmp_path / "whole")
    plain = train_on(FakeStore(), _config(precision="fp32"), tmp_path / "plain")
    a, b = (load_file(folder / "network" / WEIGHTS) for folder in (whole, plain))
    assert all(torch.equal(a[name], b[name]) for name in a)
    config = _config(ema_lengths=[0.1, 0.2], ema_every=2, precision="fp32")
    with pytest.raises(KeyboardInterrupt):
        train_on(FakeStore(), config, tmp_path / "pieces", progress=KilledAt(5))
    pieces = train_on(FakeStore(), config, tmp_path / "pieces")
    for path in sorted((whole / "ema").iterdir()):
        a, b = load_file(path), load_file(pieces / "ema" / path.name)
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_what_cannot_be_averaged_is_one_sentence(tmp_path: Path) -> None:
    plain = train_on(FakeStore(), _config(precision="fp32", steps=2), tmp_path / "plain")

    def said(*words: str) -> str:
        done = CliRunner().invoke(main, ["ema", *words, "--out", str(tmp_path / "ema")])
        assert done.exit_code == 2
        return done.stderr

    assert "no averages are stored here; train with" in said(str(plain), "--length", "0.1")
    assert "holds no finished audio model or prior" in said(str(tmp_path), "--length", "0.1")
    assert "at most 0.28, got 0.5" in said(str(plain), "--length", "0.5")
    out = _trained(tmp_path / "model")
    assert "was trained without validation by samples" in said(str(out), "--length", "0.1", "--score")
    assert "step 1: the first averages were stored at step 2" in said(str(out), "--length", "0.1", "--step", "1")
    (out / "ema/step-00000004.safetensors").write_bytes(b"damaged")
    assert "step-00000004.safetensors: not readable" in said(str(out), "--length", "0.1")


def test_the_average_of_a_prior_leaves_its_scale_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    text, image = (rng.standard_normal((60, D)).astype(np.float32) for _ in range(2))
    text, image = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (text, image))
    names = tuple(map(str, range(60)))
    pairs = Pairs(text, image[:, None], names, names, IMAGE_SPACE, "content", "fake")
    optimisation = {"steps": 8, "batch_size": 8, "ema_lengths": [0.1, 0.2], "ema_every": 2}
    network = PriorNetworkConfig(heads=2, head_dim=8, layers=1)
    config = PriorTrainingConfig(
        PairSource(images=Path()), network=network, train=resolve(PriorOptimisation, optimisation)
    )
    out = train_prior_on(pairs, config, tmp_path / "prior")
    done = CliRunner().invoke(main, ["ema", str(out), "--length", "0.2", "--out", str(tmp_path / "ema")])
    assert done.exit_code == 0, done.output
    prior, averaged = DiffusionPrior.load(out), DiffusionPrior.load(tmp_path / "ema/ema-0.2")
    assert torch.equal(prior.network.clip_std, averaged.network.clip_std)
    assert not torch.equal(prior.network.proj_in.weight, averaged.network.proj_in.weight)
