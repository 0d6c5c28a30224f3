"""Windows side by side and rows per frame or second, whatever the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsonic_eval.encoders._frames import FrameEncoder, Framing, mono, stereo
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.types import Clip, EncoderCard

RATE, FRAME = 100, 4
CARD = EncoderCard("frames", "0" * 64, 2, ("audio",), "", RATE)


def framed(waves: torch.Tensor) -> torch.Tensor:
    """Sum and first sample of each frame of four samples, of the first channel: (b, c, n) -> (b, n // 4, 2)."""
    frames = waves[:, 0, : waves.shape[2] // FRAME * FRAME].unflatten(1, (-1, FRAME))
    return torch.stack([frames.sum(dim=2), frames[..., 0]], dim=2)


def encoder(window_s: float | None = 1.0, rows: str = "frame") -> FrameEncoder:
    framing = Framing.of("frames", RATE, window_s, FRAME, rows)
    return FrameEncoder(framed, mono(RATE), CARD, framing, "cpu")


def clip(key: str, n: int, channels: int = 1) -> Clip:
    return Clip(key, np.random.default_rng(n).standard_normal((channels, n)).astype(np.float32), RATE)


@given(n=st.integers(1, 700), window=st.one_of(st.none(), st.integers(FRAME, 300)))
@settings(max_examples=60, deadline=None)
def test_windows_lie_side_by_side_and_only_a_rest_without_a_frame_is_left_out(n: int, window: int | None) -> None:
    wave = np.arange(1, n + 1, dtype=np.float32)[None]
    parts = Framing(RATE, window, FRAME, "frame").windows(wave)
    joined = np.concatenate(parts, axis=1)
    kept = np.count_nonzero(joined)
    np.testing.assert_array_equal(joined[0, :kept], wave[0, :kept])
    assert n - kept < FRAME
    assert kept == n or n > (window or n)
    assert all(part.shape[1] == (window or n) for part in parts[:-1])
    assert parts[-1].shape[1] >= FRAME


@pytest.mark.parametrize(
    ("n", "rows", "window_s", "expected"),
    [
        (1, "frame", 1.0, 1),
        (100, "frame", 1.0, 25),
        (100, "second", 1.0, 1),
        (250, "frame", 1.0, 25 + 25 + 12),
        (250, "second", 1.0, 3),
        (250, "frame", None, 62),
        (250, "second", None, 2),  # the half second that does not fill a row is dropped
        (50, "second", None, 1),
        (60_000, "second", 5.0, 600),  # ten minutes
    ],
)
def test_rows_of_a_clip(n: int, rows: str, window_s: float | None, expected: int) -> None:
    given = encoder(window_s, rows)
    assert given.audio_rows([clip("a", n)]) == ["a"] * expected
    assert given.audio([clip("a", n)]).shape == (expected, 2)


def test_a_row_of_a_second_is_the_mean_of_its_frames() -> None:
    sound = clip("a", 300)
    frames = encoder(None, "frame").audio([sound])
    seconds = encoder(None, "second").audio([sound])
    np.testing.assert_allclose(seconds, frames.reshape(3, 25, 2).mean(axis=1), atol=1e-6)


@given(frames=st.integers(1, 900), samples=st.integers(1, 9000))
def test_frames_of_a_row_are_those_that_kadtk_pools(frames: int, samples: int) -> None:
    theirs = int(frames / (samples / RATE / 1))
    assert Framing(RATE, None, 1, "second").frames_per_row(frames, samples) == max(1, min(frames, theirs))
    assert Framing(RATE, None, 1, "frame").frames_per_row(frames, samples) == 1


def test_rows_do_not_depend_on_the_other_clips_and_keep_their_order() -> None:
    clips = [clip("a", 130), clip("b", 3), clip("c", 130, channels=2), clip("d", 777), clip("e", 100)]
    given = encoder()
    together = given.audio(clips)
    np.testing.assert_array_equal(np.concatenate([given.audio([c]) for c in clips]), together)
    keys = given.audio_rows(clips)
    assert len(keys) == len(together)
    first = clips[4].samples[0, :FRAME]
    np.testing.assert_allclose(together[keys.index("e")], [first.sum(), first[0]], atol=1e-5)
    assert given.audio([]).shape == (0, 2)
    assert given.audio_rows([]) == []


def test_two_channels_are_kept_one_is_doubled_and_more_are_averaged() -> None:
    prepare = stereo(RATE)
    both = clip("a", 50, channels=2)
    np.testing.assert_array_equal(prepare(both), both.samples)
    np.testing.assert_array_equal(prepare(clip("b", 50)), np.repeat(clip("b", 50).samples, 2, axis=0))
    many = clip("c", 50, channels=5)
    np.testing.assert_allclose(prepare(many), np.tile(many.samples.mean(axis=0), (2, 1)), atol=1e-6)
    for channels in (1, 2, 5):
        with pytest.raises(ShapeError, match="'x': audio must hold at least one sample"):
            prepare(Clip("x", np.zeros((channels, 0), np.float32), RATE))


@pytest.mark.parametrize(
    ("window_s", "rows", "said"),
    [(0.03, "frame", "window_s 0.03 must be at least 0.04, one frame"), (1.0, "clip", "rows 'clip' must be frame or")],
)
def test_options_that_are_refused(window_s: Any, rows: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"frames: {said}"):
        encoder(window_s, rows)


def test_windows_and_rows_stand_in_the_signature() -> None:
    assert Framing(RATE, 500, 4, "second").signature == "win:5/5,last-as-is,zero-padded-to-4-samples|rows:second"
    assert Framing(RATE, None, 4, "frame").signature == "win:whole-clip,zero-padded-to-4-samples|rows:frame"


@given(n=st.integers(1, 700), half=st.integers(FRAME, 60))
@settings(max_examples=40, deadline=None)
def test_windows_that_overlap_are_those_of_unfolding_the_clip_between_two_half_windows_of_zeros(
    n: int, half: int
) -> None:
    wave = np.arange(1, n + 1, dtype=np.float32)[None]
    parts = Framing(RATE, 2 * half, FRAME, "frame", overlap=True).windows(wave)
    whole = 2 * half * -(-n // (2 * half))
    padded = torch.nn.functional.pad(torch.from_numpy(wave), (half, whole - n + half))
    unfolded = torch.nn.functional.unfold(padded[None, None], (1, 2 * half), stride=(1, half))[0].T
    np.testing.assert_array_equal(np.concatenate(parts), unfolded.numpy())


def test_overlapping_windows_stand_in_the_signature_and_need_a_length() -> None:
    framing = Framing.of("frames", RATE, 5.0, FRAME, "frame", overlap=True)
    assert framing.signature == "win:5/2.5,from-half-a-window-before,zeros-to-whole|rows:frame"
    with pytest.raises(ConfigError, match="frames: overlap needs window_s"):
        Framing.of("frames", RATE, None, FRAME, "frame", overlap=True)
