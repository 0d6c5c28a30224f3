"""Sounds that a test makes itself: what their spectra and channels are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from clipsonic_eval.errors import UserError
from clipsonic_eval.listening import sounds

RATE = 16000


def level_db(samples: NDArray[np.float32], hertz: float, rate: int) -> float:
    """Amplitude of one frequency in dB."""
    t = np.arange(samples.shape[-1]) / rate
    window = np.hanning(len(t))
    phasor = (samples * window * np.exp(-2j * np.pi * hertz * t)).sum() / window.sum()
    return float(20 * np.log10(2 * abs(phasor)))


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_the_low_pass_anchor_has_the_response_that_bs_1534_asks_for(rate: int) -> None:
    impulse = np.zeros((1, rate), np.float32)
    impulse[0, rate // 2] = 1
    response = np.abs(np.fft.rfft(sounds.low_pass(impulse, rate)[0]))  # a bin is one hertz
    in_db = 20 * np.log10(np.maximum(response, 1e-9))
    assert np.abs(in_db[20:3500]).max() < 0.1
    assert in_db[4000:].max() < -25
    assert in_db[4500:].max() < -50


def test_the_low_pass_delays_nothing_and_keeps_the_length() -> None:
    t = np.arange(RATE) / RATE
    wave = np.sin(2 * np.pi * 1000 * t).astype(np.float32)[None]
    filtered = sounds.low_pass(wave, RATE)
    assert filtered.shape == wave.shape
    assert np.abs(filtered - wave)[:, 500:-500].max() < 0.02


def test_there_is_no_anchor_where_nothing_lies_above_it() -> None:
    with pytest.raises(UserError, match="8000 Hz"):
        sounds.low_pass(np.zeros((1, 8000), np.float32), 8000)


@pytest.mark.parametrize(("softer", "antiphase"), list(itertools.permutations(range(3), 2)))
def test_one_tone_is_6_db_softer_and_another_cancels_between_loudspeakers(softer: int, antiphase: int) -> None:
    both = sounds.three_tones(RATE, softer, antiphase)
    starts = [round(i * 1.5 * RATE) for i in range(3)]
    parts = [both[:, start : start + RATE] for start in starts]
    levels = [level_db(part[0], 200, RATE) for part in parts]
    for i in range(3):
        assert levels[i] - max(levels) == pytest.approx(-6 if i == softer else 0, abs=0.01)
        silent_together = bool(np.abs(parts[i].sum(axis=0)).max() < 1e-6)
        assert silent_together == (i == antiphase)


@pytest.mark.parametrize("side", [0, 1])
def test_a_tone_on_one_side_leaves_the_other_silent(side: int) -> None:
    both = sounds.tone_on_one_side(RATE, side)
    assert np.abs(both[1 - side]).max() == 0
    assert np.abs(both[side]).max() > 0.05


def test_pink_noise_has_equal_power_in_every_octave() -> None:
    noise = sounds.pink_noise(48000, 4.0, np.random.default_rng(0))[0]
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [10 * np.log10(power[4 * low : 8 * low].sum()) for low in (100, 400, 1600, 6400)]
    assert np.ptp(octaves) < 0.1


def test_sounds_are_cut_to_the_shortest_which_stays_as_it_is() -> None:
    ones = [np.ones((1, n), np.float32) for n in (1000, 800, 900)]
    cut = sounds.cut(ones, RATE)
    assert {one.shape for one in cut} == {(1, 800)}
    assert (cut[1] == 1).all()
    for one in (cut[0], cut[2]):
        assert (one[:, :640] == 1).all()  # 10 ms of fade before the end
        assert (np.diff(one[0, 640:]) < 0).all()
        assert one[0, -1] == pytest.approx(0, abs=1e-6)
    assert (ones[0] == 1).all()
