from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clipsonic.diffusion import DiffusionConfig
from clipsonic.mel import MelConfig
from clipsonic.model import MelDiffusion
from clipsonic.model_folder import WEIGHTS
from clipsonic.networks import NETWORKS, NetworkConfig, build, resolved_options
from clipsonic_eval.bfloat16 import Precision
from clipsonic_eval.errors import ConfigError, ShapeError, UserError, WeightsError

D = 16
SIZES = {"n_mels": 64, "frames": 32, "condition_dim": D}
TINY: dict[str, dict[str, Any]] = {
    "unet1d": {"channels": (16, 24), "embedding": 16, "groups": 4, "heads": 2},
    "unet2d": {"patch": 2, "channels": (8, 16), "attention": 1, "head_dim": 8, "embedding": 16, "groups": 4},
    "unet2d-diffusers": {"channels": (8, 16), "blocks": 1, "attention": 1, "head_dim": 8, "groups": 4},
    "unet2d-diffusers+cross": {
        "channels": (8, 16),
        "blocks": 1,
        "attention": 1,
        "head_dim": 8,
        "groups": 4,
        "conditioning": "cross-attention",
    },
}
COND = np.random.default_rng(0).standard_normal((4, D))


def _awake(network: torch.nn.Module) -> torch.nn.Module:
    """Give zero-initialised parts values, so that every path can be seen."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05, generator=generator)
    return network


def _model(name: str = "unet1d", precision: Precision = "fp32") -> MelDiffusion:
    network = _awake(build(NetworkConfig(name.split("+", maxsplit=1)[0], TINY[name]), **SIZES, seed=0))
    mel = MelConfig(mean=(-5.0,), std=(2.0,))
    card = {"log_mel_range": {"low": [-11.0] * 64, "high": [1.0] * 64}}
    return MelDiffusion(network, mel, DiffusionConfig(), card, precision=precision)


@pytest.mark.parametrize("name", list(TINY))
def test_a_network_answers_in_the_shape_asked_and_uses_all_it_is_given(name: str) -> None:
    network = _awake(build(NetworkConfig(name.split("+", maxsplit=1)[0], TINY[name]), **SIZES, seed=0)).eval()
    generator = torch.Generator().manual_seed(0)
    x, cond = torch.randn(3, 64, 32, generator=generator), torch.randn(3, D, generator=generator)
    t = torch.tensor([10, 500, 900])
    v = network(x, t, cond)
    assert v.shape == x.shape
    drop = torch.tensor([True, False, False])
    dropped = network(x, t, cond, drop)
    assert not torch.allclose(dropped[0], v[0], atol=1e-5)
    assert torch.allclose(dropped[1:], v[1:], atol=1e-5)
    # a dropped row does not see its condition any more
    other = cond.clone()
    other[0] = -other[0]
    assert torch.allclose(network(x, t, other, drop)[0], dropped[0], atol=1e-5)
    for changed in (network(x + 1, t, cond), network(x, t + 50, cond), network(x, t, -cond)):
        assert not torch.allclose(changed, v, atol=1e-5)
    (dropped**2).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("name", list(NETWORKS))
def test_options_and_constructor_have_the_same_defaults(name: str) -> None:
    import inspect

    signature = inspect.signature(NETWORKS[name].__init__).parameters
    defaults = {k: v.default for k, v in signature.items() if v.default is not inspect.Parameter.empty}
    options = resolved_options(NetworkConfig(name))
    assert {k: list(v) if isinstance(v, tuple) else v for k, v in defaults.items()} == options


def test_weights_depend_on_the_seed_only() -> None:
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    a = build(NetworkConfig("unet1d", TINY["unet1d"]), **SIZES, seed=5)
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(2)
    b = build(NetworkConfig("unet1d", TINY["unet1d"]), **SIZES, seed=5)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_network_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="Did you mean 'unet1d'"):
        build(NetworkConfig("unet1"), **SIZES, seed=0)
    with pytest.raises(ConfigError, match="Did you mean 'channels'"):
        build(NetworkConfig("unet1d", {"chanels": [8]}), **SIZES, seed=0)
    with pytest.raises(ConfigError, match="multiples of groups"):
        build(NetworkConfig("unet1d", {"channels": [10]}), **SIZES, seed=0)
    with pytest.raises(ConfigError, match="halved 2 times"):
        build(NetworkConfig("unet1d"), **{**SIZES, "frames": 33}, seed=0)


@pytest.mark.parametrize("name", list(TINY))
def test_a_saved_model_comes_back_to_the_bit(tmp_path: Path, name: str) -> None:
    model = _model(name)
    again = MelDiffusion.load(model.save(tmp_path / "m"))
    a, b = (m.generate_mel(COND, [1, 2, 3, 4], 2.0, 3) for m in (model, again))
    assert torch.equal(a, b)
    assert again.card == model.card
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "SHA256SUMS",
        "card.json",
        "mel.json",
        "model_index.json",
        "network",
        "scheduler",
    ]


def test_the_schedule_of_a_folder_is_read_by_diffusers(tmp_path: Path) -> None:
    from diffusers import DDIMScheduler

    folder = _model().save(tmp_path / "m")
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
    assert scheduler.config.prediction_type == "v_prediction"
    assert scheduler.config.beta_schedule == "squaredcos_cap_v2"


def test_changed_missing_and_foreign_weights_are_refused(tmp_path: Path) -> None:
    folder = _model().save(tmp_path / "m")
    weights = folder / "network" / WEIGHTS
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(WeightsError, match="the file is damaged or was changed"):
        MelDiffusion.load(folder)
    weights.unlink()
    with pytest.raises(WeightsError, match="the weights are missing"):
        MelDiffusion.load(folder)


@pytest.mark.parametrize("name", ["mel.json", "card.json", "network/config.json", "scheduler/scheduler_config.json"])
def test_a_flipped_digit_in_any_file_of_a_folder_is_found(tmp_path: Path, name: str) -> None:
    folder = _model().save(tmp_path / "m")
    data = (folder / name).read_bytes()
    at = next(i for i in range(20, len(data)) if chr(data[i]) in "23456789")
    (folder / name).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])  # still JSON, another number
    with pytest.raises(WeightsError, match=f"{name}: its SHA-256 is .*copy the whole folder"):
        MelDiffusion.load(folder)
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(WeightsError, match="SHA256SUMS: no such file; train the model again"):
        MelDiffusion.load(folder)


def test_folders_that_are_no_model_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model_index\.json"):
        MelDiffusion.load(tmp_path)
    (tmp_path / "model_index.json").write_text("{")
    with pytest.raises(UserError, match="not readable as JSON"):
        MelDiffusion.load(tmp_path)
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    with pytest.raises(UserError, match="kind StableDiffusionPipeline, but MelDiffusion"):
        MelDiffusion.load(tmp_path)


def test_guidance_of_one_costs_no_second_pass_and_equals_the_condition() -> None:
    model = _model()
    calls: list[int] = []
    model.network.register_forward_hook(lambda module, args, out: calls.append(len(args[0])))
    plain = model.generate_mel(COND, [1, 2, 3, 4], 1.0, 3)
    assert calls == [4, 4, 4]
    near = model.generate_mel(COND, [1, 2, 3, 4], 1.0 + 1e-6, 3)
    assert torch.allclose(plain, near, atol=1e-3)


def test_outside_the_guidance_interval_the_network_is_evaluated_once_with_the_condition_alone() -> None:
    model = _model()
    seen: list[tuple[int, int]] = []
    model.network.register_forward_hook(lambda module, args, out: seen.append((int(args[1][0]), len(args[0]))))
    model.generate_mel(COND, [1, 2, 3, 4], 2.0, 4, "ddim", guidance_interval=(0.3, 0.749))
    assert seen == [(999, 4), (749, 8), (499, 8), (249, 4)]  # noise levels t / T, ends included


def test_a_guidance_interval_lies_between_guidance_everywhere_and_none() -> None:
    model = _model()
    seeds = [1, 2, 3, 4]
    whole = model.generate_mel(COND, seeds, 2.0, 4)
    assert torch.equal(model.generate_mel(COND, seeds, 2.0, 4, guidance_interval=(0.0, 1.0)), whole)
    none = model.generate_mel(COND, seeds, 1.0, 4)
    # 0.999 is above the highest level of DPM-Solver++, 0.995
    assert torch.equal(model.generate_mel(COND, seeds, 2.0, 4, guidance_interval=(0.999, 1.0)), none)
    part = model.generate_mel(COND, seeds, 2.0, 4, guidance_interval=(0.2, 0.6))
    assert not torch.allclose(part, whole, atol=1e-3)
    assert not torch.allclose(part, none, atol=1e-3)


@pytest.mark.parametrize("sampler", ["dpm-solver++", "ddim", "ddpm"])
def test_an_item_depends_on_its_condition_and_seed_only(sampler: str) -> None:
    model = _model()
    whole = model.generate_mel(COND, [1, 2, 3, 4], 2.0, 4, sampler)
    halves = torch.cat([model.generate_mel(COND[i : i + 1], [i + 1], 2.0, 4, sampler) for i in (2, 0)])
    assert torch.allclose(whole[[2, 0]], halves, atol=1e-4)
    model.batch_size = 3
    assert torch.allclose(whole, model.generate_mel(COND, [1, 2, 3, 4], 2.0, 4, sampler), atol=1e-4)


@pytest.mark.parametrize("name", list(TINY))
def test_bfloat16_moves_a_log_mel_little(name: str) -> None:
    exact, rough = _model(name), _model(name, precision="bf16")
    mels = [model.generate_mel(COND, [1, 2, 3, 4], 2.0, 5) for model in (exact, rough)]
    assert not torch.equal(*mels)
    assert float((mels[0] - mels[1]).abs().mean()) < 0.02 * float(mels[0].std())


def test_weights_are_cast_once_and_those_that_are_saved_stay_float32(tmp_path: Path) -> None:
    model = _model("unet2d", precision="bf16")
    casts = model.executed
    assert {p.dtype for p in casts.parameters()} == {torch.bfloat16}
    assert {b.dtype for b in casts.buffers()} == {torch.float32}  # mean and deviation of the conditions
    model.generate_mel(COND, [1, 2, 3, 4], 2.0, 2)
    assert model.executed is casts
    assert {p.dtype for p in model.network.parameters()} == {torch.float32}
    again = MelDiffusion.load(model.save(tmp_path / "m"))
    assert again.executed is again.network
    assert all(torch.equal(p, q) for p, q in zip(again.network.parameters(), model.network.parameters(), strict=True))


def test_only_the_direction_of_a_condition_counts() -> None:
    model = _model()
    a, b = (model.generate_mel(c, [1, 2, 3, 4], 1.0, 2) for c in (COND, 7.0 * COND))
    assert torch.allclose(a, b, atol=1e-4)


def test_generated_log_mels_stay_band_by_band_in_the_range_of_the_training_data() -> None:
    model = _model()
    low, high = np.linspace(-11, -5, 64), np.linspace(-4, 1, 64)
    model.card["log_mel_range"] = {"low": low.tolist(), "high": high.tolist()}
    mel = model.generate_mel(COND, [1, 2, 3, 4], 8.0, 5).numpy()
    assert (mel.max(axis=(0, 2)) <= high + 1e-4).all()
    assert (mel.min(axis=(0, 2)) >= low - 1e-4).all()
    assert (mel.max(axis=(0, 2)) > high - 1e-3).any()  # guidance of 8 does push against it


def test_sound_above_full_scale_is_scaled_down_as_a_whole() -> None:
    from clipsonic.vocoders import within_full_scale

    audio = torch.tensor([[0.5, -4.0, 2.0], [0.1, -0.2, 0.3], [0.0, 0.0, 0.0]])
    wanted = torch.tensor([[0.125, -1.0, 0.5], [0.1, -0.2, 0.3], [0.0, 0.0, 0.0]])
    assert torch.equal(within_full_scale(audio), wanted)
    assert within_full_scale(audio[:0]).shape == (0, 3)
    loud = MelConfig(mean=(0.0,), std=(2.0,))
    model = MelDiffusion(_model().network, loud, DiffusionConfig(), {})
    assert np.abs(model.vocoder(model.generate_mel(COND, [1, 2, 3, 4], 8.0, 3), [1, 2, 3, 4]).numpy()).max() > 2
    assert np.abs(model.vocode(model.generate_mel(COND, [1, 2, 3, 4], 8.0, 3), [1, 2, 3, 4])).max() <= 1.0


def test_audio_has_hop_samples_a_frame_and_bad_conditions_are_refused() -> None:
    model = _model()
    assert model.vocode(model.generate_mel(COND, [1, 2, 3, 4], steps=2), [1, 2, 3, 4]).shape == (4, 32 * 160)
    assert model.vocode(model.generate_mel(COND[:0], [], steps=2), []).shape == (0, 32 * 160)
    with pytest.raises(ShapeError, match=r"conditions \(b, 16\)"):
        model.generate_mel(np.zeros((1, 8)), [1])
    with pytest.raises(ShapeError, match="zero or not finite"):
        model.generate_mel(np.zeros((1, D)), [1])
