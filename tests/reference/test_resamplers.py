"""Our resamplers against torchaudio's and resampy's, with the parameters that the toolkits use."""

from __future__ import annotations

import numpy as np
import pytest

from clipsonic_eval.media.resamplers import resampler

KAISER = {
    "resampling_method": "sinc_interp_kaiser",
    "lowpass_filter_width": 64,
    "rolloff": 0.9475937167399596,
    "beta": 14.769656459379492,
}


@pytest.mark.parametrize(("rate_in", "rate_out"), [(44100, 16000), (48000, 16000), (22050, 48000), (16000, 32000)])
@pytest.mark.parametrize(("name", "options"), [("torchaudio-hann", {}), ("torchaudio-kaiser-best", KAISER)])
def test_the_windowed_sinc_is_torchaudios(rate_in: int, rate_out: int, name: str, options: dict[str, object]) -> None:
    import torch
    import torchaudio

    sound = np.random.default_rng(0).standard_normal((2, 12345)).astype(np.float32)
    exact = torch.from_numpy(sound).double()  # their filters take the type of the sound: in float32 they are coarse
    theirs = torchaudio.functional.resample(exact, rate_in, rate_out, **options).numpy()
    ours = resampler(name)(sound, rate_in, rate_out)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=5e-6)


@pytest.mark.parametrize(("rate_in", "rate_out"), [(44100, 16000), (48000, 16000), (22050, 16000), (8000, 16000)])
def test_the_filter_of_kaiser_best_is_resampys(rate_in: int, rate_out: int) -> None:
    import resampy

    sound = np.random.default_rng(0).standard_normal((2, 23456)).astype(np.float32)
    theirs = resampy.resample(sound.astype(np.float64), rate_in, rate_out, axis=1)
    ours = resampler("resampy-kaiser-best")(sound, rate_in, rate_out)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=5e-6)


@pytest.mark.parametrize(("rate_in", "rate_out"), [(44100, 48000), (48000, 16000), (22050, 48000)])
def test_the_filter_of_version_0_2_is_that_of_its_parameters(rate_in: int, rate_out: int) -> None:
    import resampy
    from scipy.signal.windows import kaiser

    sound = np.random.default_rng(0).standard_normal((2, 23456)).astype(np.float32)
    parameters = {"num_zeros": 64, "precision": 9, "rolloff": KAISER["rolloff"]}
    window = {"window": lambda n: kaiser(n, KAISER["beta"])}
    theirs = resampy.resample(
        sound.astype(np.float64), rate_in, rate_out, axis=1, filter="sinc_window", **parameters, **window
    )
    np.testing.assert_allclose(resampler("resampy-0.2-kaiser-best")(sound, rate_in, rate_out), theirs, atol=5e-6)
