"""Read audio from any media file, resample it, write wavs.

wav, flac and ogg are read with soundfile, everything else with PyAV. Channels are averaged in NumPy (FFmpeg's own
downmix to mono in floating point is 1.414 times the mean) and rates are converted by soxr.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.atomic import replacing
from clipsonic_eval.errors import MediaError, ShapeError
from clipsonic_eval.files import require_regular
from clipsonic_eval.media._riff import missing_bytes
from clipsonic_eval.media.limits import MAX_SOUND_BYTES, check_sound
from clipsonic_eval.types import Clip


class PastEndError(MediaError):
    """A segment that begins after the end of the audio."""


_BLOCK = 1 << 16  # samples that are decoded at a time and dropped
SOUNDFILE_SUFFIXES = (".wav", ".flac", ".ogg", ".oga")


def read_audio(path: Path, *, key: str | None = None, start_s: float = 0.0, duration_s: float | None = None) -> Clip:
    """Read a file's audio, or a segment of it, at its own sample rate with all its channels.

    Segments are exact to the sample: the first one is ``round(start_s * rate)``, counted from the beginning of the
    file. A segment that reaches past the end is cut there. What codecs add in front (AAC priming, Opus pre-skip) is
    left out as FFmpeg leaves it out, by the container's edit list or codec delay; a container without such a place
    (mp3 in avi, raw AAC) keeps it, some 25 to 50 ms. Lossy codecs may overshoot 1 slightly; nothing is clipped.

    Args:
        path: wav, flac, ogg, or anything that FFmpeg reads.
        key: the clip's key; by default the file's stem.
        start_s: beginning of the segment in seconds, >= 0.
        duration_s: its length in seconds; None: to the end.

    Returns:
        A clip of float32 (channels, n) with n >= 1.

    Raises:
        MediaError: not a regular file, not readable as media, no audio track, truncated, damaged, empty, not finite,
            more than 2 GiB at once (see :mod:`clipsonic_eval.media.limits`), or the segment begins after its end.
    """
    if not 0 <= start_s < math.inf or (duration_s is not None and not 0 < duration_s < math.inf):
        raise MediaError(f"{path}: a segment needs start >= 0 and duration > 0, got {start_s} and {duration_s} s")
    require_regular(path, MediaError)
    read = None
    if path.suffix.lower() in SOUNDFILE_SUFFIXES:
        read = _read_soundfile(path, start_s, duration_s)
    if read is None:  # another format than the suffix says, or none that soundfile reads
        from clipsonic_eval.media._decode import decode_audio

        read = decode_audio(path, start_s, duration_s)
    samples, rate = read
    if samples.shape[1] == 0 and start_s > 0:
        raise PastEndError(f"{path}: no sound at {start_s:g} s; the audio ends before that")
    if samples.shape[1] == 0:
        raise MediaError(f"{path}: the audio track is empty")
    if not np.isfinite(samples).all():
        raise MediaError(f"{path}: the audio holds values that are not finite; export it again")
    return Clip(key if key is not None else path.stem, samples, rate)


def resample(samples: Float32, rate_in: int, rate_out: int) -> Float32:
    """Resample with soxr's HQ recipe; the identity where the rates are equal.

    Args:
        samples: (channels, n) float32 in [-1, 1].
        rate_in: Hz.
        rate_out: Hz.

    Returns:
        (channels, m) float32, m = n * rate_out / rate_in to rounding; linear phase, no delay.

    Raises:
        MediaError: the result would be more than 2 GiB, so the stated rate is implausible.
    """
    if rate_in == rate_out:
        return samples
    if 4 * samples.size * rate_out / rate_in > MAX_SOUND_BYTES:
        raise MediaError(
            f"{samples.shape[1]} samples at {rate_in} Hz are more than {MAX_SOUND_BYTES >> 30} GiB at {rate_out} Hz; "
            "is the rate in the file right?"
        )
    import soxr

    converted: Float32 = soxr.resample(samples.T, rate_in, rate_out, quality="HQ")
    return np.ascontiguousarray(converted.T)


def mono_at(clip: Clip, rate: int) -> Float32:
    """Return the mean of the channels of a clip at ``rate`` Hz, (n,) float32 in [-1, 1]."""
    mono: Float32 = resample(clip.mono()[None], clip.sample_rate, rate)[0]
    return mono


def write_wav(path: Path, samples: Float32, rate: int) -> None:
    """Write a 32-bit float wav, atomically; equal samples give equal bytes.

    Args:
        path: the file.
        samples: (n,) or (channels, n) float32.
        rate: Hz.

    Raises:
        ShapeError: the samples have another shape or type.
    """
    if samples.ndim not in (1, 2) or samples.dtype != np.float32:
        raise ShapeError(f"{path}: samples must be float32 (n,) or (channels, n), got {samples.dtype} {samples.shape}")
    from scipy.io import wavfile  # soundfile would write the time of day into the header (PEAK chunk)

    with replacing(path) as temporary:
        wavfile.write(temporary, rate, samples.T)


def _read_soundfile(path: Path, start_s: float, duration_s: float | None) -> tuple[Float32, int] | None:
    """Return (channels, n) float32 and the rate in Hz by soundfile; None where the suffix is wrong."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as sound:
            if missing := missing_bytes(path):
                raise MediaError(f"{path}: truncated, {missing} bytes are missing; fetch the file again")
            return _segment(path, sound, start_s, duration_s), int(sound.samplerate)
    except soundfile.LibsndfileError:
        return None


def _segment(path: Path, sound: Any, start_s: float, duration_s: float | None) -> Float32:
    first = min(round(start_s * sound.samplerate), sound.frames)
    count = sound.frames - first
    if duration_s is not None:
        count = min(count, round(duration_s * sound.samplerate))
    check_sound(path, sound.channels, count, sound.samplerate)
    _go_to(sound, first)
    data: Float32 = sound.read(count, dtype="float32", always_2d=True)
    if len(data) < count:
        raise MediaError(f"{path}: truncated, {len(data)} of {count} samples could be read; fetch the file again")
    return np.ascontiguousarray(data.T)


def _go_to(sound: Any, first: int) -> None:
    """Move to a sample. In ogg by decoding on: libsndfile 1.2.2 seeks in some Vorbis files 160 samples off."""
    if sound.format != "OGG":
        sound.seek(first)
        return
    for begin in range(0, first, _BLOCK):
        sound.read(min(_BLOCK, first - begin), dtype="float32")
