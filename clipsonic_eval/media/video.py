"""Probe media files, read upright RGB frames at given times, read images."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from clipsonic_eval.arraytypes import UInt8
from clipsonic_eval.errors import MediaError
from clipsonic_eval.files import require_regular
from clipsonic_eval.media._open import audio_track, opened, stated_end_s, video_track, zero_time
from clipsonic_eval.media._upright import display_matrix, upright
from clipsonic_eval.media.limits import MAX_PIXELS, check_pixels

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_FAR_S = 5.0  # beyond this it pays to look for a key frame instead of decoding on


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """An audio track.

    Attributes:
        codec: FFmpeg's name.
        sample_rate: Hz.
        channels: number of channels.
        duration_s: stated length in seconds (the file's where the track has none), or None.
    """

    codec: str
    sample_rate: int
    channels: int
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """A video track.

    Attributes:
        codec: FFmpeg's name.
        pixel_format: FFmpeg's name.
        width: stored width in pixels.
        height: stored height in pixels.
        fps: mean frames per second, or None.
        duration_s: stated length in seconds (the file's where the track has none), or None.
    """

    codec: str
    pixel_format: str
    width: int
    height: int
    fps: float | None
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What the headers of a file state.

    Attributes:
        container: FFmpeg's name of the format.
        duration_s: of the whole file in seconds; None where the file does not say.
        audio: the audio track, None if there is none.
        video: the video track, None if there is none (cover art does not count).
    """

    container: str
    duration_s: float | None
    audio: AudioTrack | None
    video: VideoTrack | None


def probe(path: Path) -> MediaInfo:
    """Read the headers of a file, without decoding it.

    Raises:
        MediaError: no such file, or not readable as media.
    """
    with opened(path, "headers") as container:
        whole = _whole_s(container)
        audio = video = None
        with contextlib.suppress(MediaError):
            track = audio_track(container, path)
            context = track.codec_context
            length = _length_s(container, track, whole)
            audio = AudioTrack(context.name, int(context.sample_rate), len(context.layout.channels), length)
        with contextlib.suppress(MediaError):
            track = video_track(container, path)
            context = track.codec_context
            fps = float(track.average_rate) if track.average_rate else None
            length = _length_s(container, track, whole)
            video = VideoTrack(context.name, context.pix_fmt or "", context.width, context.height, fps, length)
        return MediaInfo(container.format.name, whole, audio, video)


def video_length_s(path: Path) -> float:
    """Return how long a video track is in seconds: as stated, else to the end of its last packet; without decoding it.

    Raises:
        MediaError: not readable as media, no video track, or neither a length nor times.
    """
    with opened(path, "packets") as container:
        track = video_track(container, path)
        stated = _length_s(container, track, _whole_s(container))
        if stated is not None:
            return stated
        # as recorders write while they record, and tools into a pipe
        timed = (packet for packet in container.demux(track) if packet.pts is not None)
        end = max((packet.pts + (packet.duration or 0) for packet in timed), default=None)
        if end is None:
            raise MediaError(f"{path}: does not say when its frames are shown; write it anew: ffmpeg -i IN OUT.mp4")
        return max(0.0, float(end * track.time_base) - zero_time(container))


def _whole_s(container: Any) -> float | None:
    return container.duration / 1_000_000 if container.duration else None


def _length_s(container: Any, track: Any, whole: float | None) -> float | None:
    end = stated_end_s(container, track)
    return whole if end is None else max(0.0, end - zero_time(container))


def read_frames(path: Path, times_s: Sequence[float]) -> list[UInt8]:
    """Read the frame that is on screen at each of the times: the last one at or before it.

    A time before the first frame gives the first one, a time after the last frame the last one. Rotation and
    mirroring by the display matrix are applied; pixels are taken as square. Any pixel format becomes 8-bit RGB.

    Args:
        path: the video.
        times_s: in seconds from the beginning of the file, in any order.

    Returns:
        One (height, width, 3) uint8 RGB frame for each time, in the order of the times.

    Raises:
        MediaError: not readable as media, no video track, no frame in it, or damaged before the last time.
    """
    if not times_s:
        return []
    order = sorted(range(len(times_s)), key=lambda i: times_s[i])
    frames: list[UInt8 | None] = [None] * len(times_s)
    with opened(path, "video") as container:
        track = video_track(container, path)
        track.codec_context.thread_count = 1  # many files at a time are decoded by many processes
        track.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # the size may change on the way
        walk = _Walk(path, container, track)
        last: tuple[Any, UInt8] | None = None
        for i in order:
            frame = walk.at(times_s[i])
            if last is None or last[0] is not frame:
                last = (frame, _rgb(frame))
            frames[i] = last[1]
    return [f for f in frames if f is not None]


class _Walk:
    """Walks forward through a video; seeks where the next time is far away."""

    def __init__(self, path: Path, container: Any, track: Any) -> None:
        self._path = path
        self._container = container
        self._track = track
        self._zero = zero_time(container)
        self._frames: Iterator[Any] = container.decode(track)
        self._shown: Any = None
        self._next: Any = next(self._frames, None)

    def at(self, time_s: float) -> Any:
        """Return the frame on screen at ``time_s``; times must not fall."""
        if time_s - self._time(self._next, time_s) > _FAR_S:
            self._jump(time_s)
        while self._next is not None and (self._shown is None or self._time(self._next, -1.0) <= time_s + 1e-6):
            self._shown, self._next = self._next, next(self._frames, None)
        if self._shown is None:
            raise MediaError(f"{self._path}: the video track holds no frame")
        return self._shown

    def _time(self, frame: Any, default: float) -> float:
        return default if frame is None or frame.time is None else float(frame.time) - self._zero

    def _jump(self, time_s: float) -> None:
        before = (self._shown, self._next)
        self._container.seek(int((time_s + self._zero) / self._track.time_base), stream=self._track)
        self._frames = self._container.decode(self._track)
        # A transport stream has no index: the seek may land between key frames, where decoders return garbage.
        self._next = next((frame for frame in self._frames if frame.key_frame), None)
        if self._next is None or self._time(self._next, time_s + 1) > time_s:
            # No key frame before that time could be found by the index: go on from the beginning.
            self._container.seek(0)
            self._frames = self._container.decode(self._track)
            self._next = next(self._frames, None)
        if self._next is None:
            self._shown = before[1] or before[0]


def _rgb(frame: Any) -> UInt8:
    check_pixels(frame.width, frame.height, "video frame")
    converted = frame.reformat(format="rgb24", threads=1)  # by default every frame starts a thread on each core
    image: UInt8 = converted.to_ndarray()
    return upright(image, display_matrix(frame))


def centre_frame(path: Path) -> UInt8:
    """Return the frame on screen in the middle of a video, (height, width, 3) uint8 RGB.

    Raises:
        MediaError: not readable as media, no video track, or a video without times.
    """
    return spread_frames(path, 1)[0]


def spread_frames(path: Path, k: int) -> list[UInt8]:
    """Return the frames on screen in the middle of k equal parts of a video, (height, width, 3) uint8 RGB each.

    Raises:
        MediaError: not readable as media, no video track, or a video without times.
    """
    length = video_length_s(path)
    return read_frames(path, [(j + 0.5) / k * length for j in range(k)])


def read_image(path: Path) -> UInt8:
    """Read a png, jpg, webp, ... as upright (height, width, 3) uint8 RGB; transparency lies on white.

    Raises:
        MediaError: not a regular file, not readable as an image, or of more than 67,108,864 pixels.
    """
    require_regular(path, MediaError)
    with opened_image(path, str(path)) as image:
        return image_pixels(image)


def image_pixels(image: Any) -> UInt8:
    """Return an image of Pillow as upright (height, width, 3) uint8 RGB; transparency lies on white."""
    from PIL import Image, ImageOps

    turned = ImageOps.exif_transpose(image)
    if turned.has_transparency_data:
        layer = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    if turned.mode.startswith("I;16"):
        return np.repeat((np.asarray(turned) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    return np.array(turned.convert("RGB"))


@contextlib.contextmanager
def opened_image(source: Path | IO[bytes], name: str) -> Iterator[Any]:
    """Yield Pillow's image of a file, or of bytes in memory; its errors inside the block become MediaError.

    Args:
        source: the file, or its bytes.
        name: how errors call it.

    Raises:
        MediaError: not readable as an image, or of more than 67,108,864 pixels.
    """
    from PIL import Image

    try:
        with Image.open(source) as image:
            check_pixels(*image.size, name)
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise MediaError(f"{name}: an image of more than {MAX_PIXELS} pixels; make it smaller") from None
    except (OSError, ValueError, SyntaxError, MemoryError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise MediaError(f"{name}: not readable as an image ({why})") from None


def query_image(path: Path) -> UInt8:
    """Return an image file, or the centre frame of a video, as (height, width, 3) uint8 RGB.

    Raises:
        MediaError: not readable as either.
    """
    return query_frames(path, 1)[0]


def query_frames(path: Path, k: int) -> list[UInt8]:
    """Return the one image of an image file, or k frames of a video (:func:`spread_frames`), (height, width, 3) each.

    Raises:
        MediaError: not readable as either.
    """
    return [read_image(path)] if path.suffix.lower() in IMAGE_SUFFIXES else spread_frames(path, k)
