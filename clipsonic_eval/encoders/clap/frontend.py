"""CLAP's front end: log-mel spectrograms of one window, and of long audio for feature fusion."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from clipsonic_eval.encoders._logmel import N_MELS, LogMel
from clipsonic_eval.encoders.clap.windows import FRAMES, HOP, RATE, Windowing
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.files import read_json
from clipsonic_eval.weight_files import COPY_FOLDER


def front_end(*, fusion: bool, fmin: float = 50, fmax: float = 14000) -> LogMel:
    """Return the front end of a checkpoint: Slaney's mel bands without feature fusion, HTK's with it.

    Args:
        fusion: whether the checkpoint fuses features.
        fmin: Hz.
        fmax: Hz.
    """
    return LogMel(RATE, 1024, HOP, fmin, fmax, "htk" if fusion else "slaney")


def read_front_end(folder: Path, *, fusion: bool) -> LogMel:
    """Return the front end that a transformers folder describes; where it has no description, that of LAION's training.

    Raises:
        WeightsError: preprocessor_config.json is damaged or describes another front end.
    """
    path = folder / "preprocessor_config.json"
    stated = read_json(path, WeightsError, fix=COPY_FOLDER) if path.exists() else {}
    try:
        front = front_end(
            fusion=fusion, fmin=float(stated.get("frequency_min", 50)), fmax=float(stated.get("frequency_max", 14000))
        )
        sizes = (stated.get("sampling_rate", RATE), stated.get("fft_window_size", 1024), stated.get("hop_length", HOP))
        bands = stated.get("feature_size", N_MELS)
        fuses = stated.get("truncation", "fusion" if fusion else "rand_trunc") == "fusion"
    except (ValueError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: not readable ({str(error).splitlines()[0]}); {COPY_FOLDER}") from error
    if sizes != (RATE, 1024, HOP) or bands != N_MELS or fuses != fusion:
        raise WeightsError(
            f"{path}: describes another front end than 48 kHz, window 1024, hop 480, {N_MELS} bands, "
            f"{'with' if fusion else 'without'} fusion; {COPY_FOLDER}"
        )
    return front


def fused_mels(wave: Tensor, front: LogMel, windowing: Windowing) -> tuple[Tensor, bool]:
    """Return the four inputs of feature fusion for audio above 10 s.

    The whole log-mel spectrogram shrunk to one window (bilinear, without antialiasing, as in LAION's training), and
    three windows of it.

    Args:
        wave: (n,) at 48 kHz, n > 480000.
        front: of the checkpoint.
        windowing: says where the three windows start.

    Returns:
        (1, 4, 1001, 64) dB, and whether the network is to fuse them: not where the audio has no frame more than 10 s.
    """
    mel = front(wave[None])[0]
    if len(mel) == FRAMES:
        return mel.expand(1, 4, -1, -1), False
    shrunk = torch.nn.functional.interpolate(mel[None, None], (FRAMES, N_MELS), mode="bilinear")[0, 0]
    starts = windowing.thirds(wave.cpu().numpy(), len(mel))
    return torch.stack([shrunk, *(mel[start : start + FRAMES] for start in starts)])[None], True
