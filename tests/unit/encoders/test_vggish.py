"""VGGish at its true size with random weights: front end, patches, options, files."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clipsonic_eval.encoders import ENCODERS, Encoder, load_encoder
from clipsonic_eval.encoders.vggish.frontend import mel_filters, patches
from clipsonic_eval.encoders.vggish.network import Vggish
from clipsonic_eval.errors import ConfigError, UserError, WeightsError
from clipsonic_eval.harness.embedder import Embedder
from clipsonic_eval.types import Clip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Vggish()
    path = tmp_path_factory.mktemp("vggish") / "weights.safetensors"
    save_file(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def exact(weights: Path) -> Encoder:
    encoder: Encoder = ENCODERS["vggish-exact"](weights)
    return encoder


def clip(key: str, n: int, rate: int = 16000, channels: int = 1) -> Clip:
    rng = np.random.default_rng(len(key) + n)
    return Clip(key, (0.3 * rng.standard_normal((channels, n))).astype(np.float32), rate)


def test_a_tone_lies_in_the_band_that_the_mel_scale_says() -> None:
    edges = 1127 * np.log1p(np.array([125.0, 7500.0]) / 700)
    for hz in (300, 1000, 4000):
        tone = np.sin(2 * np.pi * hz * np.arange(16000) / 16000)
        band = (1127 * np.log1p(hz / 700) - edges[0]) / (edges[1] - edges[0]) * 65 - 1
        assert abs(int(patches(tone, 96)[0].mean(axis=0).argmax()) - band) <= 1


def test_silence_is_the_logarithm_of_the_offset_and_no_band_holds_the_mean() -> None:
    np.testing.assert_allclose(patches(np.zeros(16000), 96), np.log(0.01), rtol=1e-6)
    assert mel_filters().shape == (257, 64)
    assert not mel_filters()[0].any()
    assert mel_filters().max() <= 1


@pytest.mark.parametrize(
    ("n", "hop", "count"),
    [(15599, 96, 0), (15600, 96, 1), (30959, 96, 1), (30960, 96, 2), (160000, 96, 10), (160000, 50, 19)],
)
def test_how_many_patches_a_sound_has(n: int, hop: int, count: int) -> None:
    assert len(patches(np.zeros(n, np.float32), hop)) == count


def test_rows_and_keys_are_batch_invariant(exact: Encoder) -> None:
    clips = [clip("a", 48000), clip("b", 132300, 44100, 2), clip("c", 16000), clip("short", 8000)]
    rows = exact.audio(clips)
    assert rows.shape == (3 + 3 + 1, 128)
    assert exact.audio_rows(clips) == ["a"] * 3 + ["b"] * 3 + ["c"]
    np.testing.assert_array_equal(np.concatenate([exact.audio([c]) for c in clips]), rows)  # to the bit


def test_options_do_what_their_names_say(weights: Path, exact: Encoder) -> None:
    sound = clip("a", 48000)
    fast = ENCODERS["vggish"](weights)
    np.testing.assert_allclose(fast.audio([sound]), exact.audio([sound]), atol=2e-5)
    assert len(fast.audio([clip("short", 8000)])) == 1  # filled with zeros
    after = ENCODERS["vggish"](weights, layer="post-relu").audio([sound])
    np.testing.assert_array_equal(after, np.maximum(fast.audio([sound]), 0))
    assert len(ENCODERS["vggish"](weights, hop_s=0.5).audio([sound])) == 5
    coarse = ENCODERS["vggish"](weights, precision="bf16").audio([sound])
    spread = float(fast.audio([sound]).std())
    assert 0 < np.abs(coarse - fast.audio([sound])).max() < 0.1 * spread
    fields = {ENCODERS["vggish"](weights, **o).card.preprocessing for o in ({}, {"hop_s": 0.5}, {"layer": "post-relu"})}
    assert len({*fields, exact.card.preprocessing}) == 4
    with pytest.raises(ConfigError, match=r"hop_s 0\.123"):
        ENCODERS["vggish"](weights, hop_s=0.123)
    with pytest.raises(ConfigError, match="layer"):
        ENCODERS["vggish"](weights, layer="last")
    with pytest.raises(UserError, match="does not take text"):
        fast.text(["a"])


def test_a_sound_without_a_row_is_listed(exact: Encoder, tmp_path: Path) -> None:
    from clipsonic_eval.harness.audio_sets import reference_set
    from clipsonic_eval.media.audio import write_wav

    for name, n in (("long", 16000), ("short", 8000)):
        write_wav(tmp_path / f"{name}.wav", clip(name, n).samples[0], 16000)
    found = Embedder({"fad": exact}).embed(reference_set(tmp_path), ["fad"])
    assert found.keys == ("long",)
    assert [(s.key, "too short" in s.reason) for s in found.skipped] == [("short", True)]


def test_pth_files_and_what_is_refused(weights: Path, exact: Encoder, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from safetensors.torch import load_file

    tensors = load_file(weights)
    torch.save(tensors, tmp_path / "vggish.pth")
    again = ENCODERS["vggish-exact"](tmp_path / "vggish.pth")
    np.testing.assert_array_equal(again.audio([clip("a", 16000)]), exact.audio([clip("a", 16000)]))

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'executed'}",)

    (tmp_path / "bomb.pth").write_bytes(pickle.dumps({"features.0.weight": Bomb()}, protocol=2))
    (tmp_path / "cut.safetensors").write_bytes(weights.read_bytes()[:5000])
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    (tmp_path / "vggish-10086976.pth").write_bytes(b"something else")
    cases = {"bomb.pth": "as tensors alone", "cut.safetensors": "safetensors", "other.pth": "18 tensors"}
    for name, words in {**cases, "vggish-10086976.pth": "does not begin with 10086976"}.items():
        with pytest.raises(WeightsError, match=words) as caught:
            ENCODERS["vggish"](tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"'clipsonic-eval weights vggish-10086976\.pth --fetch' or from https"):
        ENCODERS["vggish"]()


def test_the_pca_and_eight_bits_are_the_published_formula(weights: Path, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    import shutil

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    shutil.copy(weights, tmp_path / "weights.safetensors")
    with pytest.raises(WeightsError, match="no parameters of VGGish's PCA"):
        ENCODERS["vggish"](tmp_path / "weights.safetensors", pca=True)
    rng = np.random.default_rng(0)
    matrix, means = rng.standard_normal((128, 128)), 0.1 * rng.standard_normal((128, 1))
    # the published file holds arrays of NumPy; its name promises a hash, which these do not have
    torch.save({"pca_eigen_vectors": matrix, "pca_means": means}, tmp_path / "vggish_pca_params-970ea276.pth")
    with pytest.raises(WeightsError, match="does not begin with 970ea276"):
        ENCODERS["vggish"](tmp_path / "weights.safetensors", pca=True)
    (tmp_path / "vggish_pca_params-970ea276.pth").unlink()
    parameters = {"pca_eigen_vectors": torch.from_numpy(matrix), "pca_means": torch.from_numpy(means)}
    save_file(parameters, tmp_path / "vggish_pca_params-970ea276.safetensors")
    sound = clip("a", 48000)
    encoder = ENCODERS["vggish"](tmp_path / "weights.safetensors", pca=True)
    plain = ENCODERS["vggish"](tmp_path / "weights.safetensors").audio([sound]).astype(np.float64)
    wanted = np.round((np.clip((plain - means.T) @ matrix.T, -2, 2) + 2) * 255 / 4)
    found = encoder.audio([sound])
    assert np.abs(found - wanted).max() <= 1  # a value in the middle between two may be rounded either way
    assert (found != wanted).mean() < 0.01
    assert len(np.unique(found)) > 20
    assert "pca:8bit+" in encoder.card.preprocessing


def test_without_the_package_its_backend_says_how_to_get_it(weights: Path) -> None:
    with pytest.raises(ConfigError, match=r"torchvggish package cannot be imported .*clipsonic-eval\[reference\]"):
        ENCODERS["vggish-exact"](weights, backend="torchvggish")
    with pytest.raises(ConfigError, match=r"fp32 and has a hop of 0\.96 s"):
        load_encoder("vggish-exact", weights, backend="torchvggish", hop_s=0.5)
    with pytest.raises(ConfigError, match="vggish: no option 'backend'; there are hop_s, layer, pca, precision"):
        load_encoder("vggish", weights, backend="torchvggish")
    with pytest.raises(ConfigError, match="no option 'hop'"):
        load_encoder("vggish", weights, hop=1)
