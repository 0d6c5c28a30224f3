"""Checks of sound: each fault is found, named, and not seen where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from clipsonic_eval.checks import audio as checks
from clipsonic_eval.checks.audio import ClipLevels, levels
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.types import Clip

N = 16000


def tone(level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * 440 * np.arange(N) / 16000)).astype(np.float32)


def noise(level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(0).standard_normal(N)).astype(np.float32)


def clip(*channels: np.ndarray) -> Clip:
    return Clip("a", np.stack(channels), 16000)


def found(*channels: np.ndarray) -> list[str]:
    return [f.check for f in checks.check_audio(clip(*channels))]


@pytest.mark.parametrize("samples", [tone(), tone(1.0), noise(), tone(0.001)])
def test_sound_without_a_fault_is_left_alone(samples: np.ndarray) -> None:
    assert found(samples, samples) == []


def test_silence_is_an_error_and_much_of_it_a_warning() -> None:
    assert found(np.zeros(N, np.float32)) == ["silence"]
    assert found(tone(5e-5)) == ["silence"]
    padded = np.concatenate([tone()[:1000], np.zeros(N, np.float32)])
    (finding,) = checks.check_audio(clip(padded))
    assert (finding.check, finding.severity) == ("silence", "warning")
    assert "silent for 94% of its length" in finding.sentence


def test_a_silent_channel_beside_a_sounding_one_is_found() -> None:
    assert found(tone(), np.zeros(N, np.float32)) == ["silence"]


def test_a_peak_above_full_scale_is_named_with_its_size() -> None:
    finding = checks.peak(levels(tone(2.5), "a"), "a")
    assert finding is not None
    assert "peaks at 2.5 times full scale" in finding.sentence
    assert checks.peak(levels(np.array([1.0, -1.0]), "a"), "a") is None


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.rint(20000 * tone()), "integers stored as floats (peak 10000); divide its samples by 32768 (16 bits)"),
        (np.rint(2.0**23 * tone()), "divide its samples by 8388608 (24 bits)"),
        (tone(1e30), "in another unit"),
        (tone(4.5), "peaks at 4.5 times full scale"),
    ],
)
def test_samples_in_another_unit_are_an_error_and_end_the_list(samples: np.ndarray, said: str) -> None:
    (finding,) = checks.check_audio(clip(tone(), samples.astype(np.float32)))
    assert (finding.check, finding.severity) == ("unit", "error")
    assert said in finding.sentence
    assert said in checks.unusable([levels(samples, "a")], "a")


@pytest.mark.parametrize("samples", [np.sign(tone()), tone(3.9), np.zeros(N, np.float32)])
def test_what_is_in_the_right_unit_is_usable_however_it_sounds(samples: np.ndarray) -> None:
    assert checks.unusable([levels(samples, "a")], "a") == ""


@pytest.mark.parametrize("gain", [1.0, 0.7])
def test_flat_tops_are_found_also_after_the_level_was_lowered(gain: float) -> None:
    loud = np.clip(tone(2.0), -1, 1) * np.float32(gain)
    assert found(loud) == ["clipping"]
    one_side = np.clip(tone(2.0), -0.9, 1.0)
    assert checks.clipping(levels(np.minimum(tone(0.9), np.float32(0.6)), "a"), "a") is not None
    assert checks.clipping(levels(one_side, "a"), "a") is not None


def test_a_square_wave_counts_as_clipped_and_a_loud_sine_does_not() -> None:
    assert checks.clipping(levels(np.sign(tone()), "a"), "a") is not None
    assert checks.clipping(levels(tone(1.0), "a"), "a") is None


def test_an_offset_is_found_with_its_size() -> None:
    finding = checks.dc(levels(tone(0.5) + np.float32(0.1), "a"), "a")
    assert finding is not None
    assert "constant offset of 0.1 " in finding.sentence
    assert checks.dc(levels(tone(0.5), "a"), "a") is None
    assert checks.dc(levels(noise(1e-3), "a"), "a") is None


def test_nan_ends_the_list_and_names_the_item() -> None:
    broken = tone()
    broken[3] = np.nan
    (finding,) = checks.check_audio(clip(broken))
    assert (finding.check, finding.severity, finding.keys) == ("not_finite", "error", ("a",))
    assert "'a' holds 1 samples that are NaN or infinite" in finding.sentence


@pytest.mark.parametrize("samples", [np.zeros((2, 5)), np.zeros(0), np.zeros(5, np.int16)])
def test_what_are_no_samples_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="must be floating point of shape"):
        levels(samples, "a")


def test_an_empty_clip_is_an_error() -> None:
    (finding,) = checks.check_audio(Clip("a", np.zeros((1, 0), np.float32), 16000))
    assert finding.check == "empty"


def test_levels_survive_a_cache_and_say_the_same() -> None:
    stereo = clip(np.clip(tone(2.0), -1, 1), tone() + np.float32(0.1))
    measured = ClipLevels.of(stereo)
    assert measured.rows().shape == (2, len(checks.LEVEL_FIELDS))
    assert measured.rows().dtype == np.float32
    assert ClipLevels.from_rows(measured.rows()) == measured
    assert (measured.rate, measured.seconds) == (16000, 1.0)
    assert [f.check for f in checks.check_levels(measured.channels, "a")] == found(*stereo.samples)


def test_one_finding_per_fault_names_all_clips_of_a_set_that_have_it() -> None:
    silent, fine = ClipLevels.of(clip(np.zeros(N, np.float32))), ClipLevels.of(clip(tone()))
    (finding,) = checks.check_set({"b": silent, "c": fine, "a": silent})
    assert (finding.check, finding.keys) == ("silence", ("a", "b"))
    assert "(1 other clip likewise)" in finding.sentence
    assert checks.check_set({"c": fine}) == []
