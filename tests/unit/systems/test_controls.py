"""Controls and resynthesis: what their settings do, and that they are refused where they make no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.systems import resolve
from clipsonic_eval.systems.controls import Noise, RealAudio, folder_rms, own_audio
from clipsonic_eval.types import Query
from paired_tta.systems import RealMel

RATE = 16000


@pytest.fixture
def query(tmp_path: Path) -> Query:
    time = np.arange(RATE) / RATE
    write_wav(tmp_path / "a.wav", (0.4 * np.sin(2 * np.pi * 440 * time)).astype(np.float32), RATE)
    return Query("a", "a tone", tmp_path / "a.wav")


@pytest.mark.parametrize(("duration_s", "n"), [(None, 16000), (0.5, 8000), (1.5, 24000)])
def test_real_audio_is_cut_or_zero_padded(query: Query, duration_s: float | None, n: int) -> None:
    (sound,) = RealAudio(duration_s=duration_s).generate([query], [0])
    assert (sound.shape, sound.dtype) == ((n,), np.float32)
    whole = own_audio(query, RATE)
    np.testing.assert_array_equal(sound[: min(n, RATE)], whole[:n])
    assert not sound[RATE:].any()


def test_real_audio_is_resampled_to_the_rate_asked_for(query: Query) -> None:
    (sound,) = RealAudio(sample_rate=8000).generate([query], [0])
    assert sound.shape == (8000,)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(8000)))
    assert int(spectrum.argmax()) == 440


def test_noise_follows_from_its_seed_and_has_its_level() -> None:
    noise = Noise(duration_s=4.0, rms=0.05)
    first, second, other = noise.generate([Query(k, "p") for k in "abc"], [1, 1, 2])
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 0.01
    # the mean square of n normal samples has relative deviation √(2 / n): 0.6 % at 64,000
    assert float(np.mean(first.astype(np.float64) ** 2)) == pytest.approx(0.05**2, rel=0.03)


def test_noise_is_clipped_to_full_scale() -> None:
    (loud,) = Noise(duration_s=0.1, rms=5.0).generate([Query("a", "p")], [0])
    assert float(np.abs(loud).max()) == 1.0


def test_the_level_of_a_folder_is_over_all_of_its_samples(tmp_path: Path) -> None:
    write_wav(tmp_path / "short.wav", np.full(100, 0.8, np.float32), RATE)
    write_wav(tmp_path / "long.wav", np.full(300, 0.4, np.float32), RATE)
    assert folder_rms(tmp_path) == pytest.approx(np.sqrt((100 * 0.64 + 300 * 0.16) / 400), rel=1e-6)


@pytest.mark.parametrize("duration_s", [None, 0.5])
def test_resynthesised_audio_has_whole_frames_and_stays_within_full_scale(
    query: Query, duration_s: float | None
) -> None:
    system = RealMel(duration_s=duration_s)
    (sound,) = system.generate([query], [3])
    assert sound.shape == (round((duration_s or 1.0) * RATE) // 160 * 160,)
    assert float(np.abs(sound).max()) <= 1.0
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    peak = int(spectrum.argmax()) * RATE / len(sound)
    assert peak == pytest.approx(440, abs=20)


@pytest.mark.parametrize(
    ("spec", "settings", "message"),
    [
        (
            "clipsonic_eval.systems.controls:RealAudio",
            {"duration_s": 0},
            "controls:RealAudio: sample_rate and duration_s",
        ),
        ("clipsonic_eval.systems.controls:RealAudio", {"sample_rate": "fast"}, "sample_rate: expected int, got 'fast'"),
        ("clipsonic_eval.systems.controls:Noise", {"rms": -1}, "rms must be above 0"),
        ("clipsonic_eval.systems.controls:Noise", {"duration": 3}, "unknown key 'duration'. Did you mean 'duration_s'"),
        ("paired_tta.systems:RealMel", {"duration_s": -1}, "duration_s must be above 0"),
        ("paired_tta.systems:RealMel", {"vocoder": {"iterations": 1.5}}, "whole number of at least 0, got 1.5"),
        ("paired_tta.systems:RealMel", {"mel": {"n_mels": 80.5}}, "mel.n_mels: expected int, got 80.5"),
        ("paired_tta.systems:Retrieval", {}, "key 'clips' is required"),
    ],
)
def test_settings_that_make_no_sense_are_refused(spec: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        resolve(spec, settings)
    assert message in str(raised.value)


def test_a_section_of_settings_becomes_the_dataclass_of_its_type_hint() -> None:
    system = resolve("paired_tta.systems:RealMel", {"mel": {"n_mels": 32, "fmax": 4000}, "name": "coarse"})
    assert system.card()["vocoder"]["mel"]["n_mels"] == 32
    assert system.name == "coarse"


@pytest.mark.parametrize(
    ("vocoder", "message"),
    [({"name": "hifi"}, "unknown vocoder 'hifi'"), ({"iteration": 9}, "Did you mean 'iterations'")],
)
def test_unknown_vocoders_and_options_are_refused(vocoder, message):
    with pytest.raises(UserError, match=message):
        resolve("paired_tta.systems:RealMel", {"vocoder": vocoder})


def test_a_vocoder_takes_its_settings_and_names_them_on_the_card():
    assert resolve("paired_tta.systems:RealMel", {"vocoder": {"iterations": 3}}).card()["vocoder"]["iterations"] == 3
