"""Folders of wavs through a whole package and through our convention of its name: the same number."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_packages
import soundfile
import torch
from torch import nn
from unit.metrics.data import embeddings

from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.metrics import METRICS, Inputs, SetMetric

RATE, CLIPS, SECONDS = 22050, 40, 5


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of stereo wavs: noise in bands, and the same with more noise."""
    root = tmp_path_factory.mktemp("wavs")
    rng = np.random.default_rng(0)
    for name, floor in (("real", 0.02), ("fake", 0.1)):
        (root / name).mkdir()
        for k in range(CLIPS):
            t = np.arange(RATE * SECONDS) / RATE
            tone = np.sin(2 * np.pi * (200 + 90 * k) * t) * (0.2 + 0.2 * np.sin(2 * np.pi * t * (1 + k % 5)))
            stereo = np.stack([tone, 0.5 * tone]) + floor * rng.standard_normal((2, len(t)))
            soundfile.write(root / name / f"{k:02d}.wav", stereo.T.clip(-1, 1), RATE, subtype="PCM_16")
    return root


@pytest.fixture(scope="module")
def vggish() -> Any:
    """torchvggish's network with weights of a size that keeps the sound apart."""
    from torchvggish.torchvggish import _vgg

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = _vgg(postprocess=False).eval()
        for value in net.parameters():
            nn.init.normal_(value, std=float((2 / value[0].numel()) ** 0.5)) if value.ndim > 1 else nn.init.zeros_(
                value
            )
    return net


@pytest.fixture(scope="module")
def weights(vggish: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vggish.pth"
    torch.save(vggish.state_dict(), path)
    return path


class Hub(nn.Module):
    """What torch.hub gives for harritaylor/torchvggish, made of the package on PyPI."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.features, self.embeddings, self.postprocess, self.device = net.features, net.embeddings, False, "cpu"

    def forward(self, samples: np.ndarray, rate: int) -> torch.Tensor:
        from torchvggish.vggish_input import waveform_to_examples

        seen = self.features(waveform_to_examples(samples, rate).float())
        return self.embeddings(seen.transpose(1, 3).transpose(1, 2).contiguous().flatten(1))


@pytest.fixture
def package(vggish: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """frechet_audio_distance, with the two packages that it imports and this needs none of left out."""
    for name in ("laion_clap", "encodec"):
        if name not in sys.modules:
            stand_in = types.ModuleType(name)
            stand_in.EncodecModel = None  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, name, stand_in)
    monkeypatch.setattr(torch.hub, "load", lambda **_: Hub(vggish))
    module = importlib.import_module("frechet_audio_distance.fad")
    yield module
    for name in [n for n in sys.modules if n.startswith("frechet_audio_distance")]:
        del sys.modules[name]


def ours(folders: Path, convention: str, weights: Path, out: Path) -> float:
    config = EvaluateConfig(
        systems={"s": folders / "fake"},
        reference=folders / "real",
        weights={convention: weights},
        metrics=(convention,),
        n_bootstrap=20,
        n_permutations=20,
        compare=False,
        examples=0,
        cache=out / "cache",
    )
    score = evaluate(config, out / "run").score(convention, "s")
    assert score is not None
    assert score.n == CLIPS
    assert not score.skipped
    return score.value


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_frechet_audio_distance(folders: Path, package: Any, weights: Path, tmp_path: Path) -> None:
    theirs = package.FrechetAudioDistance(model_name="vggish", sample_rate=16000)
    with torch.no_grad():
        wanted = theirs.score(str(folders / "real"), str(folders / "fake"))
    assert wanted > 0
    found = ours(folders, "fad/frechet-audio-distance", weights, tmp_path)
    assert found == pytest.approx(float(wanted), rel=1e-5)  # float32 networks on patches in batches of another size


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("package")
def test_the_package_as_a_metric() -> None:
    rng = np.random.default_rng(0)
    a, b = (embeddings(rng.standard_normal((90, 12)) * scale) for scale in (1, 1.3))
    given = Inputs(b, a)
    metric, own = METRICS["fad_package"], METRICS["fad"]
    assert isinstance(metric, SetMetric)
    assert isinstance(own, SetMetric)
    assert metric.value(given) == pytest.approx(own.value(given), rel=1e-8)
    np.testing.assert_allclose(metric.replicates([given], 20, 0), own.replicates([given], 20, 0), rtol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fadtk_and_kadtk(folders: Path, vggish: Any, weights: Path, tmp_path: Path) -> None:
    import torchaudio

    hub = Hub(vggish)
    hub.embeddings = nn.Sequential(*list(vggish.embeddings.children())[:-1])
    resampler = torchaudio.transforms.Resample(
        RATE,
        16000,
        lowpass_filter_width=64,
        rolloff=0.9475937167399596,
        resampling_method="sinc_interp_kaiser",
        beta=14.769656459379492,
        dtype=torch.float64,  # in float32 its filters are coarse, which moves samples by up to 1e-4
    )
    kept: dict[str, list[np.ndarray]] = {"real": [], "fake": []}
    for name, rows in kept.items():
        for path in sorted((folders / name).iterdir()):
            samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
            mono = torch.from_numpy(samples.T).mean(0)[None]
            soundfile.write(tmp_path / "16k.wav", resampler(mono.double())[0].numpy(), 16000, subtype="PCM_16")
            whole, _ = soundfile.read(tmp_path / "16k.wav", dtype="int16")
            with torch.no_grad():
                rows.append(hub(whole / 32768.0, 16000).numpy().astype(np.float16))
    real, fake = (np.concatenate(kept[name]) for name in ("real", "fake"))
    package = reference_packages.take(
        "fadtk", "utils.py", "calculate_embd_statistics_online", "_process_file", pmap=_in_turn
    )
    moments = []
    for name in ("real", "fake"):
        files = []
        for k, rows in enumerate(kept[name]):
            np.save(tmp_path / f"{name}{k}.npy", rows)
            files.append(tmp_path / f"{name}{k}.npy")
        moments += package.calculate_embd_statistics_online(files)
    wanted = float(np.real(reference_packages.fadtk().calc_frechet_distance(*moments)))
    assert ours(folders, "fad/fadtk", weights, tmp_path) == pytest.approx(
        wanted, rel=1e-3
    )  # its moments are of float16
    kernel = reference_packages.take(
        "kadtk", "kad.py", "calc_kernel_audio_distance", "median_pairwise_distance", torch=torch, SCALE_FACTOR=100
    )
    sets = (torch.from_numpy(x.astype(np.float64)) for x in (real, fake))
    wanted = float(kernel.calc_kernel_audio_distance(*sets, (None, None), "cpu", precision=torch.float64))
    assert ours(folders, "kad/kadtk", weights, tmp_path / "kad") == pytest.approx(wanted, rel=1e-4)


def _in_turn(function: Any, items: list[Any], **_: Any) -> list[Any]:
    return [function(item) for item in items]


def test_all_metrics_that_conventions_name_exist() -> None:
    from clipsonic_eval.conventions import CONVENTIONS
    from clipsonic_eval.encoders import ENCODERS

    for name in CONVENTIONS:
        assert CONVENTIONS[name].metric in METRICS
        assert CONVENTIONS[name].encoder in ENCODERS
