"""OpenL3 with random weights against vectors of the package, tf.signal's definition of frames, and Keras's layout."""

from __future__ import annotations

import gzip
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
import torch
from unit.encoders import openl3_file
from unit.encoders.openl3_file import CASES, NARROW

from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.encoders import ENCODERS, Encoder
from clipsonic_eval.encoders.openl3.frontend import FRONT_ENDS, RATE
from clipsonic_eval.encoders.openl3.network import GRID, OpenL3Network
from clipsonic_eval.encoders.openl3.weights import PUBLISHED
from clipsonic_eval.errors import ConfigError, ShapeError, UserError, WeightsError
from clipsonic_eval.harness.resolve import ConventionEncoder
from clipsonic_eval.media.resamplers import resampler
from clipsonic_eval.types import Clip
from clipsonic_eval.weight_downloads import chosen

DIM = 8 * NARROW
RESAMPY = "resampy-0.2-kaiser-best"


def clip(seconds: float, rate: int = RATE, channels: int = 1, key: str = "a") -> Clip:
    return Clip(key, openl3_file.sound(seconds, rate, channels), rate)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return openl3_file.write(tmp_path_factory.mktemp("openl3") / "narrow.h5")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A file of the published size by input_repr; all have the same arrays."""
    folder = tmp_path_factory.mktemp("published")
    first = openl3_file.write(folder / "openl3_audio_mel256_music.h5", 64)

    def of(input_repr: str) -> Path:
        path = folder / f"openl3_audio_{input_repr}_music.h5"
        if not path.exists():
            path.symlink_to(first)
        return path

    return of


@pytest.mark.parametrize("case", CASES)
def test_embeddings_are_those_of_the_package(published: Callable[[str], Path], case: str) -> None:
    input_repr, size, hop_s, rate, seconds = CASES[case]
    options = {"input_repr": input_repr, "embedding_size": size, "hop_s": hop_s, "resampler": RESAMPY}
    found = ENCODERS["openl3-music"](published(input_repr), **options).audio([clip(seconds, rate)])
    with np.load(openl3_file.VECTORS) as vectors:
        wanted = vectors[case]
    assert found.shape == wanted.shape
    assert wanted.std() > 0.1
    # above the band limit of a resampled sound lies what float32 rounds, which the decibels of the front end still show
    close = 2e-4 if rate == RATE else 3e-3
    np.testing.assert_allclose(found, wanted, atol=close * np.abs(wanted).max())
    assert np.median(np.abs(found - wanted)) < 1e-5


def test_the_published_networks_have_4_7_million_weights() -> None:
    with torch.device("meta"):
        network = OpenL3Network(256, 199, GRID[512])
    state = {name: value.numel() for name, value in network.state_dict().items() if "num_batches" not in name}
    assert sum(state.values()) == 4_689_860  # as Keras counts them, running means and variances too


def by_definition(wave: np.ndarray, n_fft: int, bank: np.ndarray | None, frames: int) -> np.ndarray:
    """Frame by frame in float64, as tf.signal.stft with zeros at the end: decibels below the maximum."""
    padded = np.pad(wave.astype(np.float64), (0, n_fft))
    window = np.hanning(n_fft + 1)[:-1]  # periodic
    magnitudes = np.stack([np.abs(np.fft.rfft(window * padded[242 * k : 242 * k + n_fft])) for k in range(frames)])
    bands = magnitudes if bank is None else magnitudes @ bank
    level = 10 * np.log10(np.maximum(bands, 1e-10))
    return np.maximum(level - level.max(), -80).T


@pytest.mark.parametrize(("input_repr", "frames"), [("mel256", 199), ("mel128", 199), ("linear", 197)])
def test_the_front_end_is_that_of_its_definition(input_repr: str, frames: int) -> None:
    from transformers.audio_utils import mel_filter_bank

    front, wave = FRONT_ENDS[input_repr], openl3_file.sound(1, RATE)
    bank = None
    if front.mels:
        bank = mel_filter_bank(1025, front.mels, 0, RATE / 2, RATE, norm="slaney", mel_scale="slaney")
    wanted = by_definition(wave[0], front.n_fft, bank, frames)
    found = front(torch.from_numpy(wave)).numpy()[0]
    assert (front.bands, front.frames) == found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=5e-3)
    assert found.max() == 0


def test_silence_and_a_louder_copy_have_the_spectrogram_of_their_shape() -> None:
    front, wave = FRONT_ENDS["mel256"], torch.from_numpy(openl3_file.sound(1, RATE))
    assert not front(torch.zeros(1, RATE)).any()
    np.testing.assert_allclose(front(0.25 * wave), front(wave), atol=1e-3)


@pytest.mark.parametrize(
    ("samples", "center", "hop_s", "windows"),
    [(1, True, 0.5, 1), (24000, True, 0.5, 1), (24001, True, 0.5, 2), (480000, True, 0.5, 20), (480000, True, 0.1, 96),
     (1, False, 0.5, 1), (48000, False, 0.5, 1), (48001, False, 0.5, 2), (600 * RATE, True, 0.5, 1200)],
)  # fmt: skip
def test_one_sample_one_window_and_ten_minutes(
    tmp_path: Path, samples: int, center: bool, hop_s: float, windows: int
) -> None:
    path = openl3_file.write(tmp_path / "w.h5", 1)
    encoder = ENCODERS["openl3-env"](path, center=center, hop_s=hop_s)
    sound = Clip("a", np.full((1, samples), 0.1, np.float32), RATE)
    assert encoder.audio_rows([sound]) == ["a"] * windows
    if windows < 100:  # the network takes 3 s for ten minutes
        rows = encoder.audio([sound])
        assert rows.shape == (windows, 8)
        assert np.isfinite(rows).all()


def test_windows_are_the_packages(narrow: Path) -> None:
    encoder, sound = ENCODERS["openl3-music"](narrow, hop_s=0.3), clip(1.3)
    padded = np.concatenate([np.zeros(24000, np.float32), sound.samples[0]])
    hop = 14400
    padded = np.pad(padded, (0, int(np.ceil((len(padded) - RATE) / hop)) * hop - (len(padded) - RATE)))
    cut = [Clip(f"{k}", padded[None, k : k + RATE], RATE) for k in range(0, len(padded) - RATE + 1, hop)]
    alone = ENCODERS["openl3-music"](narrow, center=False).audio(cut)
    np.testing.assert_array_equal(encoder.audio([sound]), alone)
    assert len(alone) == 4


def test_both_channels_stand_side_by_side_and_mono_is_doubled(narrow: Path) -> None:
    both, mean = ENCODERS["openl3-music"](narrow, channels="both"), ENCODERS["openl3-music"](narrow)
    stereo = clip(1.0, 44100, 2)
    left, right = (Clip("a", stereo.samples[k : k + 1], 44100) for k in (0, 1))
    assert both.card.dim == 2 * mean.card.dim == 2 * DIM
    np.testing.assert_array_equal(both.audio([stereo]), np.hstack([mean.audio([left]), mean.audio([right])]))
    np.testing.assert_array_equal(both.audio([left]), np.hstack([mean.audio([left])] * 2))
    mixed = Clip("a", stereo.mono()[None], 44100)
    np.testing.assert_array_equal(mean.audio([stereo]), mean.audio([mixed]))
    three = Clip("a", np.vstack([stereo.samples, left.samples]), 44100)
    np.testing.assert_array_equal(both.audio([three]), both.audio([Clip("a", three.mono()[None], 44100)]))


@pytest.mark.parametrize("channels", [1, 2])
def test_the_convention_of_stable_audio_is_its_steps(narrow: Path, channels: int) -> None:
    """Peak of all channels to -1 dB, soxr to 44.1 kHz, then each channel by openl3, which resamples by resampy 0.2."""
    convention, sound = CONVENTIONS["fad/stable-audio"], clip(0.8, 32000, channels)
    found = ConventionEncoder(ENCODERS[convention.encoder](narrow, **convention.options), convention).audio([sound])
    level = sound.samples.T * (10 ** (-1 / 20) / np.abs(sound.samples).max())
    at_44 = soxr.resample(level, 32000, 44100).T.astype(np.float32)
    plain = ENCODERS["openl3-music"](narrow, hop_s=0.5)
    parts = [plain.audio([Clip("a", resampler(RESAMPY)(at_44[[k]], 44100, RATE), RATE)]) for k in (0, channels - 1)]
    np.testing.assert_allclose(found, np.hstack(parts), atol=1e-4 * np.abs(found).max())
    assert found.shape == (2, 2 * DIM)


def test_every_form_of_the_file_gives_the_same_network(narrow: Path, tmp_path: Path) -> None:
    encoder = ENCODERS["openl3-music"](narrow)
    packed = tmp_path / "w.h5.gz"
    packed.write_bytes(gzip.compress(narrow.read_bytes(), 1))
    forms = [
        packed,
        openl3_file.write_tensors(tmp_path / "w.safetensors"),
        openl3_file.write(tmp_path / "model.h5", within="model_weights"),
        openl3_file.write(tmp_path / "text.h5", text=True),
    ]
    for path in forms:
        again = ENCODERS["openl3-music"](path)
        assert again.card == encoder.card
        np.testing.assert_array_equal(again.audio([clip(0.3)]), encoder.audio([clip(0.3)]))


def test_the_file_is_found_under_its_published_name_and_that_of_the_package(
    narrow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    hub = tmp_path / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    with pytest.raises(WeightsError, match=r"no OpenL3 weights here; get it .*openl3_audio_mel128_env-v0_4_0\.h5\.gz"):
        ENCODERS["openl3-env"](input_repr="mel128")
    (hub / "openl3_audio_mel256_env-v0_4_0.h5.gz").write_bytes(gzip.compress(narrow.read_bytes(), 1))
    shutil.copy(narrow, hub / "openl3_audio_linear_env.h5")
    assert ENCODERS["openl3-env"]().card.weights_sha256 == ENCODERS["openl3-env"](hub).card.weights_sha256
    assert "win512" in ENCODERS["openl3-env"](hub, input_repr="linear").card.preprocessing


def test_files_of_other_inputs_have_the_same_arrays_so_that_their_name_is_read(narrow: Path, tmp_path: Path) -> None:
    path = tmp_path / "openl3_audio_mel128_music-v0_4_0.h5.gz"
    path.write_bytes(gzip.compress(narrow.read_bytes(), 1))
    ENCODERS["openl3-music"](path, input_repr="mel128")
    with pytest.raises(
        WeightsError, match="its name says openl3_audio_mel128_music, needed is openl3_audio_mel256_mus"
    ):
        ENCODERS["openl3-music"](path)
    with pytest.raises(WeightsError, match="needed is openl3_audio_mel128_env"):
        ENCODERS["openl3-env"](path, input_repr="mel128")


def _without(path: Path, change: Callable[[Any], None]) -> None:
    import h5py

    with h5py.File(path, "a") as file:
        change(file)


def _drop_layer(file: Any) -> None:
    file.attrs["layer_names"] = file.attrs["layer_names"][:-2]


def _add_optimizer(file: Any) -> None:
    group = file[file.attrs["layer_names"][1]]
    name = group.attrs["weight_names"][0].decode().replace("gamma", "momentum")
    group[name] = np.zeros(3, np.float32)
    group.attrs["weight_names"] = np.array([name.encode()])


def _inflate(file: Any) -> None:
    group = file[file.attrs["layer_names"][2]]
    name = group.attrs["weight_names"][0].decode()
    del group[name]
    group.create_dataset(name, shape=(3, 3, 1 << 20, 64), dtype="f4", chunks=True, compression="gzip")


def _link_away(file: Any) -> None:
    del file[file.attrs["layer_names"][1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop_layer, "these are not the tensors of OpenL3's network of sound .*; fetch openl3_audio_mel256_music"),
        (_add_optimizer, "it has an array batch_normalization_8/momentum:0"),
        (_inflate, "is larger than the file"),
        (_link_away, "not readable as weights of Keras"),
    ],
)
def test_other_files_of_keras_are_refused(tmp_path: Path, change: Callable[[Any], None], message: str) -> None:
    path = openl3_file.write(tmp_path / "w.h5")
    _without(path, change)
    with pytest.raises(WeightsError, match=message):
        ENCODERS["openl3-music"](path)


@pytest.mark.parametrize("name", ["w.h5", "w.h5.gz", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + b"\0" * 100, b"<html>"])
def test_damaged_files_are_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=r"w\.(h5|h5\.gz|safetensors): not readable .*; fetch openl3_audio_mel256"):
        ENCODERS["openl3-music"](tmp_path / name)


def test_a_file_cut_short_is_refused(narrow: Path, tmp_path: Path) -> None:
    (tmp_path / "w.h5.gz").write_bytes(gzip.compress(narrow.read_bytes(), 1)[:-2000])
    with pytest.raises(WeightsError, match="not readable as weights of Keras"):
        ENCODERS["openl3-music"](tmp_path / "w.h5.gz")


def test_without_h5py_the_extra_is_named(narrow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match=r"pip install 'clipsonic-eval\[openl3\]'"):
        ENCODERS["openl3-music"](narrow)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_repr": "mel64"}, "openl3-music: input_repr 'mel64' must be mel256, mel128, linear"),
        ({"embedding_size": 1024}, "embedding_size 1024 must be 512 or 6144"),
        ({"hop_s": 0}, "hop_s 0 must be at least one sample"),
        ({"hop_s": -1.0}, "hop_s -1 must be at least one sample"),
        ({"channels": "left"}, "channels 'left' must be mean or both"),
    ],
)
def test_options_that_are_not_allowed(narrow: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ENCODERS["openl3-music"](narrow, **options)


def test_an_empty_sound_and_an_unknown_resampler_are_refused(narrow: Path) -> None:
    encoder: Encoder = ENCODERS["openl3-music"](narrow)
    for ask in (encoder.audio, encoder.audio_rows):
        with pytest.raises(ShapeError, match="clip 'a': audio must hold at least one sample"):
            ask([Clip("a", np.zeros((2, 0), np.float32), RATE)])
    with pytest.raises(UserError, match="unknown resampler 'soxr'"):
        ENCODERS["openl3-music"](narrow, resampler="soxr")


def test_its_card_and_its_published_files(narrow: Path) -> None:
    card = ENCODERS["openl3-env"](narrow, embedding_size=6144, hop_s=0.1).card
    assert (card.dim, card.licence, card.sample_rate) == (12 * DIM, "CC-BY-4.0", RATE)
    assert "win:1/0.1,from-half-a-window-before" in card.preprocessing
    assert card.source in {one.url for one in chosen(("openl3-env",))}
    assert len(PUBLISHED) == len(set(PUBLISHED)) == 6
