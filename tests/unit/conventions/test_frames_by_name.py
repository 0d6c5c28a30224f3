"""``fad/fadtk-mert-v1-95m-2`` from two folders of wavs, against fadtk's steps with transformers' HuBERT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.linalg import sqrtm
from unit.encoders import mert_folder

from clipsonic_eval.encoders.mert import weights
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.media.resamplers import resampler

NAME, LAYER, RATE, CLIPS = "fad/fadtk-mert-v1-95m-2", 2, 44100, 4


@pytest.fixture
def wavs(tmp_path: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    rng = np.random.default_rng(0)
    for name, floor in (("real", 0.02), ("fake", 0.1)):
        (tmp_path / name).mkdir()
        found[name] = [tmp_path / name / f"{k}.wav" for k in range(CLIPS)]
        for k, path in enumerate(found[name]):
            t = np.arange(RATE // 2) / RATE
            tone = 0.4 * np.sin(2 * np.pi * (200 + 150 * k) * t)
            stereo = np.stack([tone, 0.5 * tone]) + floor * rng.standard_normal((2, len(t)))
            soundfile.write(path, stereo.T.clip(-1, 1), RATE, subtype="PCM_16")
    return found


def theirs(path: Path) -> np.ndarray:
    """Rows of one wav by fadtk's steps, (frames, d) float16."""
    from transformers import Wav2Vec2FeatureExtractor

    samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    at_24k = resampler("torchaudio-kaiser-best")(samples.T.mean(axis=0, dtype=np.float32)[None], RATE, 24000)
    read = np.clip(np.rint(at_24k[0] * 32768), -32768, 32767) / 32768  # written and read as 16 bit
    inputs = Wav2Vec2FeatureExtractor(sampling_rate=24000)(read, sampling_rate=24000, return_tensors="pt")
    with torch.no_grad():
        states = mert_folder.hubert()(inputs.input_values, output_hidden_states=True).hidden_states
    rows: np.ndarray = states[LAYER][0].numpy().astype(np.float16)
    return rows


def test_the_distance_is_that_of_fadtks_steps(
    wavs: dict[str, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = weights.MODELS["mert-v1-95m"]._replace(dim=mert_folder.DIM, layers=mert_folder.LAYERS)
    monkeypatch.setitem(weights.MODELS, "mert-v1-95m", small)
    config = EvaluateConfig(
        systems={"s": tmp_path / "fake"},
        reference=tmp_path / "real",
        weights={NAME: mert_folder.write(tmp_path / "mert")},
        metrics=(NAME,),
        n_bootstrap=20,
        n_permutations=20,
        compare=False,
        examples=0,
    )
    score = evaluate(config, tmp_path / "run").score(NAME, "s")
    real, fake = (np.concatenate([theirs(path) for path in wavs[name]]).astype(np.float64) for name in ("real", "fake"))
    first, second = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    away = real.mean(axis=0) - fake.mean(axis=0)
    wanted = away @ away + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert score is not None
    assert score.n == CLIPS
    assert score.value == pytest.approx(wanted, rel=2e-3)  # float32 states fall on other float16 numbers
    assert f"layer:{LAYER}" in score.signature
    assert "rows:frame" in score.signature
    assert "store:float16" in score.signature
