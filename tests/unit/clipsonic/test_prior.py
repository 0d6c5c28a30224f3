from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from clipsonic.prior.data import Pairs, PairSource
from clipsonic.prior.model import DiffusionPrior, check_sampling
from clipsonic.prior.network import PriorNetworkConfig, build_network, prior_scheduler, set_scale, standardised
from clipsonic.training.config import PriorOptimisation, PriorTrainingConfig
from clipsonic.training.prior import train_on
from clipsonic_eval.errors import ConfigError, ShapeError, UserError, WeightsError
from clipsonic_eval.types import EncoderCard

D = 16
SPACE = EncoderCard("toy-clip", "ab" * 32, D, ("image", "text"), "size:64")


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def gaussian_pairs(n: int = 2000, noise: float = 0.15) -> tuple[Pairs, NDArray[np.float64], NDArray[np.float64]]:
    """Pairs whose image is a rotated text plus an offset plus noise; also the rotation and the offset."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((D, D)))[0]
    offset = unit(rng.standard_normal(D)) * 1.0
    text = unit(rng.standard_normal((n, D)))
    image = unit(0.8 * text @ rotation + offset + noise * rng.standard_normal((n, D)))[:, None]
    names = tuple(f"pair {i}" for i in range(n))
    return Pairs(text, image, names, names, SPACE, "c0ffee", "images"), rotation, offset


def config(**train: object) -> PriorTrainingConfig:
    return PriorTrainingConfig(
        PairSource(images=Path("unused")),
        network=PriorNetworkConfig(heads=4, head_dim=16, layers=2),
        train=PriorOptimisation(**{"steps": 300, "batch_size": 64, "learning_rate": 5e-3, "warmup": 20, **train}),  # type: ignore[arg-type]
        device="cpu",
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_on(gaussian_pairs()[0], config(), tmp_path_factory.mktemp("prior") / "model")


@pytest.fixture
def fresh() -> DiffusionPrior:
    """Return an untrained prior: a contract does not ask whether it is any good."""
    network = build_network(PriorNetworkConfig(heads=2, head_dim=8, layers=1), D, seed=0)
    set_scale(network, gaussian_pairs(200)[0].image)
    return DiffusionPrior(network, {})


def texts(n: int) -> NDArray[np.float32]:
    return unit(np.random.default_rng(5).standard_normal((n, D)))


def test_a_known_map_is_recovered_from_new_texts(trained: Path) -> None:
    prior = DiffusionPrior.load(trained)
    _, rotation, offset = gaussian_pairs()
    text = texts(300)
    expected = unit(0.8 * text @ rotation + offset)
    drawn = prior.sample(text, range(300), guidance=1.0)
    # noise of 0.15 a coordinate on vectors of norm about 1.3 leaves a cosine of about 0.9 to the image without noise
    cosine = (drawn * expected).sum(axis=1)
    assert cosine.mean() > 0.85
    centre = expected.mean(axis=0)
    a, b = drawn - centre, expected - centre
    centred = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert centred.mean() > 0.75
    # another text's image is no substitute
    assert centred.mean() > 0.5 + ((a * np.roll(b, 1, 0)).sum(axis=1) / np.linalg.norm(a, axis=1)).mean()


def test_draws_spread_as_the_pairs_do_and_do_not_collapse_to_the_mean(trained: Path) -> None:
    prior = DiffusionPrior.load(trained)
    _, rotation, offset = gaussian_pairs()
    text = np.repeat(texts(1), 400, axis=0)
    drawn = prior.sample(text, range(400), guidance=1.0)
    rng = np.random.default_rng(1)
    real = unit(0.8 * text @ rotation + offset + 0.15 * rng.standard_normal((400, D)))
    # few steps of training and of the sampler both draw too narrow: the ancestral sampler alone comes to 0.88 of the
    # deviation in 25 steps of a perfect denoiser; what must not happen is one and the same picture for a text
    assert 0.4 < drawn.std(axis=0).mean() / real.std(axis=0).mean() < 1.2


def test_the_scale_is_measured_on_the_training_images_and_used(trained: Path) -> None:
    stored = load_file(trained / "prior" / "diffusion_pytorch_model.safetensors")
    image = gaussian_pairs()[0].image[:, 0].astype(np.float64)
    # a tenth of the pairs is held out: means of 1800 and of 2000 draws of deviation s differ by about s / sqrt(18000)
    np.testing.assert_allclose(stored["clip_mean"][0], image.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(stored["clip_std"][0], image.std(axis=0), rtol=0.05)


def test_standardised_is_the_inverse_of_what_diffusers_does_at_the_end(fresh: DiffusionPrior) -> None:
    image = torch.from_numpy(gaussian_pairs(50)[0].image[:, 0])
    back = fresh.network.post_process_latents(standardised(fresh.network, image))
    torch.testing.assert_close(back, image)


def test_a_dimension_without_variance_stays_at_its_mean() -> None:
    image = gaussian_pairs(100)[0].image.copy()
    image[..., 3] = 0.25
    network = build_network(PriorNetworkConfig(heads=2, head_dim=8, layers=1), D, seed=0)
    set_scale(network, image)
    assert float(network.clip_std[0, 3]) == 1.0
    assert float(network.clip_mean[0, 3]) == 0.25


def test_a_network_whose_scale_was_never_set_is_refused() -> None:
    with pytest.raises(WeightsError, match="clip_std is zero"):
        DiffusionPrior(build_network(PriorNetworkConfig(heads=2, head_dim=8, layers=1), D, seed=0), {})


def test_what_comes_out_has_norm_one(fresh: DiffusionPrior) -> None:
    drawn = fresh.sample(texts(7), range(7))
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1.0, atol=1e-6)


def test_a_draw_depends_on_its_own_text_and_seed_only(fresh: DiffusionPrior) -> None:
    text, settings = texts(9), {"steps": 10, "candidates": 2}
    whole = fresh.sample(text, range(9), **settings)
    order = np.random.default_rng(2).permutation(9)
    parts = fresh.sample(text[order], order.tolist(), **settings, batch_size=2)
    np.testing.assert_allclose(parts, whole[order], atol=1e-5)
    assert np.abs(fresh.sample(text, range(1, 10), **settings) - whole).max() > 0.05


def test_the_norm_of_a_text_changes_nothing(fresh: DiffusionPrior) -> None:
    text = texts(4)
    np.testing.assert_allclose(fresh.sample(3.0 * text, range(4)), fresh.sample(text, range(4)), atol=1e-5)


def test_guidance_one_is_the_conditional_network_alone(fresh: DiffusionPrior) -> None:
    text = texts(4)
    plain = fresh.sample(text, range(4), guidance=1.0)
    nearly = fresh.sample(text, range(4), guidance=1.0 + 1e-6)
    np.testing.assert_allclose(nearly, plain, atol=1e-4)
    assert np.abs(fresh.sample(text, range(4), guidance=4.0) - plain).max() > 1e-3


def test_guidance_zero_forgets_the_text(fresh: DiffusionPrior) -> None:
    settings = {"guidance": 0.0}
    np.testing.assert_allclose(
        fresh.sample(texts(4), range(4), **settings), fresh.sample(texts(4)[::-1], range(4), **settings), atol=1e-5
    )


def test_the_best_of_k_is_the_candidate_nearest_to_the_text(fresh: DiffusionPrior) -> None:
    text = texts(12)
    cosine = {k: (fresh.sample(text, range(12), candidates=k) * text).sum(axis=1) for k in (1, 2, 4, 8)}
    for small, large in ((1, 2), (2, 4), (4, 8)):
        assert (cosine[large] >= cosine[small] - 1e-5).all()
    assert cosine[8].mean() > cosine[1].mean() + 0.01


def test_the_schedule_is_the_one_of_unclip() -> None:
    from diffusers import UnCLIPScheduler

    ours, theirs = prior_scheduler(), UnCLIPScheduler(prediction_type="sample", clip_sample_range=5.0)
    torch.testing.assert_close(ours.betas, theirs.betas, rtol=0, atol=1e-8)
    ours.set_timesteps(25)
    theirs.set_timesteps(25)
    assert ours.timesteps.tolist() == theirs.timesteps.tolist()
    # and Nichol and Dhariwal's formula itself, in double precision
    f = [math.cos((u / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for u in range(1001)]
    exact = np.cumprod([1 - min(1 - f[u + 1] / f[u], 0.999) for u in range(1000)])
    np.testing.assert_allclose(ours.alphas_cumprod.numpy()[:990], exact[:990], rtol=2e-3)


def test_a_saved_prior_draws_the_same(trained: Path, tmp_path: Path) -> None:
    prior = DiffusionPrior.load(trained)
    again = DiffusionPrior.load(prior.save(tmp_path / "copy"))
    np.testing.assert_array_equal(again.sample(texts(5), range(5)), prior.sample(texts(5), range(5)))


def test_diffusers_reads_the_folder_by_itself(trained: Path) -> None:
    from diffusers import DDPMScheduler, PriorTransformer

    network = PriorTransformer.from_pretrained(trained / "prior", low_cpu_mem_usage=False)
    assert network.config["embedding_dim"] == D
    assert network.config["num_embeddings"] == 0
    assert DDPMScheduler.from_pretrained(trained / "scheduler").config["prediction_type"] == "sample"


def test_changed_weights_are_refused(trained: Path, tmp_path: Path) -> None:
    folder = DiffusionPrior.load(trained).save(tmp_path / "copy")
    file = folder / "prior" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    save_file({name: t + 1 for name, t in tensors.items()}, file)
    with pytest.raises(WeightsError, match=r"SHA256SUMS names"):
        DiffusionPrior.load(folder)


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "MelDiffusion", "format": 1}))
    with pytest.raises(UserError, match="DiffusionPrior is needed here"):
        DiffusionPrior.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "seeds", "message"),
    [
        (np.ones((2, D + 1), np.float32), (0, 1), r"takes text embeddings \(b, 16\), got \(2, 17\)"),
        (np.ones((2, D), np.float32), (0,), "2 texts, but 1 seeds"),
        (np.zeros((1, D), np.float32), (0,), "zero or not finite"),
    ],
)
def test_texts_that_do_not_fit_are_refused(
    fresh: DiffusionPrior, text: NDArray[np.float32], seeds: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        fresh.sample(text, seeds)


@pytest.mark.parametrize("values", [{"steps": 0}, {"candidates": 0}, {"guidance": -1.0}])
def test_settings_without_meaning_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="steps and candidates must be at least 1"):
        check_sampling(**{"steps": 25, "guidance": 2.0, "candidates": 1, **values})


def test_hidden_states_of_texts_enter_in_karlos_layout() -> None:
    network = build_network(PriorNetworkConfig(heads=2, head_dim=8, layers=2, text_tokens=5), D, seed=0)
    set_scale(network, gaussian_pairs(100)[0].image)
    prior = DiffusionPrior(network, {})
    assert network.config["num_embeddings"] == 5
    rng = np.random.default_rng(3)
    hidden, mask = rng.standard_normal((2, 5, D)).astype(np.float32), np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    drawn = prior.sample(texts(2), (0, 1), tokens=(hidden, mask))
    beyond = hidden.copy()
    beyond[0, 3:] += 10.0
    np.testing.assert_allclose(prior.sample(texts(2), (0, 1), tokens=(beyond, mask)), drawn, atol=1e-5)
    within = hidden.copy()
    within[0, 0] += 10.0
    assert np.abs(prior.sample(texts(2), (0, 1), tokens=(within, mask)) - drawn)[0].max() > 1e-3
    with pytest.raises(ShapeError, match="takes 5 hidden states per text, got none"):
        prior.sample(texts(2), (0, 1))
