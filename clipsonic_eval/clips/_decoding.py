"""Decode one item: cut it into clips, resample them, take frames. A pure function for worker processes; no torch."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clipsonic_eval.arraytypes import Float32, UInt8
from clipsonic_eval.checks.audio import check_levels, levels, unusable
from clipsonic_eval.clips._inside import extracted
from clipsonic_eval.clips.prepare_config import PrepareConfig
from clipsonic_eval.datasets import SourceItem
from clipsonic_eval.errors import MediaError
from clipsonic_eval.media._open import held_open
from clipsonic_eval.media.audio import PastEndError, read_audio, resample
from clipsonic_eval.media.limits import MAX_PIXELS
from clipsonic_eval.media.squares import Square
from clipsonic_eval.media.video import probe, read_frames
from clipsonic_eval.types import Clip, Finding, Skip

logger = logging.getLogger(__name__)
_MAX_WINDOWS = 16  # windows of a long item that are decoded at a time
_MAX_SECONDS = 1800.0  # seconds of it, unless one window is longer


@dataclass(frozen=True, slots=True)
class DecodeTask:
    """One item of a shard, from its ``window``-th clip on; of its frames only the ``square``, where there is one."""

    shard: int
    item: SourceItem
    config: PrepareConfig
    window: int = 0
    square: Square | None = None


@dataclass(frozen=True, slots=True)
class DecodedClip:
    """One clip before its frames are embedded.

    Attributes:
        key: of the clip.
        start_s: where it begins in its file, seconds.
        valid_s: seconds of audio in it; zeros follow.
        audio: (n_samples,) float32.
        frames: (height, width, 3) uint8 RGB each.
        findings: what looks wrong with its audio.
    """

    key: str
    start_s: float
    valid_s: float
    audio: Float32
    frames: list[UInt8]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoded:
    """The result of a task.

    Attributes:
        clips: of the item.
        skipped: why the item, or a part of it, is left out.
        next_window: the window to continue with, where the item is longer than what is decoded at a time.
        over_limit: whether it is left out for the time or memory that it takes.
    """

    clips: list[DecodedClip]
    skipped: list[Skip]
    next_window: int | None = None
    over_limit: bool = False


def decode(task: DecodeTask) -> Decoded:
    """Decode an item; whatever is wrong with its file becomes a skip."""
    if task.item.member is None:
        return _decode(task)
    try:
        with extracted(task.item) as item:
            return _decode(replace(task, item=item))
    except MediaError as error:
        return Decoded([], [_skip(task, error)])


def _decode(task: DecodeTask) -> Decoded:
    try:
        with held_open(task.item.path):
            return _decode_windows(task)
    except PastEndError as error:
        done = task.window > 0  # the item ended exactly with the last window of the last task
        return Decoded([], [] if done else [_skip(task, error)])
    except MediaError as error:
        return Decoded([], [_skip(task, error)])
    except MemoryError:
        why = "decoding it takes more memory than there is, or than item_limit_gib allows"
        return Decoded([], [Skip(task.item.key, why)], over_limit=True)
    except Exception as error:  # one odd file in 200 000 must not end the job
        logger.exception("unexpected failure on %s", task.item.path)
        return Decoded([], [Skip(task.item.key, f"unexpected {type(error).__name__}: {error}")])


def _skip(task: DecodeTask, error: MediaError) -> Skip:
    return Skip(task.item.key, str(error).removeprefix(f"{task.item.path}: "))


def _decode_windows(task: DecodeTask) -> Decoded:
    item, config = task.item, task.config
    windows = _windows(task)
    begin, length = _span(task, windows)
    clip = read_audio(item.path, key=item.key, start_s=begin, duration_s=length)
    cut = [_clip_of_window(clip, task, w, begin) for w in range(windows)]
    clips = [one for one in cut if isinstance(one, DecodedClip)]
    _take_frames(item.path, clips, config.n_frames, task.square)
    whole = clip.duration_s >= len(cut) * config.duration_s - 0.5 / clip.sample_rate
    next_window = task.window + len(cut) if config.window == "all" and whole else None
    return Decoded(clips, [one for one in cut if isinstance(one, Skip)], next_window)


def longest_s(config: PrepareConfig) -> float:
    """Return how many seconds of sound one task decodes at most."""
    return _most_windows(config) * config.duration_s


def _most_windows(config: PrepareConfig) -> int:
    return max(1, min(_MAX_WINDOWS, int(_MAX_SECONDS / config.duration_s))) if config.window == "all" else 1


def _windows(task: DecodeTask) -> int:
    """Return how many windows are decoded at a time: fewer where windows are long or frames large."""
    config = task.config
    at_most = _most_windows(config)
    if at_most == 1:
        return 1
    video = probe(task.item.path).video if config.n_frames else None
    if video is not None:
        at_most = min(at_most, MAX_PIXELS // max(1, video.width * video.height * config.n_frames))
    return max(1, at_most)


def _clip_of_window(clip: Clip, task: DecodeTask, window: int, begin_s: float) -> DecodedClip | Skip | None:
    """Return one clip of what was read, or why there is none; None after the end."""
    config, number, seconds = task.config, task.window + window, task.config.duration_s
    first, last = (round(i * seconds * clip.sample_rate) for i in (window, window + 1))
    native = clip.samples[:, first:last].mean(axis=0, dtype=np.float64).astype(np.float32)
    valid = min(native.size / clip.sample_rate, seconds)
    name = f"{clip.key}-w{number:04d}" if config.window == "all" else clip.key
    if valid < config.min_s:
        short = f"{valid:.3f} s of audio, less than min_s = {config.min_s:g} s"
        return Skip(name, short) if number == 0 else None
    channels = [levels(native, name)]
    if why := unusable(channels, name):
        return Skip(name, why)
    audio = _pad_or_trim(resample(native[None], clip.sample_rate, config.sample_rate)[0], config.n_samples)
    if not config.keep_silence and float(np.abs(audio).max()) < config.silence_peak:
        return Skip(name, f"silence, no sample reaches {config.silence_peak:g} (keep_silence keeps it)")
    found = (*check_levels(channels, name), *_rate_finding(clip, name, config.sample_rate))
    return DecodedClip(name, begin_s + window * seconds, valid, audio, [], found)


def _rate_finding(clip: Clip, name: str, wanted: int) -> list[Finding]:
    if clip.sample_rate >= wanted:
        return []
    sentence = (
        f"'{name}' has a lower sample rate than the clips ({clip.sample_rate} Hz, they have {wanted} Hz), so nothing "
        f"above {clip.sample_rate / 2:g} Hz; leave such files out or prepare all at the lower rate"
    )
    return [Finding("rate", "warning", (name,), sentence)]


def _span(task: DecodeTask, windows: int) -> tuple[float, float]:
    """Return where to begin and how much to read, in seconds."""
    item, config = task.item, task.config
    if config.window == "all":
        passed = task.window * config.duration_s
        length = windows * config.duration_s
        if item.duration_s is not None:
            length = min(length, item.duration_s - passed)
        if length <= 0:
            raise PastEndError(f"{item.path}: the item ends here")
        return item.start_s + passed, length
    wanted = config.duration_s if item.duration_s is None else min(config.duration_s, item.duration_s)
    if config.window == "first":
        return item.start_s, wanted
    there = max(0.0, _duration_s(item.path) - item.start_s)
    length = there if item.duration_s is None else min(there, item.duration_s)
    return item.start_s + max(0.0, (length - wanted) / 2), wanted


def _duration_s(path: Path) -> float:
    """Return the length of a file's audio in seconds; files that do not state it are decoded."""
    track = probe(path).audio
    if track is None:
        raise MediaError(f"{path}: no audio track")
    return track.duration_s if track.duration_s is not None else read_audio(path).duration_s


def _pad_or_trim(audio: Float32, n: int) -> Float32:
    return np.pad(audio[:n], (0, max(0, n - len(audio))))


def _take_frames(path: Path, clips: list[DecodedClip], k: int, square: Square | None) -> None:
    """Add its frames to every clip: in the middle of ``k`` equal parts of its valid time."""
    if not k or not clips:
        return
    times = [clip.start_s + (j + 0.5) / k * clip.valid_s for clip in clips for j in range(k)]
    try:
        frames = read_frames(path, times)
    except MediaError as error:
        if "no video track" in str(error):
            raise MediaError(f"{path}: no video track (--set image_encoder=null prepares audio alone)") from None
        raise
    if square is not None:  # a hundredth of what would pass between processes
        frames = [square.cut(frame) for frame in frames]
    for i, clip in enumerate(clips):
        clip.frames.extend(frames[i * k : (i + 1) * k])
