"""What the conventions of other toolkits do with audio, restated from their sources step by step."""

from __future__ import annotations

import dataclasses
import inspect
from collections import Counter

import numpy as np
import pyloudnorm
import pytest
import soxr

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.encoders import ENCODERS, EncoderBase
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.resolve import ConventionEncoder
from clipsonic_eval.media.resamplers import resampler
from clipsonic_eval.types import Clip, EncoderCard

NAMES = list(CONVENTIONS)
RATE = 44100
NOISE = np.random.default_rng(0).standard_normal((2, RATE // 2)).astype(np.float32)
STEREO = (0.2 * NOISE + np.array([[0.1], [-0.3]], np.float32)).astype(np.float32)
CLIP = Clip("a", STEREO, RATE)
ENCODER_RATES = {"vggish": 16000, "panns-cnn14-16k": 16000, "panns-cnn14": 32000, "passt": 32000, "clap": 48000}
ENCODER_RATES |= {"imagebind": 16000, "synchformer": 16000}
ENCODER_RATES |= {"openl3": 44100}  # band-limited before the encoder brings it to 48 kHz
ENCODER_RATES |= {"audiobox-aesthetics": 16000, "mert": 24000, "encodec-24k": 24000, "encodec-48k": 48000, "dac": 44100}


def preprocessed(name: str, clip: Clip = CLIP) -> Clip:
    return CONVENTIONS[name].preprocessing(clip)


def encoder_rate(encoder: str) -> int:
    return next(rate for prefix, rate in ENCODER_RATES.items() if encoder.startswith(prefix))


@pytest.mark.parametrize("name", NAMES)
def test_audio_reaches_the_encoder_at_its_own_rate_or_untouched(name: str) -> None:
    convention = CONVENTIONS[name]
    assert convention.preprocessing.rate in (None, encoder_rate(convention.encoder))
    found = preprocessed(name)
    assert found.key == "a"
    assert found.samples.dtype == np.float32
    assert np.isfinite(found.samples).all()
    assert len(found.samples) == (2 if convention.preprocessing.mono == "encoder" else 1)


def test_no_two_conventions_compute_the_same() -> None:
    computed = Counter(
        (c.metric, c.encoder, tuple(sorted(c.options.items())), c.preprocessing, c.store, c.scale)
        for c in map(CONVENTIONS.__getitem__, NAMES)
    )
    assert [what for what, n in computed.items() if n > 1] == []


@pytest.mark.parametrize("name", NAMES)
def test_options_have_values_that_the_loader_states(name: str) -> None:
    """Misspelt values of an option would be found only where weights are at hand."""
    convention = CONVENTIONS[name]
    taken = inspect.signature(ENCODERS[convention.encoder]).parameters
    for option in set(convention.options) & set(taken):
        hint = str(taken[option].annotation)
        if "Literal" in hint:
            assert f"'{convention.options[option]}'" in hint.replace('"', "'")


def test_fadtk_mixes_resamples_and_rounds_through_16_bit_wavs_of_at_least_a_second() -> None:
    found = preprocessed("fad/fadtk")
    mono = resampler("torchaudio-kaiser-best")(STEREO.mean(axis=0)[None], RATE, 16000)
    rounded = np.clip(np.rint(mono * 32768), -32768, 32767) / 32768
    assert (found.sample_rate, found.samples.shape) == (16000, (1, 16000))
    np.testing.assert_array_equal(found.samples[:, : mono.shape[1]], rounded)
    assert not found.samples[:, mono.shape[1] :].any()
    np.testing.assert_array_equal(found.samples * 32768, np.rint(found.samples * 32768))


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("kad/") or n.startswith("fad/fadtk")])
def test_fadtk_and_kadtk_read_16_bit_wavs_that_their_resampler_wrote(name: str) -> None:
    found = dataclasses.replace(CONVENTIONS[name].preprocessing, lufs=None)(CLIP)
    mono = resampler("torchaudio-kaiser-best")(STEREO.mean(axis=0)[None], RATE, found.sample_rate)
    steps = found.samples[:, : mono.shape[1]] * 32768
    np.testing.assert_array_equal(steps, np.rint(steps))
    assert np.abs(steps / 32768 - mono).max() <= 0.5001 / 32768
    assert CONVENTIONS[name].store == "float16"


@pytest.mark.parametrize(("name", "minutes"), [("fad/fadtk-mert-v1-95m", 6), ("fad/fadtk-encodec-emb-48k", 3)])
def test_fadtk_cuts_long_clips_before_transformers_and_codecs(name: str, minutes: int) -> None:
    rate = CONVENTIONS[name].preprocessing.rate
    assert rate is not None
    long = Clip("a", np.full((1, 60 * minutes * rate + 5), 0.25, np.float32), rate)
    np.testing.assert_array_equal(preprocessed(name, long).samples, long.samples[:, : 60 * minutes * rate])


def test_fadtk_reads_every_frame_where_kadtk_averages_the_frames_of_a_second() -> None:
    for model, window_s in (("mert-v1-95m", None), ("encodec-emb", None), ("encodec-emb-48k", 1.0)):
        fad, kad = (CONVENTIONS[name] for name in (f"fad/fadtk-{model}", f"kad/kadtk-{model}"))
        assert (fad.options["rows"], kad.options["rows"]) == ("frame", "second")
        assert fad.options["window_s"] == kad.options["window_s"] == window_s
        assert fad.preprocessing == kad.preprocessing
    layers = {CONVENTIONS[f"fad/fadtk-mert-v1-95m{suffix}"].options["layer"] for suffix in ("", "-1", "-11")}
    assert layers == {12, 1, 11}


def test_frechet_audio_distance_gives_encodec_at_48_khz_both_channels() -> None:
    name = "fad/frechet-audio-distance-encodec"
    assert len(preprocessed(f"{name}-24k").samples) == 1
    both = preprocessed(f"{name}-48k").samples
    np.testing.assert_array_equal(both, resampler("resampy-kaiser-best")(STEREO, RATE, 48000))


def test_audioldm_takes_the_first_channel_without_its_mean_and_pads_to_two_seconds() -> None:
    for name in ("fad/audioldm-eval", "kl/audioldm-eval", "fad/audioldm-eval-fd", "is/audioldm-eval"):
        found = preprocessed(name)
        left = resampler("torchaudio-hann")(STEREO[:1], RATE, 16000)
        n = left.shape[1]
        assert found.samples.shape == (1, 32000)
        np.testing.assert_allclose(found.samples[:, :n], left - left.mean(), atol=1e-6)
        assert not found.samples[:, n:].any()  # zeros after the mean is gone, not before
    turned = preprocessed("fad/audioldm-eval", Clip("a", STEREO * np.array([[1], [0]], np.float32), RATE))
    np.testing.assert_array_equal(turned.samples, preprocessed("fad/audioldm-eval").samples)


@pytest.mark.parametrize(("peak", "divisor"), [(0.05, 0.1), (0.1, 0.1), (0.5, 0.5)])
def test_the_original_fad_divides_by_the_positive_peak_of_at_least_a_tenth(peak: float, divisor: float) -> None:
    samples = np.array([[peak, -0.9, 0.0, peak / 2]], np.float32)
    found = preprocessed("fad/google", Clip("a", samples, 16000)).samples
    np.testing.assert_allclose(found, samples / divisor, rtol=1e-6)


@pytest.mark.parametrize(("name", "rate"), [("clap/stable-audio", 48000), ("kl/stable-audio", 32000)])
def test_stable_audio_metrics_bring_the_peak_to_minus_one_decibel_after_resampling(name: str, rate: int) -> None:
    found = preprocessed(name).samples
    mono = soxr.resample(STEREO.mean(axis=0), RATE, rate, quality="HQ")
    np.testing.assert_allclose(found[0], mono * 10 ** (-1 / 20) / np.abs(mono).max(), atol=1e-6)
    assert np.abs(found).max() == pytest.approx(0.891250938, rel=1e-6)
    quieter = preprocessed(name, Clip("a", STEREO / 7, RATE)).samples
    np.testing.assert_allclose(quieter, found, atol=1e-6)


def test_fadtk_brings_the_sound_of_dac_to_minus_sixteen_lufs_and_its_peak_to_one() -> None:
    n = RATE * 4
    tone = (0.05 * np.sin(2 * np.pi * 997 * np.arange(n) / RATE)).astype(np.float32)
    found = preprocessed("fad/fadtk-dac-44khz", Clip("a", np.stack([tone, tone]), RATE)).samples
    assert pyloudnorm.Meter(44100).integrated_loudness(found[0].astype(np.float64)) == pytest.approx(-16, abs=0.02)
    clicks = np.zeros((1, n), np.float32)
    clicks[0, ::4000] = 0.9
    assert np.abs(preprocessed("fad/fadtk-dac-44khz", Clip("a", clicks, RATE)).samples).max() == pytest.approx(1)


def test_imagebind_reads_the_first_channel_synchformer_and_aesthetics_the_mean() -> None:
    for names, wanted in (
        (("ib/imagebind", "ib/av-benchmark"), STEREO[:1]),
        (("desync/av-benchmark", "production_quality/audiobox"), STEREO.mean(axis=0)[None]),
    ):
        for name in names:
            np.testing.assert_allclose(
                preprocessed(name).samples, resampler("torchaudio-hann")(wanted, RATE, 16000), atol=1e-6
            )


def test_av_benchmark_subtracts_the_mean_of_both_channels_mix() -> None:
    found = preprocessed("clap/av-benchmark").samples
    mono = resampler("torchaudio-hann")(STEREO.mean(axis=0)[None], RATE, 48000)
    np.testing.assert_allclose(found, mono - mono.mean(), atol=1e-6)


def test_frechet_audio_distance_leaves_the_level_as_it_is() -> None:
    found = preprocessed("fad/frechet-audio-distance-clap-music").samples
    np.testing.assert_array_equal(
        found, resampler("resampy-kaiser-best")(STEREO.mean(axis=0, dtype=np.float32)[None], RATE, 48000)
    )


def test_kl_of_musicgen_and_of_stable_audio_have_opposite_order_and_other_windows() -> None:
    ours, theirs = CONVENTIONS["kl/musicgen"], CONVENTIONS["kl/stable-audio"]
    assert (ours.metric, theirs.metric) == ("kl", "kl_reverse_mean_logits")
    assert (ours.options, theirs.options) == ({"cut": "segments"}, {"cut": "overlapping"})


class Probe(EncoderBase):
    """Answers with what reaches it: rate, length, mean and peak; and a third for every text."""

    def __init__(self) -> None:
        super().__init__(EncoderCard("probe", "0" * 64, 4, ("audio", "text"), "rate:16k", 16000))

    def audio(self, clips: list[Clip]) -> Float32:  # type: ignore[override]
        rows = [(c.sample_rate, c.samples.shape[1], c.samples.mean(), np.abs(c.samples).max()) for c in clips]
        return np.array(rows, np.float32)

    def audio_rows(self, clips: list[Clip]) -> list[str]:  # type: ignore[override]
        return [c.key for c in clips]

    def text(self, texts: list[str]) -> Float32:  # type: ignore[override]
        return np.full((len(texts), 4), 1 / 3, np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_an_encoder_behind_a_convention_gets_preprocessed_audio_and_has_a_space_of_its_own(name: str) -> None:
    convention, probe = CONVENTIONS[name], Probe()
    encoder = ConventionEncoder(probe, convention)
    expected = probe.audio([preprocessed(name)])
    found = encoder.audio([CLIP])
    half = convention.store == "float16"
    np.testing.assert_array_equal(found, expected.astype(np.float16).astype(np.float32) if half else expected)
    third = float(np.float16(1 / 3)) if half else float(np.float32(1 / 3))
    assert encoder.text(["a"]).tolist() == [[third] * 4]
    assert encoder.audio_rows([CLIP]) == ["a"]
    fields = encoder.card.preprocessing.split("|")
    assert fields[0] == f"loadnum:{convention.num}"
    assert "rate:16k" in fields
    assert ("store:float16" in fields) == half
    assert (convention.preprocessing.signature in fields) == bool(convention.preprocessing.signature)
    assert encoder.card != probe.card
    with pytest.raises(UserError, match="'probe' does not take image"):
        encoder.image([])
