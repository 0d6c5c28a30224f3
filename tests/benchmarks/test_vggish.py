"""VGGish from wavs of 44.1 kHz to embeddings: ours and torchvggish's, with equal random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from clipsonic_eval.encoders import ENCODERS, Encoder
from clipsonic_eval.media.audio import read_audio
from clipsonic_eval.stats.frechet import squared_frechet
from clipsonic_eval.types import Clip

FILES, SECONDS, RATE = 8, 10, 44100
# largest difference to torchvggish's embeddings, as a share of their largest value: float32's rounding; another
# resampler and float32 spectra; bfloat16's eight bits
TOLERANCE = {"vggish-exact": 1e-5, "vggish": 1e-2, "bf16": 2e-2}
GROUP = f"VGGish, {FILES} wavs of {SECONDS} s at {RATE} Hz"


@pytest.fixture(scope="module")
def theirs() -> Any:
    from torchvggish.torchvggish import _vgg

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _vgg(postprocess=False).eval()


@pytest.fixture(scope="module")
def wavs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("wavs")
    rng = np.random.default_rng(0)
    for k in range(FILES):
        sound = 0.2 * rng.standard_normal(SECONDS * RATE)
        soundfile.write(folder / f"{k}.wav", sound.astype(np.float32), RATE)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def embedded(theirs: Any, wavs: list[Path]) -> Callable[[], np.ndarray]:
    """Torchvggish's embeddings of all wavs, after its last ReLU, each time they are asked for."""
    from torchvggish.vggish_input import waveform_to_examples

    def run() -> np.ndarray:
        rows = []
        with torch.no_grad():
            for path in wavs:
                seen = theirs.features(waveform_to_examples(*soundfile.read(path)).float())
                rows.append(theirs.embeddings(seen.transpose(1, 3).transpose(1, 2).contiguous().flatten(1)))
        return torch.cat(rows).numpy()

    return run


def test_torchvggish(benchmark: Any, embedded: Callable[[], np.ndarray]) -> None:
    benchmark.group = GROUP
    benchmark.extra_info["who"] = "torchvggish"
    found = benchmark.pedantic(embedded, rounds=3, warmup_rounds=1)
    assert found.shape == (FILES * int(SECONDS / 0.96), 128)
    assert np.isfinite(found).all()
    assert found.std() > 0


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["vggish-exact", "vggish"])
def test_ours(
    benchmark: Any,
    theirs: Any,
    embedded: Callable[[], np.ndarray],
    wavs: list[Path],
    tmp_path: Path,
    name: str,
    precision: str,
) -> None:
    benchmark.group = GROUP
    benchmark.extra_info["who"] = f"ours ({name}, {precision})"
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    encoder = ENCODERS[name](tmp_path / "weights.pth", precision=precision)
    found = benchmark.pedantic(lambda: encoder.audio([read_audio(path) for path in wavs]), rounds=3, warmup_rounds=1)
    wanted = embedded()
    assert found.shape == wanted.shape
    assert np.isfinite(found).all()
    moved = np.abs(np.maximum(found, 0) - wanted).max() / np.abs(wanted).max()
    assert moved < (TOLERANCE["bf16"] if precision == "bf16" else TOLERANCE[name])
    if precision == "bf16":
        moved = _moved_by(encoder, ENCODERS[name](tmp_path / "weights.pth"))
        benchmark.extra_info["note"] = (
            f"moves the Fréchet distance of 40 synthetic clips by {moved:.2%} (random weights)"
        )


def _moved_by(coarse: Encoder, fine: Encoder) -> float:
    """Return by which share the distance of two sets of tones in noise differs between two precisions."""
    rng = np.random.default_rng(0)
    t = np.arange(3 * 16000) / 16000

    def clips(noise: float) -> list[Clip]:
        waves = (0.3 * np.sin(2 * np.pi * (150 + 60 * k) * t) + noise * rng.standard_normal(len(t)) for k in range(40))
        return [Clip(str(k), wave[None].astype(np.float32), 16000) for k, wave in enumerate(waves)]

    real, fake = clips(0.02), clips(0.05)
    distances = [squared_frechet(encoder.audio(real), encoder.audio(fake)) for encoder in (coarse, fine)]
    return abs(distances[0] / distances[1] - 1)
