"""Mel scales and filter banks against closed forms and transformers' own filter banks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.errors import ConfigError
from clipsonic_eval.media.mel import MelScale, hz_to_mel, mel_filter_bank, mel_to_hz

SCALES: tuple[MelScale, ...] = ("slaney", "htk", "kaldi")


@pytest.mark.parametrize(
    ("scale", "hz", "mel"),
    [
        ("slaney", 0.0, 0.0),
        ("slaney", 200.0, 3.0),
        ("slaney", 1000.0, 15.0),
        ("slaney", 6400.0, 42.0),  # 27 mel above 1 kHz for a factor of 6.4
        ("htk", 700.0, 2595 * np.log10(2)),
        ("htk", 6300.0, 2595.0),
        ("kaldi", 700.0, 1127 * np.log(2)),
        ("kaldi", 700 * (np.e - 1), 1127.0),
    ],
)
def test_scales_go_through_their_defining_points(scale: MelScale, hz: float, mel: float) -> None:
    assert float(hz_to_mel(hz, scale)) == pytest.approx(mel, rel=1e-12, abs=1e-12)
    assert float(mel_to_hz(mel, scale)) == pytest.approx(hz, rel=1e-12, abs=1e-9)


@given(st.sampled_from(SCALES), st.lists(st.floats(0, 24000), min_size=2, max_size=20, unique=True))
def test_scales_rise_and_have_an_inverse(scale: MelScale, frequencies: list[float]) -> None:
    hz = np.sort(np.array(frequencies))
    mel = hz_to_mel(hz, scale)
    assert (np.diff(mel) >= 0).all()
    np.testing.assert_allclose(mel_to_hz(mel, scale), hz, rtol=1e-9, atol=1e-7)


def test_kaldi_rounds_the_factor_of_htk() -> None:
    hz = np.linspace(20, 20000, 50)
    ratio = hz_to_mel(hz, "kaldi") / hz_to_mel(hz, "htk")
    np.testing.assert_allclose(ratio, 1127 * np.log(10) / 2595, rtol=1e-12)


def test_the_slaney_scale_has_no_jump_at_its_break() -> None:
    below, above = hz_to_mel([999.999999, 1000.000001], "slaney")
    assert 0 < above - below < 1e-7


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"scale": "slaney", "unit_area": True}, {"mel_scale": "slaney", "norm": "slaney"}),
        ({"scale": "slaney"}, {"mel_scale": "slaney", "norm": None}),
        ({"scale": "htk"}, {"mel_scale": "htk", "norm": None}),
        (
            {"scale": "kaldi", "flanks": "mel"},
            {"mel_scale": "kaldi", "norm": None, "triangularize_in_mel_space": True},
        ),
    ],
)
@pytest.mark.parametrize(
    ("rate", "n_fft", "bands", "fmin", "fmax"),
    [(16000, 512, 64, 50, 8000), (48000, 1024, 64, 50, 14000), (32000, 2048, 128, 0, 15000)],
)
def test_banks_are_those_of_transformers(
    ours: Any, theirs: Any, rate: int, n_fft: int, bands: int, fmin: float, fmax: float
) -> None:
    from transformers.audio_utils import mel_filter_bank as reference

    expected = reference(n_fft // 2 + 1, bands, fmin, fmax, rate, **theirs)
    found = mel_filter_bank(rate, n_fft, bands, fmin, fmax, **ours)
    assert found.shape == (n_fft // 2 + 1, bands)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("scale", SCALES)
def test_triangles_have_height_one_or_area_one(scale: MelScale) -> None:
    n_fft = 2**18  # so fine a grid that sums are integrals
    plain = mel_filter_bank(16000, n_fft, 8, 100, 7000, scale=scale)
    np.testing.assert_allclose(plain.max(axis=0), 1, atol=1e-3)
    area = mel_filter_bank(16000, n_fft, 8, 100, 7000, scale=scale, unit_area=True).sum(axis=0) * 16000 / n_fft
    np.testing.assert_allclose(area, 1, atol=1e-3)


@given(st.sampled_from(SCALES), st.sampled_from(["hz", "mel"]), st.integers(4, 80))
def test_neighbouring_triangles_sum_to_one_between_the_outer_peaks(scale: MelScale, flanks: Any, bands: int) -> None:
    bank = mel_filter_bank(16000, 1024, bands, 60, 7600, scale=scale, flanks=flanks)
    assert (bank >= 0).all()
    corners = mel_to_hz(np.linspace(*hz_to_mel([60, 7600], scale), bands + 2), scale)  # type: ignore[call-overload]
    hz = np.arange(513) * 16000 / 1024
    inner = (hz > corners[1]) & (hz < corners[-2])
    np.testing.assert_allclose(bank[inner].sum(axis=1), 1, atol=1e-9)
    assert not bank[(hz <= 60) | (hz >= 7600)].any()


@pytest.mark.parametrize(("fmin", "fmax"), [(-1, 8000), (4000, 4000), (0, 8001), (5000, 100)])
def test_impossible_corners_are_refused(fmin: float, fmax: float) -> None:
    with pytest.raises(ConfigError, match="0 <= fmin < fmax <= sample_rate / 2"):
        mel_filter_bank(16000, 512, 64, fmin, fmax, scale="htk")
