"""ImageBind with equal random weights against Meta's own code (PyPI: imagebind-unofficial), front ends included."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from unit.encoders import clip_folder

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders.imagebind import frontend
from clipsonic_eval.types import Clip

SIZES = {
    "vision_embed_dim": 160, "vision_num_blocks": 2, "vision_num_heads": 2, "text_embed_dim": 128,
    "text_num_blocks": 2, "text_num_heads": 2, "audio_embed_dim": 128, "audio_num_blocks": 2, "audio_num_heads": 2,
    "out_embed_dim": 32, "depth_num_blocks": 1, "thermal_num_blocks": 1, "imu_num_blocks": 1,
}  # fmt: skip


class Sampler:
    """pytorchvideo's ConstantClipsPerVideoSampler, its arithmetic alone."""

    def __init__(self, clip_duration: int, clips_per_video: int) -> None:
        self.duration, self.clips, self.index = Fraction(clip_duration), clips_per_video, 0

    def __call__(self, end: float, length: float, annotation: None) -> tuple[Fraction, Fraction, int, int, bool]:
        step = Fraction(Fraction(max(length - self.duration, 0)), self.clips - 1)
        start, index = step * self.index, self.index
        self.index = (index + 1) % self.clips
        return start, start + self.duration, index, 0, self.index == 0


@pytest.fixture(scope="module")
def theirs() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        # it takes two functions of timm, one of iopath, and pytorchvideo's sampler
        fakes = {
            "timm": {},
            "timm.layers": {"DropPath": torch.nn.Identity, "trunc_normal_": torch.nn.init.trunc_normal_},
            "iopath": {},
            "iopath.common": {},
            "iopath.common.file_io": {"g_pathmgr": None},
            "pkg_resources": {"resource_filename": None},
            "pytorchvideo": {"transforms": None},
            "pytorchvideo.data": {},
            "pytorchvideo.data.clip_sampling": {"ConstantClipsPerVideoSampler": Sampler},
            "pytorchvideo.data.encoded_video": {"EncodedVideo": None},
        }
        for name, contents in fakes.items():
            module = types.ModuleType(name)
            vars(module).update(contents)
            patch.setitem(sys.modules, name, module)
        sys.modules["timm.layers"].DropPath = lambda rate: torch.nn.Identity()  # type: ignore[attr-defined]
        from imagebind import data
        from imagebind.models import imagebind_model

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = imagebind_model.ImageBindModel(**SIZES).eval()
            for value in model.parameters():
                value.data.add_((0.5 / value[0].numel() ** 0.5 if value.ndim > 1 else 0.1) * torch.randn_like(value))
        yield types.SimpleNamespace(data=data, model=model)


@pytest.fixture(scope="module")
def ours(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("imagebind") / "imagebind_huge.pth"
    torch.save(theirs.model.state_dict(), path)
    return ENCODERS["imagebind"](path)


def unit(x: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(x, dim=-1).numpy()


@pytest.mark.parametrize("seconds", [10.0, 5.4321, 1.3])
def test_sounds(theirs: Any, ours: Any, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    wave = (0.2 * rng.standard_normal(round(16000 * seconds))).astype(np.float32)
    monkeypatch.setattr(theirs.data.torchaudio, "load", lambda path: (torch.from_numpy(wave.copy())[None], 16000))
    mel = theirs.data.waveform2melspec
    # it subtracts the mean of a window in place, and so from the beginning of the next one where they overlap
    monkeypatch.setattr(theirs.data, "waveform2melspec", lambda window, *sizes: mel(window.clone(), *sizes))
    given = theirs.data.load_and_transform_audio_data(["a.wav"], "cpu")
    np.testing.assert_allclose(frontend.spectrograms(wave), given[0], atol=2e-4)
    with torch.inference_mode():
        wanted = theirs.model({"audio": given})["audio"]
    np.testing.assert_allclose(ours.audio([Clip("a", wave[None], 16000)]), unit(wanted), atol=1e-5)


def test_images(theirs: Any, ours: Any, tmp_path: Path) -> None:
    from PIL import Image

    shapes = [(251, 333, 3), (300, 225, 3)]
    images = [np.random.default_rng(k).integers(0, 256, shape, np.uint8) for k, shape in enumerate(shapes)]
    for k, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{k}.png")
    given = theirs.data.load_and_transform_vision_data([str(tmp_path / f"{k}.png") for k in range(2)], "cpu")
    np.testing.assert_allclose(torch.cat([frontend.pixels(image) for image in images]), given, atol=1e-6)
    with torch.inference_mode():
        wanted = theirs.model({"vision": given})["vision"]
    np.testing.assert_allclose(ours.image(images), unit(wanted), atol=1e-5)


def test_videos(theirs: Any, ours: Any) -> None:
    frames = [np.random.default_rng(k).integers(0, 256, (240, 321, 3), np.uint8) for k in range(10)]
    video = torch.from_numpy(np.stack(frames)).permute(3, 0, 1, 2).float() / 255
    height, width = 224, int(321 / 240 * 224)  # pytorchvideo's ShortSideScale
    scaled = [torch.nn.functional.interpolate(part, (height, width), mode="bilinear") for part in video.split(2, dim=1)]
    colours = theirs.data.NormalizeVideo(mean=clip_folder.MEAN, std=clip_folder.STD)
    given = torch.stack(theirs.data.SpatialCrop(224, num_crops=3)([colours(part) for part in scaled]))
    np.testing.assert_allclose(frontend.clips(frames), given, atol=1e-5)
    with torch.inference_mode():
        wanted = theirs.model({"vision": given[None]})["vision"]
    np.testing.assert_allclose(ours.video([frames]), unit(wanted), atol=1e-5)


def test_texts(theirs: Any, ours: Any) -> None:
    ids = torch.randint(1, 49000, (3, 77), generator=torch.Generator().manual_seed(0))
    for row, end in enumerate((4, 40, 76)):
        ids[row, end], ids[row, end + 1 :] = 49407, 0
    with torch.inference_mode():
        wanted = theirs.model({"text": ids})["text"]
        found = ours._network.text(ids)
    np.testing.assert_allclose(found, unit(wanted), atol=1e-5)
