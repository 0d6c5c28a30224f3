"""Sounds that a listening test makes itself: anchors, noise, and the tones that check headphones.

Source: ITU-R Recommendation BS.1534-3, 2015, 5.1 (the 3.5 kHz anchor); K. J. P. Woods et al., Headphone screening to
facilitate web-based auditory experiments, 2017 (tones in antiphase cancel between loudspeakers).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from scipy import signal

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import UserError
from clipsonic_eval.listening.folder import VOLUME
from clipsonic_eval.listening.trials import HEADPHONES, SIDE, SIDES, TONES

LOW_PASS_HZ: Final = 3500.0
_STOP_HZ = 4000.0
_STOP_DB = 65.0  # BS.1534-3 asks for 25 dB at 4 kHz and 50 dB at 4.5 kHz
_TONE_HZ, _TONE_S, _GAP_S, _RAMP_S = 200.0, 1.0, 0.5, 0.1
_TONE_LEVEL = 0.1  # amplitude
_SOFTER_DB = 6.0
_SIDE_HZ = 500.0
_VOLUME_S = 5.0


def low_pass(samples: Float32, rate: int) -> Float32:
    """Return a sound without what lies above 3.5 kHz; linear phase, no delay.

    Args:
        samples: (channels, n) float32.
        rate: Hz.

    Returns:
        (channels, n) float32.

    Raises:
        UserError: at this sample rate nothing lies above 4 kHz, so the anchor would be no worse than the sound.
    """
    if rate <= 2 * _STOP_HZ:
        raise UserError(f"the anchor is a sound below 3.5 kHz, and at {rate} Hz nothing lies above; leave it out")
    taps, beta = signal.kaiserord(_STOP_DB, (_STOP_HZ - LOW_PASS_HZ) / (rate / 2))
    taps |= 1  # odd: the delay is a whole number of samples
    kernel = signal.firwin(taps, (LOW_PASS_HZ + _STOP_HZ) / 2, window=("kaiser", beta), fs=rate)
    filtered = signal.fftconvolve(samples, kernel[None], mode="full", axes=1)
    return filtered[:, taps // 2 :][:, : samples.shape[1]].astype(np.float32)


def white_noise(channels: int, n: int, rng: np.random.Generator) -> Float32:
    """Return white noise, (channels, n) float32, the same in all channels."""
    return np.repeat((0.1 * rng.standard_normal((1, n))).astype(np.float32), channels, axis=0)


def pink_noise(rate: int, seconds: float, rng: np.random.Generator) -> Float32:
    """Return noise with equal power in every octave from 50 Hz, (1, n) float32, to set the volume by."""
    n = round(rate * seconds)
    frequencies = np.fft.rfftfreq(n, 1 / rate)
    shape = np.where(frequencies < 50, 0.0, 1 / np.sqrt(np.maximum(frequencies, 50)))  # amplitude of 1/f power
    wave = np.fft.irfft(shape * np.exp(2j * np.pi * rng.uniform(size=len(shape))), n)
    return np.asarray(0.1 * wave / wave.std(), np.float32)[None]


def three_tones(rate: int, softer: int, antiphase: int) -> Float32:
    """Return three tones of which one is 6 dB softer; another one is in antiphase between left and right.

    Over headphones the softer one is easily told. Between loudspeakers the tone in antiphase cancels and seems softest.

    Args:
        rate: Hz.
        softer: place of the softer tone, 0 to 2.
        antiphase: place of the tone in antiphase, another one.

    Returns:
        (2, n) float32.
    """
    assert softer != antiphase
    wave = _ramped(_TONE_HZ, rate)
    gap = np.zeros((2, round(_GAP_S * rate)), np.float32)
    parts: list[Float32] = []
    for place in range(3):
        level = 10 ** (-_SOFTER_DB / 20) if place == softer else 1.0
        right = -wave if place == antiphase else wave
        parts += [*([gap] if parts else []), (level * np.stack([wave, right])).astype(np.float32)]
    return np.concatenate(parts, axis=1)


def tone_on_one_side(rate: int, side: int) -> Float32:
    """Return a tone in the left (0) or the right (1) channel, (2, n) float32."""
    both = np.zeros((2, round(_TONE_S * rate)), np.float32)
    both[side] = _ramped(_SIDE_HZ, rate)
    return both


def of_checks(rate: int) -> Iterator[tuple[str, str, Float32]]:
    """Yield (kind, name, samples) of every sound that checks headphones; samples (2, n) float32.

    Of three tones the name says which is softer and which in antiphase, ``1-3``; of a tone on one side, the side.
    """
    for (i, softer), (j, antiphase) in itertools.permutations(enumerate(TONES), 2):
        yield HEADPHONES, f"{softer}-{antiphase}", three_tones(rate, i, j)
    for i, side in enumerate(SIDES):
        yield SIDE, side, tone_on_one_side(rate, i)


def of_volume(rate: int) -> tuple[str, str, Float32]:
    """Return (kind, name, samples) of the noise that the volume is set by; samples (1, n) float32."""
    return VOLUME, "", pink_noise(rate, _VOLUME_S, seeds.stream(0, "", "listening-volume"))


def _ramped(hertz: float, rate: int) -> Float32:
    """Return a tone of a second with raised-cosine ramps of 0.1 s, (n,) float32."""
    n, ramp = round(_TONE_S * rate), round(_RAMP_S * rate)
    wave = _TONE_LEVEL * np.sin(2 * np.pi * hertz * np.arange(n) / rate)
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(ramp) / ramp)
    wave[:ramp] *= rise
    wave[-ramp:] *= rise[::-1]
    return wave.astype(np.float32)


def cut(sounds: Sequence[Float32], rate: int) -> list[Float32]:
    """Cut sounds to the shortest of them; what was cut ends in a fade of 10 ms, so that no click tells.

    Args:
        sounds: (channels, n) float32 each.
        rate: Hz.

    Returns:
        (channels, m) float32 each, m the least n.
    """
    shortest = min(sound.shape[1] for sound in sounds)
    fade = min(shortest, round(0.01 * rate))
    falling = (0.5 + 0.5 * np.cos(np.pi * np.arange(1, fade + 1) / fade)).astype(np.float32)
    found = []
    for sound in sounds:
        kept = sound[:, :shortest].copy()
        if sound.shape[1] > shortest:
            kept[:, shortest - fade :] *= falling
        found.append(kept)
    return found
