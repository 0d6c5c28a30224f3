"""Synchformer at a small size: both towers and their comparison against transformers' and torch's own layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from unit.encoders import ffmpeg_frames, synchformer_file

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders.synchformer import frontend
from clipsonic_eval.encoders.synchformer.network import Depths, SynchformerNetwork
from clipsonic_eval.errors import ConfigError, ShapeError, WeightsError
from clipsonic_eval.media.encode import write_video
from clipsonic_eval.media.video import read_frames
from clipsonic_eval.types import Clip

RATE = frontend.RATE


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synchformer_file.write(tmp_path_factory.mktemp("synchformer"))


@pytest.fixture(scope="module")
def encoder(path: Path) -> Any:
    return ENCODERS["synchformer"](path)


def noise(key: str, samples: int) -> Clip:
    rng = np.random.default_rng(sum(map(ord, key)))
    return Clip(key, (0.3 * rng.standard_normal((1, samples))).astype(np.float32), RATE)


def test_segments_of_sound_and_video_are_as_many_and_as_long() -> None:
    assert [frontend.segments(s) for s in (0.1, 4.8, 5.11, 5.12, 8.0)] == [14, 14, 14, 15, 24]
    for seconds in (1.0, 4.8, 6.5, 8.0):
        count = frontend.segments(seconds)
        assert len(frontend.frame_times(seconds)) == 16 + 8 * (count - 1)
        assert len(frontend.spectrograms(np.ones(round(seconds * RATE), np.float32), 8.0)) == count
    assert frontend.frame_times(8.0)[-1] == pytest.approx(199.5 / 25, abs=1e-3)
    assert frontend.SAMPLES / RATE == frontend.IMAGES / frontend.FPS
    assert frontend.SHORTEST_S == 4.8


def test_spectrograms_are_torchaudios_as_transformers_restates_them() -> None:
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    wave = noise("a", 5 * RATE).samples[0]
    filters = mel_filter_bank(513, 128, 0, 8000, RATE, mel_scale="htk")
    wanted = spectrogram(
        wave[5120:15360].astype(np.float64),
        window_function(400, "hann", frame_length=1024),
        1024,
        160,
        fft_length=1024,
        power=2.0,
        center=True,
        mel_filters=filters,
    )
    found = frontend.spectrograms(wave, 8.0)
    assert found.shape == (14, 128, 66)
    np.testing.assert_allclose(found[1, :, :65], (np.log(wanted + 1e-6) + 4.2677393) / 9.1379948, atol=2e-4)
    np.testing.assert_allclose(found[1, :, 65], 4.2677393 / 9.1379948, rtol=1e-6)


def test_rows_of_sound_are_those_of_transformers_and_torch(encoder: Any) -> None:
    one = noise("a", round(5.2 * RATE))
    wanted = synchformer_file.sound(frontend.spectrograms(one.samples[0], 8.0))
    rows = encoder.audio([one])
    assert rows.shape == (15 * 6, synchformer_file.WIDTH)
    np.testing.assert_allclose(rows.reshape(15, 6, -1), wanted, atol=5e-5)
    assert encoder.audio_rows([one]) == ["a"] * 90


def test_rows_of_video_are_those_of_attention_to_everything_under_a_mask(path: Path) -> None:
    from clipsonic_eval.encoders.synchformer.weights import load

    frames = torch.randn(2, 3, 16, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = load(path).video(frames)
    np.testing.assert_allclose(found, synchformer_file.video(frames), atol=1e-4)


def test_offsets_are_the_most_likely_classes_at_both_ends(encoder: Any) -> None:
    rng = np.random.default_rng(0)
    sound = rng.standard_normal((24 * 6, synchformer_file.WIDTH)).astype(np.float32)
    video = rng.standard_normal((22 * 8, synchformer_file.WIDTH)).astype(np.float32)
    found = encoder.offsets(sound, video)
    ends = ((0, 14), (8, 22))  # of the 22 segments that both have
    for offset, (start, stop) in zip(found, ends, strict=True):
        shown, heard = (torch.from_numpy(x[start * k : stop * k])[None] for x, k in ((video, 8), (sound, 6)))
        wanted = synchformer_file.logits(shown, heard)[0]
        assert offset == pytest.approx(-2 + 0.2 * int(wanted.argmax()), abs=1e-6)


def test_frames_become_segments_that_overlap_by_half(encoder: Any) -> None:
    count = len(encoder.video_times(4.8))
    frames = [np.full((30, 40, 3), k, np.uint8) for k in range(count)]
    found = frontend.pixels(frames)
    assert found.shape == (14, 3, 16, 224, 224)
    for segment in (0, 5, 13):
        np.testing.assert_allclose(found[segment, 0, :, 7, 9], (8 * segment + np.arange(16)) / 127.5 - 1, atol=1e-5)


@pytest.mark.parametrize("fps", [24, 30])
def test_a_video_is_read_at_the_frames_that_ffmpegs_filter_takes(tmp_path: Path, fps: int) -> None:
    count = 6 * fps
    shades = (np.arange(count) * 250 // count).astype(np.uint8)
    write_video(tmp_path / "v.mp4", np.broadcast_to(shades[:, None, None, None], (count, 16, 16, 3)).copy(), fps)
    times = frontend.frame_times(5.2)
    read = [float(frame.mean()) for frame in read_frames(tmp_path / "v.mp4", times)]
    assert read == ffmpeg_frames.means(tmp_path / "v.mp4", "25")[: len(times)]


def test_short_sounds_are_filled_up_and_long_ones_cut(encoder: Any) -> None:
    assert encoder.audio([noise("a", 1)]).shape == (84, synchformer_file.WIDTH)
    long = noise("b", 20 * RATE)
    rows = encoder.audio([long])
    np.testing.assert_array_equal(rows, encoder.audio([Clip("b", long.samples[:, : 8 * RATE], RATE)]))
    assert len(encoder.video_times(60.0)) == 200


def test_files_and_options(path: Path, encoder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    with pytest.raises(
        WeightsError,
        match=r"no Synchformer weights here; get it with .* synchformer_state_dict\.pth --fetch' or from https",
    ):
        ENCODERS["synchformer"]()
    held = synchformer_file.tensors()
    torch.save({**held, "extra": torch.ones(1)}, tmp_path / "more.pth")
    torch.save({k: v for k, v in held.items() if "transformer.blocks" not in k}, tmp_path / "fewer.pth")
    for name, said in (("more", "extra"), ("fewer", "not the tensors of Synchformer")):
        with pytest.raises(WeightsError, match=said):
            ENCODERS["synchformer"](tmp_path / f"{name}.pth")
    with pytest.raises(ConfigError, match=r"seconds is 4 and must be at least 4\.8"):
        ENCODERS["synchformer"](path, seconds=4)
    longer = ENCODERS["synchformer"](path.parent, seconds=10)
    assert longer.card.preprocessing != encoder.card.preprocessing
    with pytest.raises(ShapeError, match="images must be uint8"):
        encoder.video([[np.zeros((4, 4), np.uint8)]])


def test_the_published_sizes() -> None:
    with torch.device("meta"):
        network = SynchformerNetwork(Depths(768, 12, 12, 3))
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["vfeat_extractor.blocks.11.timeattn.qkv.weight"] == (2304, 768)
    assert shapes["afeat_extractor.ast.encoder.layer.11.output.dense.weight"] == (768, 3072)
    assert shapes["transformer.pos_emb_cfg.pos_emb"] == (1, 198, 768)
    assert shapes["transformer.off_head.weight"] == (21, 768)
