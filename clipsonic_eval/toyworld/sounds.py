"""Sounds of a scene: additive, frequency-modulated and filtered-noise synthesis with jitter, 0.96 s at 16 kHz.

Size sets the pitch (or the pass band of noise), count the number of events (or the rate of modulation).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.toyworld.scene import Scene

RATE: Final = 16000
SAMPLES: Final = 15360

_TIME: Final = (np.arange(SAMPLES) / RATE).astype(np.float32)
_FREQUENCY: Final = np.fft.rfftfreq(SAMPLES, 1 / RATE).astype(np.float32)
_TAU: Final = np.float32(2 * np.pi)
_OCTAVES: Final = 1.6  # from the smallest to the biggest


def _pitch(base_hz: float, scene: Scene, rng: np.random.Generator) -> float:
    return float(base_hz * 2.0 ** (_OCTAVES * (0.5 - scene.size) + rng.normal(0, 0.03)))


def _onsets(n: int, rng: np.random.Generator) -> list[float]:
    """Return the starts of n events, seconds, spread over the clip with jitter."""
    gap = 0.9 / n
    return [0.02 + gap * (k + 0.25 * float(rng.random())) for k in range(n)]


def _noise(low_hz: float, high_hz: float, rng: np.random.Generator) -> Float32:
    """Return band-pass noise of unit standard deviation, (SAMPLES,) float32; edges in Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(SAMPLES, dtype=np.float32)).astype(np.complex64)
    spectrum *= 1 / (1 + (low_hz / (_FREQUENCY + 1)) ** 6) / (1 + (_FREQUENCY / high_hz) ** 6)
    wave = np.fft.irfft(spectrum, SAMPLES).astype(np.float32)
    return wave / np.float32(wave.std() + 1e-9)


def _at(onset: float) -> tuple[slice, Float32]:
    """Return the part of the clip after an onset (seconds), and the time since the onset, (m,) float32 seconds."""
    start = int(onset * RATE)
    return slice(start, SAMPLES), _TIME[: SAMPLES - start]


def _struck(
    scene: Scene, rng: np.random.Generator, base: float, partials: tuple[tuple[float, float, float], ...]
) -> Float32:
    """Return events of decaying partials, (SAMPLES,) float32.

    Args:
        scene: of the sound.
        rng: stream of the jitter.
        base: fundamental of a medium-sized object, Hz.
        partials: (frequency ratio, level, decay per second) each.
    """
    out = np.zeros(SAMPLES, np.float32)
    f0 = _pitch(base, scene, rng)
    for onset in _onsets(scene.count, rng):
        part, t = _at(onset)
        level = np.float32(rng.uniform(0.8, 1.0))
        for ratio, strength, decay in partials:
            out[part] += level * strength * np.sin(_TAU * np.float32(f0 * ratio) * t) * np.exp(-np.float32(decay) * t)
    return out


def _bell(scene: Scene, rng: np.random.Generator) -> Float32:
    return _struck(scene, rng, 900, ((1, 1, 5), (2.76, 0.6, 8), (5.4, 0.35, 14), (0.5, 0.4, 4)))


def _guitar(scene: Scene, rng: np.random.Generator) -> Float32:
    return _struck(scene, rng, 260, tuple((k, 1 / k, 2.5 + 1.5 * k) for k in range(1, 7)))


def _drum(scene: Scene, rng: np.random.Generator) -> Float32:
    out = np.zeros(SAMPLES, np.float32)
    f0 = _pitch(110, scene, rng)
    hiss = _noise(300, 3000, rng)
    for onset in _onsets(scene.count, rng):
        part, t = _at(onset)
        sweep = _TAU * np.float32(f0) * (t + np.float32(0.03) * (1 - np.exp(-25 * t)))
        out[part] += np.sin(sweep) * np.exp(-11 * t) + 0.25 * hiss[part] * np.exp(-45 * t)
    return out


def _siren(scene: Scene, rng: np.random.Generator) -> Float32:
    f0 = _pitch(750, scene, rng)
    rate = scene.count / 0.96
    phase = _TAU * np.float32(rate) * _TIME + np.float32(rng.uniform(0, 6.28))
    angle = _TAU * np.float32(f0) * _TIME - np.float32(0.35 * f0 / rate) * np.cos(phase)
    wave: Float32 = np.sin(angle) + np.float32(0.3) * np.sin(3 * angle)
    return wave


def _bird(scene: Scene, rng: np.random.Generator) -> Float32:
    out = np.zeros(SAMPLES, np.float32)
    f0 = _pitch(3000, scene, rng)
    for onset in _onsets(scene.count, rng):
        part, t = _at(onset)
        t = t[: int(0.2 * RATE)]
        angle = _TAU * np.float32(f0) * (t + np.float32(1.2) * t * t) + 2.5 * np.sin(_TAU * 30 * t)
        chirp = np.sin(angle) * np.sin(np.pi * t / t[-1]) if len(t) > 1 else t
        out[part.start : part.start + len(t)] += chirp
    return out


def _engine(scene: Scene, rng: np.random.Generator) -> Float32:
    f0 = _pitch(70, scene, rng)
    angle = (
        _TAU * np.float32(f0) * _TIME
        + np.float32(0.1) * np.cumsum(rng.standard_normal(SAMPLES, dtype=np.float32)) * 0.1
    )
    saw = sum((np.sin(k * angle) / k for k in range(1, 9)), np.zeros(SAMPLES, np.float32))
    throb = 1 + 0.7 * np.sin(_TAU * 4 * scene.count * _TIME + np.float32(rng.uniform(0, 6.28)))
    wave: Float32 = (saw + 0.15 * _noise(100, 900, rng)) * throb
    return wave


def _rain(scene: Scene, rng: np.random.Generator) -> Float32:
    centre = _pitch(3500, scene, rng)
    gate = np.zeros(SAMPLES, np.float32)
    starts = rng.integers(0, SAMPLES, 25 * scene.count)
    np.add.at(gate, starts, rng.uniform(0.3, 1.0, len(starts)).astype(np.float32))
    kernel = np.exp(-_TIME[:400] * 200)
    drops = np.fft.irfft(np.fft.rfft(gate, 16384) * np.fft.rfft(kernel, 16384), 16384)[:SAMPLES].astype(np.float32)
    return _noise(centre * 0.6, centre * 1.5, rng) * (0.15 + drops)


def _whistle(scene: Scene, rng: np.random.Generator) -> Float32:
    out = np.zeros(SAMPLES, np.float32)
    f0 = _pitch(2000, scene, rng)
    breath = _noise(f0 * 0.8, f0 * 1.25, rng)
    length = 0.7 / scene.count
    for onset in _onsets(scene.count, rng):
        part, t = _at(onset)
        t = t[: int(length * RATE)]
        shape = np.minimum(1, np.minimum(t, t[-1] - t) * 50)
        tone = np.sin(_TAU * np.float32(f0) * t + 1.5 * np.sin(_TAU * 22 * t))
        out[part.start : part.start + len(t)] += shape * (tone + 0.15 * breath[: len(t)])
    return out


def _bee(scene: Scene, rng: np.random.Generator) -> Float32:
    out = np.zeros(SAMPLES, np.float32)
    f0 = _pitch(220, scene, rng)
    flutter = 6 * np.sin(_TAU * np.float32(rng.uniform(1.5, 2.5)) * _TIME + np.float32(rng.uniform(0, 6.28)))
    for k in (1, 2, 3, 4, 5):
        out += np.sin(k * (_TAU * np.float32(f0) * _TIME + 0.25 * flutter)) * np.float32(0.8**k)
    wave: Float32 = out * (1 + 0.8 * np.sin(_TAU * 3 * scene.count * _TIME + np.float32(rng.uniform(0, 6.28))))
    return wave


def _clock(scene: Scene, rng: np.random.Generator) -> Float32:
    out = np.zeros(SAMPLES, np.float32)
    f0 = _pitch(2200, scene, rng)
    click = _noise(f0 * 0.6, f0 * 2, rng)
    for k, onset in enumerate(_onsets(2 * scene.count, rng)):
        part, t = _at(onset)
        tone = np.sin(_TAU * np.float32(f0 * (1.0 if k % 2 else 1.3)) * t)
        out[part] += (tone + 0.6 * click[part]) * np.exp(-90 * t)
    return out


def _dog(scene: Scene, rng: np.random.Generator) -> Float32:
    out = np.zeros(SAMPLES, np.float32)
    f0 = _pitch(420, scene, rng)
    rough = _noise(f0, f0 * 4, rng)
    for onset in _onsets(scene.count, rng):
        part, t = _at(onset)
        t = t[: int(0.24 * RATE)]
        angle = _TAU * np.float32(f0) * (t - np.float32(0.9) * t * t)
        voice = sum((np.sin(k * angle) / np.float32(k**0.7) for k in range(1, 6)), np.zeros(len(t), np.float32))
        shape = np.sin(np.pi * np.minimum(1, t / 0.24)) ** 0.5
        out[part.start : part.start + len(t)] += shape * (voice + 0.4 * rough[: len(t)])
    return out


def _wind(scene: Scene, rng: np.random.Generator) -> Float32:
    centre = _pitch(500, scene, rng)
    gusts = 0.5 - 0.5 * np.cos(_TAU * np.float32(scene.count / 0.96) * _TIME + np.float32(rng.normal(0, 0.4)))
    wave: Float32 = _noise(centre * 0.7, centre * 1.3, rng) * (0.15 + gusts**2)
    return wave


_MODELS: Final[dict[str, Callable[[Scene, np.random.Generator], Float32]]] = {
    "bell": _bell,
    "drum": _drum,
    "siren": _siren,
    "bird": _bird,
    "engine": _engine,
    "rain": _rain,
    "whistle": _whistle,
    "guitar": _guitar,
    "bee": _bee,
    "clock": _clock,
    "dog": _dog,
    "wind": _wind,
}


def render_sound(scene: Scene, rng: np.random.Generator) -> Float32:
    """Render the scene's sound.

    Args:
        scene: its source, size and count are audible, everything else is not.
        rng: stream of the nuisance factors (jitter of pitch, timing and level; background noise 20 to 40 dB below).

    Returns:
        (15360,) float32 in [-1, 1], 0.96 s at 16 kHz.
    """
    wave = np.asarray(_MODELS[scene.source](scene, rng), dtype=np.float32)
    wave /= np.float32(np.sqrt(np.mean(wave * wave)) + 1e-9)
    wave += np.float32(10 ** (-rng.uniform(20, 40) / 20)) * rng.standard_normal(SAMPLES, dtype=np.float32)
    peak = np.float32(np.abs(wave).max())
    scaled: Float32 = wave * np.float32(rng.uniform(0.5, 0.9)) / peak
    return scaled
