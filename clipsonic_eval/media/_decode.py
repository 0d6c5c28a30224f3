"""Decode the audio track of a container into one array, exact to the sample.

Decoded frames are laid end to end; a frame's time stamp moves the position only where it is more than ``_JUMP_S``
off, since many containers round stamps to a millisecond. A gap in the track becomes silence, so that audio and
video stay in sync; one of more than ten minutes is refused as damage or a decompression bomb.

Only mp4 and mov are entered in the middle: their index and stamps are exact to the sample. Any other container is
decoded from its beginning (about a thousand times faster than real time) and what lies before the segment is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval.arraytypes import AnyArray, Float32
from clipsonic_eval.errors import MediaError
from clipsonic_eval.media._open import audio_track, is_mov, opened, stated_end_s, zero_time
from clipsonic_eval.media._riff import missing_bytes
from clipsonic_eval.media.limits import MAX_HOLE_S, check_sound

_JUMP_S = 0.1  # a time stamp that is off by more is believed
_PREROLL_S = 0.5  # decoded and dropped after a jump: lossy codecs need the past to be themselves again
_PADDING = 4096  # samples that an encoder may add at the end to fill its last frame


def decode_audio(path: Path, start_s: float, duration_s: float | None) -> tuple[Float32, int]:
    """Decode a segment of the best audio track.

    Args:
        path: the container.
        start_s: beginning in seconds from the beginning of the file.
        duration_s: length in seconds, None: to the end.

    Returns:
        (channels, n) float32 at the track's rate, and that rate in Hz; n = 0 if the track ends before ``start_s``.

    Raises:
        MediaError: not readable, no audio track, damaged, or less sound than the container states: in mp4 and mov
            the track ends more than 0.1 s and three frames early; in mkv, webm, avi, asf and flv everything ends
            more than 0.25 s before the file's stated duration (avi: bytes are missing). Other formats state no duration
            that could be checked.
    """
    with opened(path, "audio") as container:
        track = audio_track(container, path)
        zero = zero_time(container)
        if start_s > 2 * _PREROLL_S and is_mov(container):
            container.seek(int((start_s - _PREROLL_S + zero) / track.time_base), stream=track)
        line = _Line(path, start_s, duration_s, zero)
        reader = _Reader(container, track)
        for frame in reader.frames():
            line.add(frame)
            if line.full:
                break
        else:
            _check_end(path, container, track, line, reader.last_s)
        return line.samples()


class _Reader:
    """Yields the frames of one track, and keeps where the last packet of any track ends."""

    def __init__(self, container: Any, track: Any) -> None:
        self._container = container
        self._track = track
        self._ends: dict[int, int] = {}  # of each track's last packet, in its time base
        track.codec_context.thread_count = 1  # many files at a time are decoded by many processes

    def frames(self) -> Iterator[Any]:
        for packet in self._container.demux():
            stamp, track = packet.pts, packet.stream_index
            if stamp is None:
                stamp = packet.dts
            if stamp is not None:
                self._ends[track] = max(self._ends.get(track, 0), stamp + (packet.duration or 0))
            if track == self._track.index:
                yield from packet.decode()

    @property
    def last_s(self) -> float:
        """Where the last packet of any track ends, in seconds."""
        ends = (float(end * self._container.streams[track].time_base) for track, end in self._ends.items())
        return max(ends, default=0.0)


@dataclass
class _Line:
    """The timeline of the segment, in samples of the file."""

    path: Path
    start_s: float
    duration_s: float | None
    zero_s: float
    rate: int = 0
    channels: int = 0
    first: int = 0  # of the segment
    last: int | None = None  # nothing is kept from here on
    end: int = 0  # position after the last frame
    longest: int = 0
    kept: int = 0  # samples in parts
    parts: list[tuple[int, Float32]] = field(default_factory=list)

    @property
    def full(self) -> bool:
        return self.last is not None and self.end >= self.last

    def _begin(self, frame: Any, channels: int) -> None:
        self.rate, self.channels = frame.sample_rate, channels
        self.first = round(self.start_s * self.rate)
        self.last = None if self.duration_s is None else self.first + round(self.duration_s * self.rate)
        self.end = self._stamp(frame, 0)

    def add(self, frame: Any) -> None:
        data = _as_float(frame)
        before = self.end  # 0 for the first frame: what is missing before it is a hole too
        if self.rate == 0:
            self._begin(frame, len(data))
        if (frame.sample_rate, len(data)) != (self.rate, self.channels):
            raise MediaError(
                f"{self.path}: rate or channels change at {self.end / self.rate:.2f} s; re-encode the file"
            )
        stamp = self._stamp(frame, self.end)
        hole_s = (stamp - max(before, self.first)) / self.rate
        if hole_s > MAX_HOLE_S:
            raise MediaError(
                f"{self.path}: a gap of {hole_s:.0f} s in the audio at {before / self.rate:.2f} s, longer than "
                f"{MAX_HOLE_S:g} s; re-encode the file"
            )
        if abs(stamp - self.end) > _JUMP_S * self.rate:
            self.end = stamp
        skip = max(0, self.first - self.end)
        if skip < data.shape[1]:
            self.parts.append((self.end + skip - self.first, data[:, skip:]))
            self.kept += data.shape[1] - skip
            check_sound(self.path, self.channels, self.kept, self.rate)
        self.end += data.shape[1]
        self.longest = max(self.longest, data.shape[1])

    def _stamp(self, frame: Any, default: int) -> int:
        if frame.pts is None:
            return default
        base = frame.time_base
        # whole numbers divide to the float next to the fraction, ten times as fast as fractions do
        stamp_s: float = frame.pts * base.numerator / base.denominator
        return round((stamp_s - self.zero_s) * self.rate)

    def samples(self) -> tuple[Float32, int]:
        if self.rate == 0:
            raise MediaError(f"{self.path}: the audio track is empty")
        reached = max((offset + data.shape[1] for offset, data in self.parts), default=0)
        if self.last is not None:
            reached = min(reached, max(0, self.last - self.first))
        check_sound(self.path, self.channels, reached, self.rate)
        whole = np.zeros((self.channels, reached), np.float32)
        for offset, data in self.parts:
            stop = min(offset + data.shape[1], reached)
            if offset < stop:
                whole[:, offset:stop] = data[:, : stop - offset]
        return whole, self.rate


def _check_end(path: Path, container: Any, track: Any, line: _Line, last_s: float) -> None:
    """Cut the encoder's padding, and refuse a track that ends before the container says."""
    if line.rate == 0:
        return
    if missing := missing_bytes(path):
        raise MediaError(f"{path}: truncated, {missing} bytes are missing; fetch the file again")
    stated_s = stated_end_s(container, track)
    if stated_s is None:
        return
    if is_mov(container):
        stated = round((stated_s - line.zero_s) * line.rate)
        missing = stated - line.end
        if -_PADDING <= missing < 0:
            line.last = stated if line.last is None else min(line.last, stated)
        short = missing > 0.1 * line.rate + 3 * line.longest
        there_s = line.end / line.rate
    else:
        short = stated_s - last_s > 0.25
        there_s = last_s
    if short:
        raise MediaError(f"{path}: truncated, {there_s:.2f} of {stated_s:.2f} s are there; fetch the file again")


def _as_float(frame: Any) -> Float32:
    """Return a frame's samples, (channels, n) float32 with full scale 1."""
    data: AnyArray = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, len(frame.layout.channels)).T
    if data.dtype == np.uint8:
        data = (data.astype(np.float32) - 128) / 128
    elif data.dtype.kind == "i":
        data = data / float(-int(np.iinfo(data.dtype).min))
    return data.astype(np.float32, copy=False)
