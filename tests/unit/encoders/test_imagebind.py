"""ImageBind at a small size: front ends and towers against transformers and NumPy; the package: tests/reference."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from unit.encoders import clip_folder, ffmpeg_frames, imagebind_file

from clipsonic_eval.encoders import ENCODERS, text_notes
from clipsonic_eval.encoders.imagebind import frontend
from clipsonic_eval.encoders.imagebind.network import HEAD_WIDTH, ImageBind, TowerSizes
from clipsonic_eval.errors import ConfigError, ShapeError, WeightsError
from clipsonic_eval.media.encode import write_video
from clipsonic_eval.media.video import read_frames
from clipsonic_eval.types import Clip

RATE = frontend.RATE


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return imagebind_file.write(tmp_path_factory.mktemp("imagebind"))


@pytest.fixture(scope="module")
def encoder(path: Path) -> Any:
    return ENCODERS["imagebind"](path)


def noise(key: str, samples: int, channels: int = 1, rate: int = RATE) -> Clip:
    rng = np.random.default_rng(sum(map(ord, key)))
    return Clip(key, (0.3 * rng.standard_normal((channels, samples))).astype(np.float32), rate)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def unit(x: Any) -> np.ndarray:
    array = np.asarray(x, np.float64)
    return array / np.linalg.norm(array, axis=-1, keepdims=True)


# --- sounds


def test_spectrograms_are_kaldis_as_transformers_restates_them() -> None:
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    wave = noise("a", 2 * RATE).samples[0]
    with warnings.catch_warnings():  # that the lowest band holds no bin, which is so in Kaldi too
        warnings.simplefilter("ignore")
        filters = mel_filter_bank(257, 128, 20, 8000, RATE, mel_scale="kaldi", triangularize_in_mel_space=True)
    wanted = spectrogram(
        wave.astype(np.float64),
        window_function(400, "hann", periodic=False),
        400,
        160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=filters,
        log_mel="log",
        mel_floor=1.1920929e-07,
        remove_dc_offset=True,
    )
    found = frontend.spectrograms(wave)
    assert found.shape == (3, 1, 128, 204)
    np.testing.assert_allclose(found[0, 0, :, :198], (wanted + 4.268) / 9.138, atol=2e-4)
    np.testing.assert_allclose(found[0, 0, :, 198:], 4.268 / 9.138, rtol=1e-6)


@pytest.mark.parametrize(
    ("samples", "starts"),
    [(1, [0, 0, 0]), (32000, [0, 0, 0]), (48000, [0, 8000, 16000]), (160000, [0, 64000, 128000])],
)
def test_windows_spread_from_the_beginning_to_the_end(samples: int, starts: list[int]) -> None:
    assert frontend.window_starts(samples) == starts


@pytest.mark.parametrize("samples", [1, 399, 20000, 16 * RATE])
def test_a_sound_is_the_direction_of_the_mean_of_its_windows(encoder: Any, samples: int) -> None:
    one = noise("a", samples)
    given = frontend.spectrograms(one.samples[0]).double().numpy()
    windows = [imagebind_file.sound_vector(spectrogram) for spectrogram in given[:, 0]]
    np.testing.assert_allclose(encoder.audio([one])[0], unit(np.mean(windows, axis=0)), atol=2e-6)


def test_stereo_at_another_rate_is_its_mean(encoder: Any) -> None:
    stereo = noise("s", 3 * 44100, 2, 44100)
    rows = encoder.audio([stereo, Clip("m", stereo.mono()[None], 44100)])
    np.testing.assert_array_equal(rows[0], rows[1])


@pytest.mark.slow
def test_ten_minutes_are_three_windows_too(encoder: Any) -> None:
    assert encoder.audio([noise("long", 600 * RATE)]).shape == (1, imagebind_file.DIM)


# --- images, videos, texts


@pytest.mark.parametrize("shape", [(224, 224), (300, 225), (97, 333), (8, 5)])
def test_an_image_has_the_vector_that_the_network_of_transformers_gives(encoder: Any, shape: tuple[int, int]) -> None:
    image = picture(*shape)
    with torch.inference_mode():
        out = imagebind_file.clip().get_image_features(pixel_values=frontend.pixels(image))
    np.testing.assert_allclose(encoder.image([image])[0], unit(out.pooler_output[0]), atol=2e-6)


def test_pixels_are_those_of_clips_processor_where_the_crop_needs_no_rounding() -> None:
    from PIL import Image
    from transformers import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(size={"shortest_edge": 224}, crop_size=224)
    image = picture(448, 512)
    wanted = processor(images=[Image.fromarray(image)], return_tensors="pt")["pixel_values"]
    np.testing.assert_allclose(frontend.pixels(image), wanted, atol=1e-6)


def test_a_still_video_of_square_frames_is_its_image(encoder: Any) -> None:
    image = picture(224, 224)
    np.testing.assert_allclose(encoder.video([[image] * 10])[0], encoder.image([image])[0], atol=2e-6)


def test_the_order_of_frames_matters_and_crops_reach_both_ends(encoder: Any) -> None:
    frames = [picture(240, 480, seed) for seed in range(10)]
    turned = [frame for k in range(0, 10, 2) for frame in (frames[k + 1], frames[k])]
    assert np.abs(encoder.video([frames]) - encoder.video([turned])).max() > 1e-3
    for column in (0, -1):
        other = [frame.copy() for frame in frames]
        for frame in other:
            frame[:, column] = 255 - frame[:, column]
        assert np.abs(encoder.video([frames]) - encoder.video([other])).max() > 1e-6


@pytest.mark.parametrize(
    ("shape", "resized"), [((480, 320), (336, 224)), ((320, 480), (224, 336)), ((224, 225), (224, 225))]
)
def test_crops_lie_at_the_beginning_the_middle_and_the_end(shape: tuple[int, int], resized: tuple[int, int]) -> None:
    frames = [picture(*shape, seed) for seed in range(4)]
    found = frontend.clips(frames)
    assert found.shape == (6, 3, 2, 224, 224)
    whole = torch.nn.functional.interpolate(
        torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float() / 255, resized, mode="bilinear"
    )
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (clip_folder.MEAN, clip_folder.STD))
    spare = max(resized) - 224
    for crop, offset in enumerate((0, -(-spare // 2), spare)):
        part = whole.narrow(2 if shape[0] > shape[1] else 3, offset, 224)
        for window in range(2):
            pair = found[3 * window + crop].transpose(0, 1)  # (2, 3, 224, 224)
            np.testing.assert_allclose(pair * std + mean, part[2 * window : 2 * window + 2], atol=1e-5)


def test_av_benchmarks_frames_are_those_of_ffmpegs_filter_and_neighbours_are_pairs(path: Path, tmp_path: Path) -> None:
    other = ENCODERS["imagebind"](path, video="av-benchmark")
    assert "video:4-frames-of-8s" in other.card.preprocessing
    shades = (np.arange(240) * 250 // 240).astype(np.uint8)
    write_video(tmp_path / "v.mp4", np.broadcast_to(shades[:, None, None, None], (240, 16, 16, 3)).copy(), 30)
    frames = read_frames(tmp_path / "v.mp4", other.video_times(8.0))
    assert [float(frame.mean()) for frame in frames] == ffmpeg_frames.means(tmp_path / "v.mp4", "1/2")[:4]
    given = frontend.clips([picture(224, 300, seed) for seed in range(4)], "av-benchmark")
    assert given.shape == (9, 3, 2, 224, 224)
    np.testing.assert_array_equal(
        given[0, :, 1], given[3, :, 0]
    )  # the second frame, in the first pair and the next one
    images = [picture(224, 224, seed) for seed in range(4)]
    np.testing.assert_allclose(other.video([[images[0]] * 4])[0], other.image([images[0]])[0], atol=2e-6)
    with pytest.raises(ConfigError, match="video 'all' must be imagebind or av-benchmark"):
        ENCODERS["imagebind"](path, video="all")


def test_a_video_is_read_at_both_ends_of_five_windows(encoder: Any) -> None:
    ends = 1e-4  # a window ends before the frame at its end
    assert encoder.video_times(10.0) == pytest.approx(
        [0, 2 - ends, 2, 4 - ends, 4, 6 - ends, 6, 8 - ends, 8, 10 - ends]
    )
    assert encoder.video_times(1.5) == pytest.approx([0, 1.5 - ends] * 5)
    frames = [int(30 * time + 1e-9) for time in encoder.video_times(10.0)]  # the frames on screen at 30 a second
    assert frames == [0, 59, 60, 119, 120, 179, 180, 239, 240, 299]


def test_a_text_has_the_vector_that_the_network_of_transformers_gives(encoder: Any) -> None:
    texts = ["dog", "cat dog photo cat", "dog " * 90]
    size = len(clip_folder.vocabulary())
    with torch.inference_mode():
        for text, found in zip(texts, encoder.text(texts), strict=True):
            ids = torch.tensor([clip_folder.tokens(text)])
            assert ids.max() == size - 1
            wanted = imagebind_file.clip().get_text_features(input_ids=ids).pooler_output
            np.testing.assert_allclose(found, unit(wanted[0]), atol=2e-6)
    assert [note.cut for note in text_notes(encoder, texts)] == [False, False, True]


def test_batches_change_nothing(encoder: Any) -> None:
    images = [picture(50, 60, seed) for seed in range(3)]
    texts = ["dog", "cat", "photo dog", "cat cat", "dog dog"]
    for method, items in ((encoder.image, images), (encoder.text, texts)):
        rows = method(items)
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(np.concatenate([method([item]) for item in items]), rows)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)
        assert method([]).shape == (0, imagebind_file.DIM)


# --- files


def test_the_published_sizes_are_those_of_the_huge_model() -> None:
    towers = {"vision": TowerSizes(1280, 32), "text": TowerSizes(1024, 24, 49408), "audio": TowerSizes(768, 12)}
    with torch.device("meta"):
        network = ImageBind(towers, 1024)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["modality_preprocessors.vision.rgbt_stem.proj.1.weight"] == (1280, 3, 2, 14, 14)
    assert shapes["modality_trunks.audio.blocks.11.attn.bias_k"] == (1, 1, 768)
    assert shapes["modality_heads.text.proj.1.weight"] == (1024, 1024)
    assert {name: sizes.width // HEAD_WIDTH[name] for name, sizes in towers.items()} == {
        "vision": 16, "text": 16, "audio": 12,
    }  # fmt: skip


def test_the_published_name_in_a_folder_is_found(path: Path, encoder: Any) -> None:
    again = ENCODERS["imagebind"](path.parent)
    assert again.card == encoder.card
    assert encoder.card.licence == "CC BY-NC-SA 4.0"
    assert "num" not in encoder.card.preprocessing


def test_other_files_are_one_sentence(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    with pytest.raises(
        WeightsError,
        match=r"no ImageBind weights here; get it with .* imagebind_huge\.pth --fetch' or from https",
    ):
        ENCODERS["imagebind"]()
    held = imagebind_file.tensors()
    without = {k: v for k, v in held.items() if ".audio." not in k}
    torch.save(without, tmp_path / "towers.pth")
    torch.save({**held, "modality_heads.vision.2.weight": torch.ones(7, 160)}, tmp_path / "shape.pth")
    torch.save({**held, "extra": torch.ones(1)}, tmp_path / "more.pth")
    (tmp_path / "cut.pth").write_bytes(path.read_bytes()[:5000])
    said = {"towers": "no tower for audio", "shape": "modality_heads", "more": "extra", "cut": "not readable"}
    for name, words in said.items():
        with pytest.raises(WeightsError, match=words):
            ENCODERS["imagebind"](tmp_path / f"{name}.pth")


def test_texts_need_the_tokenizer_and_sounds_do_not(
    path: Path, encoder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsonic_eval.encoders.imagebind.weights.hub_file", lambda repository, name: None)
    bare = tmp_path / "imagebind_huge.pth"
    bare.write_bytes(path.read_bytes())
    found = ENCODERS["imagebind"](bare)
    one = noise("a", 4000)
    np.testing.assert_array_equal(found.audio([one]), encoder.audio([one]))
    with pytest.raises(WeightsError, match="texts need CLIP's tokenizer"):
        found.text(["dog"])
    told = ENCODERS["imagebind"](bare, tokenizer=path.parent)
    np.testing.assert_array_equal(told.text(["dog"]), encoder.text(["dog"]))


def test_what_is_no_sound_or_picture_is_refused(encoder: Any) -> None:
    with pytest.raises(ShapeError, match="at least one sample"):
        encoder.audio([Clip("x", np.zeros((1, 0), np.float32), RATE)])
    for call in (encoder.image, lambda pictures: encoder.video([pictures])):
        with pytest.raises(ShapeError, match="images must be uint8"):
            call([np.zeros((4, 4), np.uint8)])
