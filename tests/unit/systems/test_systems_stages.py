"""Stages that the systems mark, and the settings that decide how a network is executed and how long its audio is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit.clipsonic.test_model import TINY
from unit.systems.tiny_systems import CLIP_DIM, FRAMES, RATE, N, write_systems

from clipsonic.networks import NetworkConfig, build, set_execution
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.stages import recorded_by
from clipsonic_eval.systems import resolve

Systems = tuple[dict[str, tuple[str, dict[str, Any]]], list[Any]]


class Names:
    """A recorder that keeps the paths of stages in the order of their ends."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.ended: list[str] = []

    def begin(self, name: str) -> None:
        self.open.append(name)

    def end(self, name: str) -> None:
        self.ended.append("/".join(self.open))
        assert self.open.pop() == name


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Systems:
    return write_systems(tmp_path_factory.mktemp("systems"))


def made(written: Systems, name: str, **changes: Any) -> Any:
    spec, settings = written[0][name]
    return resolve(spec, {**settings, **changes})


def stages_of(system: Any, queries: list[Any]) -> list[str]:
    names = Names()
    with recorded_by(names):
        system.generate(queries, list(range(len(queries))))
    assert not names.open
    return names.ended


STEPS = ["denoiser/step"] * 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IQ", ["condition", *STEPS, "denoiser", "vocoder"]),
        ("ZS", ["condition", *STEPS, "denoiser", "vocoder"]),
        ("PD", ["condition", *["prior/step"] * 4, "prior", *STEPS, "denoiser", "vocoder"]),
        ("mean-shift", ["condition", *STEPS, "denoiser", "vocoder"]),
        ("CLIP-TTA", ["condition", *STEPS, "denoiser", "vocoder"]),
        ("CLAP-TTA", ["condition", *STEPS, "denoiser", "vocoder"]),
        ("retrieval", ["condition"]),
        ("real-mel", ["vocoder", "vocoder"]),
        ("noise", []),
    ],
)
def test_each_system_marks_its_stages_in_order(written: Systems, name: str, expected: list[str]) -> None:
    assert stages_of(made(written, name), written[1][:2]) == expected


def test_a_repeated_query_is_embedded_again_only_once_it_was_forgotten(written: Systems) -> None:
    system = made(written, "PD")
    assert "condition" in stages_of(system, written[1])
    assert "condition" not in stages_of(system, written[1])
    system.forget()
    assert {"condition", "prior"} <= set(stages_of(system, written[1]))


def test_marks_change_no_sample(written: Systems) -> None:
    queries, seeds = written[1], [5, 6, 7, 8]
    plain = made(written, "PD").generate(queries, seeds)
    with recorded_by(Names()):
        marked = made(written, "PD").generate(queries, seeds)
    assert all(np.array_equal(a, b) for a, b in zip(plain, marked, strict=True))


@pytest.mark.parametrize("frames", [16, 64, 100])
def test_audio_has_the_duration_that_was_asked_for(written: Systems, frames: int) -> None:
    system = made(written, "ZS", duration_s=frames / 100)
    assert system.card()["duration_s"] == frames / 100
    assert [len(x) for x in system.generate(written[1][:2], [0, 1])] == [frames * RATE // 100] * 2


def test_the_duration_of_the_training_clips_is_the_default_to_the_bit(written: Systems) -> None:
    default, named = made(written, "ZS"), made(written, "ZS", duration_s=N / RATE)
    pairs = zip(default.generate(written[1], [1] * 4), named.generate(written[1], [1] * 4), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert default.variant(duration_s=N / RATE).model is default.model


def test_a_duration_that_the_network_cannot_give_is_refused_with_its_neighbours(written: Systems) -> None:
    with pytest.raises(ConfigError, match=r"multiples of 0\.04 s; take 0\.48 or 0\.52"):
        made(written, "ZS", duration_s=0.5)
    with pytest.raises(ConfigError, match=r"take 0\.04$"):
        made(written, "ZS", duration_s=0.01)
    with pytest.raises(ConfigError, match="above 0"):
        made(written, "ZS", duration_s=-1.0)
    with pytest.raises(ConfigError, match="take 0"):
        made(written, "ZS").variant(duration_s=0.333)


def test_a_network_of_one_length_says_so(written: Systems) -> None:
    model = made(written, "ZS").model
    del model.network.frames_multiple
    assert model.frames_of(None) == FRAMES
    with pytest.raises(ConfigError, match=r"generates 0\.32 s and no other length"):
        model.frames_of(0.64)


def test_settings_of_execution_stand_on_the_card_only_where_they_are_set(written: Systems) -> None:
    card = made(written, "ZS").card()
    assert not {"compile", "channels_last", "duration_s"} & card.keys()


def test_channels_last_is_refused_where_there_are_no_images(written: Systems) -> None:
    with pytest.raises(ConfigError, match="UNet1D has no 2-D convolution"):
        made(written, "ZS", channels_last=True)


@pytest.mark.parametrize("name", ["unet2d", "unet2d-diffusers", "unet2d-diffusers+cross"])
def test_channels_last_moves_a_2d_network_by_rounding_only(name: str) -> None:
    import torch

    networks = [
        build(
            NetworkConfig(name.partition("+")[0], TINY[name]), n_mels=64, frames=32, condition_dim=CLIP_DIM, seed=0
        ).eval()
        for _ in range(2)
    ]
    set_execution(networks[1], channels_last=True)
    assert any(w.ndim == 4 and w.is_contiguous(memory_format=torch.channels_last) for w in networks[1].parameters())
    generator = torch.Generator().manual_seed(0)
    x, cond = torch.randn(2, 64, 32, generator=generator), torch.randn(2, CLIP_DIM, generator=generator)
    with torch.no_grad():
        plain, ordered = (network(x, torch.tensor([10, 900]), cond) for network in networks)
    torch.testing.assert_close(ordered, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_a_compiled_network_gives_the_same_audio_to_rounding(
    written: Systems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    compiled = made(written, "ZS", compile=True)
    assert compiled.card()["compile"] is True
    plain = made(written, "ZS").conditions(written[1], [1] * 4)
    mels = [s.model.generate_mel(plain, [1] * 4, 2.0, 2) for s in (made(written, "ZS"), compiled)]
    assert float((mels[0] - mels[1]).abs().max()) < 1e-3
    assert any(tmp_path.rglob("*.so")) or any(tmp_path.rglob("*.cpp"))
