"""PaSST at its true size with random weights: windows, options, files; the network is compared in tests/reference."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders.passt.frontend import RATE, log_mel, mel_filters
from clipsonic_eval.encoders.passt.network import Passt
from clipsonic_eval.encoders.passt.weights import FILE
from clipsonic_eval.encoders.passt.windows import SHORTEST, WINDOW, windows
from clipsonic_eval.errors import ConfigError, ShapeError, UserError, WeightsError
from clipsonic_eval.metrics import kl
from clipsonic_eval.types import Clip, Embeddings


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Passt()
        for value in net.parameters():
            if not value.any():
                torch.nn.init.normal_(value, std=0.5)
    path = tmp_path_factory.mktemp("passt") / FILE.replace(".pt", ".safetensors")
    save_file(net.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def classes(weights: Path) -> Any:
    return ENCODERS["passt"](weights)


def clip(key: str, seconds: float, rate: int = RATE, channels: int = 1) -> Clip:
    rng = np.random.default_rng(sum(map(ord, key)))
    return Clip(key, (0.3 * rng.standard_normal((channels, round(seconds * rate)))).astype(np.float32), rate)


def test_a_tone_lies_in_the_band_that_the_mel_scale_says() -> None:
    top = 1127 * np.log1p(15000 / 700)
    for hz in (300, 1000, 8000):
        tone = torch.sin(2 * np.pi * hz * torch.arange(RATE) / RATE)[None]
        mel = log_mel(tone)[0]
        assert mel.shape == (128, 100)
        assert abs(int(mel.mean(dim=1).argmax()) - (1127 * np.log1p(hz / 700) / top * 129 - 1)) <= 1
    assert mel_filters().shape == (513, 128)
    assert not mel_filters()[-1].any()


def test_silence_is_the_logarithm_of_the_offset() -> None:
    np.testing.assert_allclose(log_mel(torch.zeros(1, RATE)), (np.log(1e-5) + 4.5) / 5, rtol=1e-5)


@pytest.mark.parametrize(
    ("seconds", "cut", "lengths"),
    [
        (4, "segments", [4]),
        (10, "segments", [10]),
        (10.1, "segments", [10]),
        (23, "segments", [10, 10, 3]),
        (0.01, "segments", [SHORTEST / RATE]),
        (4, "overlapping", [10]),
        (1, "overlapping", [1]),
        (10, "overlapping", [10]),
        (12, "overlapping", [10, 10]),
        (16, "overlapping", [10, 10, 10]),
        (20, "overlapping", [10, 10, 10]),
    ],
)
def test_where_a_sound_is_cut(seconds: float, cut: Any, lengths: list[float]) -> None:
    found = windows(np.ones(round(seconds * RATE), np.float32), cut)
    assert [len(part) / RATE for part in found] == lengths
    assert all(len(part) <= WINDOW for part in found)


def test_rows_are_log_probabilities_and_batch_invariant(classes: Any) -> None:
    clips = [clip("a", 1), clip("b", 1.5, 44100, 2), clip("c", 1), clip("d", 10.5), clip("e", 0.05)]
    rows = classes.audio(clips)
    assert rows.shape == (6, 527)
    assert classes.audio_rows(clips) == ["a", "b", "c", "d", "d", "e"]
    np.testing.assert_allclose(np.exp(rows.astype(float)).sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(np.concatenate([classes.audio([c]) for c in clips]), rows)  # to the bit
    assert np.abs(rows[0] - rows[2]).max() > 1e-4
    embedded = Embeddings(rows, tuple(classes.audio_rows(clips)), "audio", classes.card)
    assert kl(embedded, real=embedded).per_clip == dict.fromkeys("abcde", 0.0)
    assert classes.card.labels[0] == "Speech"
    assert classes.audio([]).shape == (0, 527)


def test_features_come_before_the_classes(classes: Any, weights: Path) -> None:
    features = ENCODERS["passt-features"](weights)
    given = [clip("a", 1)]
    rows = features.audio(given)
    assert rows.shape == (1, 768)
    assert features.card.labels == ()
    net = Passt()
    net.load_state_dict(load_file(weights))
    logits = net.eval().classes(torch.from_numpy(rows))
    np.testing.assert_allclose(torch.log_softmax(logits, dim=1).detach(), classes.audio(given), atol=1e-5)


def test_options_and_what_is_refused(classes: Any, weights: Path) -> None:
    other = ENCODERS["passt"](weights, **CONVENTIONS["kl/stable-audio"].options)
    assert other.card.preprocessing != classes.card.preprocessing
    assert ENCODERS["passt"](weights, **CONVENTIONS["kl/musicgen"].options).card == classes.card
    with pytest.raises(ConfigError, match="cut 'all' must be"):
        ENCODERS["passt"](weights, cut="all")
    with pytest.raises(ShapeError, match="'x': audio must hold"):
        classes.audio([Clip("x", np.zeros((1, 0), np.float32), RATE)])
    with pytest.raises(UserError, match="does not take text"):
        classes.text(["a"])
    with pytest.raises(UserError, match="does not take image"):
        classes.image([])


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


def test_files(weights: Path, classes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tensors = load_file(weights)
    torch.save(tensors, tmp_path / FILE)
    again = ENCODERS["passt"](tmp_path)
    np.testing.assert_array_equal(again.audio([clip("a", 1)]), classes.audio([clip("a", 1)]))
    (tmp_path / "bomb.pt").write_bytes(pickle.dumps(Bomb()))
    torch.save({**tensors, "extra": torch.ones(1)}, tmp_path / "more.pt")
    torch.save({**tensors, "cls_token": torch.ones(1, 1, 5)}, tmp_path / "shape.pt")
    for name, said in {"bomb.pt": "tensors alone", "more.pt": "extra", "shape.pt": "cls_token"}.items():
        with pytest.raises(WeightsError, match=said):
            ENCODERS["passt"](tmp_path / name)
    assert not (tmp_path / "executed").exists()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    with pytest.raises(WeightsError, match=r"no PaSST weights here; get it with .*passt-s-f128.* from https"):
        ENCODERS["passt"]()
