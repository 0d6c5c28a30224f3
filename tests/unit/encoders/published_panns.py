"""A small Cnn14 in the form of the published file, and what it must answer, restated in NumPy at double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import get_window

WIDTHS = (4, 6, 8, 8, 12, 16)
RATES = {32000: (1024, 320, 14000.0), 16000: (512, 160, 8000.0)}  # window, hop, highest band edge


def slaney_filters(rate: int) -> np.ndarray:
    """Band by band, bin by bin, as the Auditory Toolbox has it."""
    window, _, highest = RATES[rate]

    def to_mel(f: float) -> float:
        return 3 * f / 200 if f < 1000 else 15 + np.log(f / 1000) / (np.log(6.4) / 27)

    def to_hertz(m: float) -> float:
        return 200 * m / 3 if m < 15 else 1000 * np.exp((m - 15) * np.log(6.4) / 27)

    edges = [to_hertz(m) for m in np.linspace(to_mel(50), to_mel(highest), 66)]
    filters = np.zeros((window // 2 + 1, 64))
    for band in range(64):
        low, peak, high = edges[band : band + 3]
        for k in range(window // 2 + 1):
            f = k * rate / window
            if low < f <= peak:
                filters[k, band] = 2 / (high - low) * (f - low) / (peak - low)
            elif peak < f < high:
                filters[k, band] = 2 / (high - low) * (high - f) / (high - peak)
    return filters


def decibels(wave: np.ndarray, rate: int) -> np.ndarray:
    """The log-mel (frames, 64) of one sound."""
    window, hop, _ = RATES[rate]
    padded = np.pad(wave.astype(np.float64), window // 2, mode="reflect")
    frames = np.stack([padded[i : i + window] for i in range(0, len(padded) - window + 1, hop)])
    power = np.abs(np.fft.fft(frames * get_window("hann", window))[:, : window // 2 + 1]) ** 2
    return 10 * np.log10(np.maximum(power @ slaney_filters(rate), 1e-10))


def tensors(rate: int, seed: int = 0, classes: int = 527) -> dict[str, Any]:
    """The state dict as published, front end included, with random weights."""
    import torch

    rng = np.random.default_rng(seed)
    window = RATES[rate][0]
    transform = np.fft.fft(np.eye(window))[: window // 2 + 1] * get_window("hann", window)
    found: dict[str, np.ndarray] = {
        "spectrogram_extractor.stft.conv_real.weight": transform.real[:, None],
        "spectrogram_extractor.stft.conv_imag.weight": transform.imag[:, None],
        "logmel_extractor.melW": slaney_filters(rate),
    }

    def norm(name: str, width: int) -> None:
        found[f"{name}.weight"] = rng.uniform(0.5, 1.5, width)
        found[f"{name}.bias"] = rng.normal(0, 0.3, width)
        found[f"{name}.running_mean"] = rng.normal(0, 0.3, width)
        found[f"{name}.running_var"] = rng.uniform(0.5, 2, width)
        found[f"{name}.num_batches_tracked"] = np.array(600000)

    norm("bn0", 64)
    found["bn0.running_mean"] -= 40  # dB
    found["bn0.running_var"] *= 400
    width_in = 1
    for k, width in enumerate(WIDTHS, 1):
        for conv, inner in ((1, width_in), (2, width)):
            # large, so that the output depends on the sound and not on the biases
            found[f"conv_block{k}.conv{conv}.weight"] = rng.normal(0, np.sqrt(5 / 9 / inner), (width, inner, 3, 3))
            norm(f"conv_block{k}.bn{conv}", width)
        width_in = width
    for name, width in (("fc1", width_in), ("fc_audioset", classes)):
        found[f"{name}.weight"] = rng.normal(0, np.sqrt(2 / width_in), (width, width_in))
        found[f"{name}.bias"] = rng.normal(0, 0.3, width)
    as_float = {k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in found.items()}
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in as_float.items()}


def answer(state: dict[str, Any], wave: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and logits of one sound."""
    w = {name: value.numpy().astype(np.float64) for name, value in state.items()}

    def norm(x: np.ndarray, name: str) -> np.ndarray:  # channels first
        shape = (-1, *[1] * (x.ndim - 1))
        scaled = (x - w[f"{name}.running_mean"].reshape(shape)) / np.sqrt(
            w[f"{name}.running_var"].reshape(shape) + 1e-5
        )
        return scaled * w[f"{name}.weight"].reshape(shape) + w[f"{name}.bias"].reshape(shape)

    def conv(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        t, f = x.shape[1:]
        return sum(
            np.einsum("oi,itf->otf", kernel[:, :, i, j], padded[:, i : i + t, j : j + f])
            for i in range(3)
            for j in range(3)
        )

    x = norm(decibels(wave, rate).T, "bn0").T[None]
    for k in range(1, 7):
        for c in (1, 2):
            x = np.maximum(norm(conv(x, w[f"conv_block{k}.conv{c}.weight"]), f"conv_block{k}.bn{c}"), 0)
        if k < 6:
            t, f = x.shape[1] // 2, x.shape[2] // 2
            x = x[:, : 2 * t, : 2 * f].reshape(len(x), t, 2, f, 2).mean(axis=(2, 4))
    x = x.mean(axis=2)
    x = x.max(axis=1) + x.mean(axis=1)
    features = np.maximum(w["fc1.weight"] @ x + w["fc1.bias"], 0)
    return features, w["fc_audioset.weight"] @ features + w["fc_audioset.bias"]


def checkpoint(state: dict[str, Any]) -> dict[str, Any]:
    """What stands in a published file: the tensors, and the state of the trainer's sampler, which is NumPy."""
    sampler = {"indexes_per_class": [np.arange(3), np.arange(5)], "queue": [1, 2], "pointers_of_classes": [0, 4]}
    return {"iteration": 600000, "model": state, "sampler": sampler}
