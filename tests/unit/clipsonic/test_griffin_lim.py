from __future__ import annotations

import pytest
import torch

from clipsonic.mel import MelConfig, MelFrontEnd
from clipsonic.vocoders import VOCODERS
from clipsonic.vocoders._stft import inverse_stft, overlap_add
from clipsonic_eval.errors import ConfigError, ShapeError

CONFIG = MelConfig()


def _sounds(n: int = 4, samples: int = 15360) -> torch.Tensor:
    """Decaying harmonics, amplitude-modulated noise, a frequency sweep and clicks."""
    t = torch.arange(samples) / 16000
    generator = torch.Generator().manual_seed(0)
    bell = sum(0.5**h * torch.sin(2 * torch.pi * 440 * (h + 1) * t) for h in range(4)) * torch.exp(-3 * t)
    noise = 0.2 * torch.randn(samples, generator=generator) * (1 + torch.sin(2 * torch.pi * 6 * t))
    sweep = torch.sin(2 * torch.pi * (600 * t + 700 * t**2))
    clicks = torch.exp(-40 * (t % 0.3)) * torch.sin(2 * torch.pi * 1800 * t)
    return 0.3 * torch.stack([bell, noise, sweep, clicks])[:n]


def test_the_sound_has_the_log_mel_that_was_asked_for() -> None:
    front_end = MelFrontEnd(CONFIG)
    wanted = front_end.log_mel(_sounds())
    got = front_end.log_mel(VOCODERS["griffin-lim"](CONFIG)(wanted, [0, 1, 2, 3]))
    assert got.shape == wanted.shape
    # where there is sound at all: within 60 dB of the clip's loudest place
    audible = wanted > wanted.amax(dim=(1, 2), keepdim=True) - 6.9
    assert float((got - wanted).abs()[audible].mean()) < 0.25
    off = (got.exp() - wanted.exp()).flatten(1).norm(dim=1) / wanted.exp().flatten(1).norm(dim=1)
    assert float(off.max()) < 0.25


def test_more_iterations_agree_better_with_the_magnitudes() -> None:
    wanted = MelFrontEnd(CONFIG).log_mel(_sounds())
    window = torch.hann_window(1024)

    def convergence(iterations: int) -> float:
        vocoder = VOCODERS["griffin-lim"](CONFIG, iterations=iterations, stride=1)
        magnitude = vocoder.magnitude(wanted)
        sound = torch.nn.functional.pad(vocoder(wanted, [0, 1, 2, 3])[:, None], (432, 432), mode="reflect")[:, 0]
        spectra = torch.fft.rfft(sound.unfold(1, 1024, 160) * window).abs()
        return float((spectra - magnitude).norm() / magnitude.norm())

    few, many = convergence(1), convergence(24)
    assert many < 0.6 * few
    assert many < 0.25


def test_magnitudes_explain_the_mel() -> None:
    wanted = MelFrontEnd(CONFIG).log_mel(_sounds())
    vocoder = VOCODERS["griffin-lim"](CONFIG)
    mel = torch.matmul(vocoder.magnitude(wanted), vocoder._bank.T).transpose(1, 2)
    assert float((mel - wanted.exp()).norm() / wanted.exp().norm()) < 0.05


def test_an_item_depends_on_its_own_seed_and_mel_only() -> None:
    wanted = MelFrontEnd(CONFIG).log_mel(_sounds())
    vocoder = VOCODERS["griffin-lim"](CONFIG, iterations=4, chunk=3)
    together = vocoder(wanted, [7, 8, 9, 10])
    alone = vocoder(wanted[2:3], [9])
    assert torch.allclose(together[2:3], alone, atol=1e-4)
    assert not torch.allclose(vocoder(wanted[2:3], [8]), alone, atol=1e-2)


def test_silence_stays_silent() -> None:
    floor = torch.full((1, 64, 20), -11.512925)
    assert float(VOCODERS["griffin-lim"](CONFIG, iterations=4)(floor, [0]).abs().max()) < 1e-4


def test_overlap_add_is_the_sum_written_out() -> None:
    frames = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(0))
    expected = torch.zeros(2, 4 * 5 + 12)
    for i in range(5):
        expected[:, i * 5 : i * 5 + 12] += frames[:, i]
    assert torch.allclose(overlap_add(frames, 5), expected, atol=1e-6)


def test_wrong_shapes_are_refused_and_nothing_gives_nothing() -> None:
    vocoder = VOCODERS["griffin-lim"](CONFIG)
    with pytest.raises(ShapeError, match="64, frames"):
        vocoder(torch.zeros(1, 80, 10), [0])
    assert vocoder(torch.zeros(0, 64, 10), []).shape == (0, 1600)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("frames", [1, 2, 33, 34, 35, 96])
def test_the_sound_is_as_long_as_its_mel_at_any_stride(stride: int, frames: int) -> None:
    vocoder = VOCODERS["griffin-lim"](CONFIG, iterations=2, stride=stride)
    sound = vocoder(torch.full((1, 64, frames), -2.0), [0])
    assert sound.shape == (1, 160 * frames)
    assert (sound[0].view(frames, 160).abs().amax(dim=1) > 1e-3).all()  # and nowhere silent, to the last frame


def test_every_second_frame_is_enough_to_find_the_phases() -> None:
    front_end = MelFrontEnd(CONFIG)
    wanted = front_end.log_mel(_sounds())
    audible = wanted > wanted.amax(dim=(1, 2), keepdim=True) - 6.9

    def error(stride: int) -> float:
        sound = VOCODERS["griffin-lim"](CONFIG, iterations=16, stride=stride)(wanted, [0, 1, 2, 3])
        return float((front_end.log_mel(sound) - wanted).abs()[audible].mean())

    all_frames, second, third = (error(stride) for stride in (1, 2, 3))
    assert all_frames <= second < 1.5 * all_frames
    assert second < third


def test_windows_that_hardly_overlap_are_refused() -> None:
    for stride in (0, 4):
        with pytest.raises(ConfigError, match=f"stride must be 1 to 3, got {stride}"):
            VOCODERS["griffin-lim"](CONFIG, stride=stride)


def test_the_inverse_transform_undoes_the_transform_away_from_the_ends() -> None:
    vocoder = VOCODERS["griffin-lim"](CONFIG, stride=1)
    padded = torch.randn(2, 40 * 160 + 2 * CONFIG.pad, generator=torch.Generator().manual_seed(0))
    back = inverse_stft(vocoder._stft(padded), vocoder._window, 160)
    inner = slice(CONFIG.pad, -CONFIG.pad)
    assert torch.allclose(back[:, inner], padded[:, inner], atol=1e-4)


def test_magnitudes_are_never_negative_and_fit_better_with_more_updates() -> None:
    wanted = MelFrontEnd(CONFIG).log_mel(_sounds())

    def misfit(updates: int) -> float:
        vocoder = VOCODERS["griffin-lim"](CONFIG, updates=updates)
        magnitude = vocoder.magnitude(wanted)
        assert (magnitude >= 0).all()
        mel = torch.matmul(magnitude, vocoder._bank.T).transpose(1, 2)
        return float((mel - wanted.exp()).norm())

    errors = [misfit(n) for n in (0, 2, 8, 32)]
    assert errors == sorted(errors, reverse=True)


def test_a_card_names_everything_the_sound_depends_on() -> None:
    card = VOCODERS["griffin-lim"](CONFIG, iterations=3).card()
    assert (card["name"], card["iterations"], card["updates"], card["mel"]["hop"]) == ("griffin-lim", 3, 8, 160)
    assert VOCODERS["griffin-lim"](CONFIG, stride=2).card()["stride"] == 2
    scaled = MelConfig(mean=(1.0,), std=(2.0,))
    assert VOCODERS["griffin-lim"](scaled).card() == VOCODERS["griffin-lim"](CONFIG).card()  # the scale is not heard
