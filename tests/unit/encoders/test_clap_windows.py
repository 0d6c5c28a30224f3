"""How audio becomes windows of 10 s: properties of the rules, at any length."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsonic_eval.encoders.clap.frontend import front_end, fused_mels
from clipsonic_eval.encoders.clap.windows import FRAMES, RATE, WINDOW, Windowing, windowing_for
from clipsonic_eval.errors import ConfigError

lengths = st.integers(1, 6 * WINDOW)
hops = st.floats(0.5, 10)


@given(lengths, hops)
def test_aligned_windows_cover_all_audio_and_the_last_one_ends_with_it(n: int, hop_s: float) -> None:
    starts = Windowing(hop_s=hop_s).starts(n)
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert starts[-1] + WINDOW == max(n, WINDOW)
    assert all(later - earlier <= round(hop_s * RATE) <= WINDOW for earlier, later in itertools.pairwise(starts))


@given(lengths, hops)
def test_with_zeros_a_window_starts_at_every_hop_before_the_end(n: int, hop_s: float) -> None:
    starts = Windowing(hop_s=hop_s, tail="zeros").starts(n)
    hop = round(hop_s * RATE)
    assert starts == [k * hop for k in range(-(-n // hop))]


@given(st.integers(1, WINDOW), st.sampled_from(["aligned", "zeros"]))
@settings(max_examples=20)
def test_short_audio_is_repeated_as_often_as_it_fits_or_once(n: int, tail: Any) -> None:
    wave = np.linspace(0.1, 1, n, dtype=np.float32)
    window = Windowing(tail=tail).window(wave, 0)
    times = WINDOW // n if tail == "aligned" else 1
    assert window.shape == (WINDOW,)
    np.testing.assert_array_equal(window[: times * n], np.tile(wave, times))
    assert not window[times * n :].any()


def test_random_crops_follow_from_the_audio_and_the_seed_alone() -> None:
    wave = np.linspace(-1, 1, 2 * WINDOW, dtype=np.float32)
    rule = Windowing(truncation="random", seed=3)
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    first, again = rule.window(wave, 0), rule.window(wave, 0)
    np.testing.assert_array_equal(first, again)
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    others = [Windowing(truncation="random", seed=4).content_seed(wave), rule.content_seed(wave[1:])]
    assert len({rule.content_seed(wave), *others}) == 3
    start = int(np.flatnonzero(wave == first[0])[0])
    np.testing.assert_array_equal(first, wave[start : start + WINDOW])


@given(st.integers(FRAMES, 5 * FRAMES))
def test_fused_windows_lie_inside_the_audio_one_in_each_third(frames: int) -> None:
    places = frames - FRAMES + 1
    front, middle, back = Windowing(truncation="fusion").thirds(np.zeros(1, np.float32), frames)
    if places >= 3:
        assert front < middle < back < places
        assert front < places / 3 <= back
    assert all(0 <= start < places for start in (front, middle, back))


def test_audio_of_one_frame_more_is_not_fused() -> None:
    front = front_end(fusion=True)
    wave = torch.from_numpy(np.sin(np.arange(WINDOW + 479)).astype(np.float32))
    mels, fused = fused_mels(wave, front, Windowing(truncation="fusion"))
    assert (tuple(mels.shape), fused) == ((1, 4, FRAMES, 64), False)
    rule, twice = Windowing(truncation="fusion"), wave.repeat(2)
    longer, fused = fused_mels(twice, front, rule)
    assert (tuple(longer.shape), fused) == ((1, 4, FRAMES, 64), True)
    whole = front(twice[None])[0]
    for found, start in zip(longer[0, 1:], rule.thirds(twice.numpy(), len(whole)), strict=True):
        np.testing.assert_array_equal(found, whole[start : start + FRAMES])


def test_every_field_that_changes_windows_changes_the_signature() -> None:
    rules = [
        Windowing(),
        Windowing(hop_s=5),
        Windowing(tail="zeros"),
        Windowing(rows="window"),
        Windowing(int16=False),
        Windowing(truncation="fusion"),
        Windowing(truncation="random"),
        Windowing(truncation="random", seed=1),
    ]
    assert len({rule.signature for rule in rules}) == len(rules)
    assert Windowing().signature == "win:10/10,repeat-padded,last-aligned-to-end|rows:mean,l2|int16:trunc"


def test_the_default_follows_from_the_checkpoint() -> None:
    assert windowing_for("clap", {}, fusion=False) == Windowing()
    assert windowing_for("clap", {}, fusion=True) == Windowing(truncation="fusion")
    assert windowing_for("clap", {"tail": "zeros"}, fusion=True) == Windowing(tail="zeros")
    assert windowing_for("clap", {"hop_s": 1}, fusion=False).hop_s == 1


@pytest.mark.parametrize(
    ("options", "fusion", "said"),
    [
        ({"hop": 1}, False, "clap: no option 'hop'; there are hop_s, int16, rows, seed, tail, truncation"),
        ({"tail": "mirror"}, False, "tail 'mirror' must be one of aligned, zeros"),
        ({"hop_s": 1e-9}, False, "must be above 0"),
        ({"truncation": "fusion"}, False, "needs a checkpoint with fusion"),
        ({"truncation": "fusion", "rows": "window"}, True, "gives one row per clip"),
        ({"truncation": "random", "tail": "zeros"}, True, "take truncation=windows with rows and tail"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], fusion: bool, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        windowing_for("clap", options, fusion=fusion)
