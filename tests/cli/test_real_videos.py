"""Ordinary videos with VGGSound's csv, through every command: other codecs, rates and sizes than the toy world's."""

from __future__ import annotations

import csv
import struct
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from clipsonic_eval import records
from clipsonic_eval.cli import main
from clipsonic_eval.clips import ClipStore
from clipsonic_eval.media.encode import write_video

CONFIG = Path(__file__).parents[2] / "models" / "clipsonic" / "configs" / "toy_video.yaml"
LABELS = ("dog barking", "rain falling", "train passing")
# suffix, codec, audio codec, Hz, channels, height, width, frames per second
KINDS = (
    (".mp4", "h264", "aac", 44100, 2, 90, 160, 25),
    (".webm", "vp8", "opus", 48000, 1, 72, 128, 12),
    (".mkv", "mpeg4", "mp3", 22050, 2, 96, 96, 30),
    (".avi", "mpeg4", "pcm_s16le", 8000, 1, 61, 47, 15),
    (".mov", "h264", "aac", 32000, 1, 120, 68, 10),
    (".webm", "vp9", "opus", 48000, 2, 54, 96, 24),
)


def scene(number: int, seconds: float, rate: int, channels: int, height: int, width: int, fps: float) -> tuple:  # type: ignore[type-arg]
    """Return a moving grating with grain, and a gliding tone in noise: nothing of the toy world's generators."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:height, :width]
    angle, colour = rng.uniform(0, np.pi), rng.uniform(0.3, 1, 3)
    frames = []
    for k in range(round(seconds * fps)):
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) / 6 + k / 3)
        grain = rng.normal(0, 12, (height, width, 1))
        frames.append(np.clip((wave[..., None] * 90 + 128) * colour + grain, 0, 255).astype(np.uint8))
    t = np.arange(round(seconds * rate)) / rate
    glide = 0.4 * np.sin(2 * np.pi * (300 + 150 * (number % 7)) * (t + 0.2 * t**2))
    sound = glide + rng.normal(0, 0.05, (channels, len(t)))
    return np.stack(frames), np.clip(sound, -1, 1).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write videos, some of them spoilt, and their list."""
    root = tmp_path_factory.mktemp("ordinary")
    videos = root / "videos"
    videos.mkdir()
    rows = []
    for number in range(18):
        suffix, codec, audio, rate, channels, height, width, fps = KINDS[number % len(KINDS)]
        whole = number % 4 == 0  # a whole video of which the list names a second; the others were cut already
        name = f"vid{number:02d}" + ("" if whole else "_000001")
        frames, sound = scene(number, 2.5 if whole else 1.5, rate, channels, height, width, fps)
        write_video(videos / f"{name}{suffix}", frames, fps, sound, rate, codec=codec, audio_codec=audio)
        rows.append((f"vid{number:02d}", 1, LABELS[number % 3], "test" if number % 3 == 2 or number > 12 else "train"))
    held_upright = videos / "vid04.mov"
    data = bytearray(held_upright.read_bytes())
    place = data.index(b"tkhd") + 44
    data[place : place + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    held_upright.write_bytes(data)
    still = np.zeros((15, 64, 64, 3), np.uint8)
    (videos / "text_000000.mp4").write_text("<html>this video is not available</html>")
    write_video(videos / "mute_000000.mp4", still, 10)
    write_video(videos / "silent_000000.mp4", still, 10, np.zeros(24000, np.float32), 16000)
    write_video(videos / "short_000000.mp4", still[:1], 10, np.full(160, 0.1, np.float32), 16000)
    good = (videos / "vid01_000001.webm").read_bytes()
    (videos / "cut_000000.webm").write_bytes(good[: len(good) // 3])
    rows += [(name, 0, LABELS[0], "train") for name in ("text", "mute", "silent", "short", "cut", "gone")]
    with (root / "vggsound.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return root


def run(*words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(w) for w in words])
    assert result.exit_code == code, result.output[-3000:]
    assert "Traceback" not in result.output
    return result


def test_from_videos_to_the_report(folder: Path, tmp_path: Path) -> None:
    source = ["prepare", folder / "videos", "--dataset", "vggsound", "--csv", folder / "vggsound.csv"]
    settings = ["--set", "duration_s=0.96", "--workers", 0]
    prepared = run(*source, "--split", "train", "--out", tmp_path / "train", *settings, code=3)
    told = {line.split(":")[0].split()[-1].split("/")[-1] for line in prepared.stderr.splitlines() if "skipped" in line}
    assert {name.split("_")[0].split(".")[0] for name in told} == {"text", "mute", "silent", "short", "cut", "gone"}
    run(*source, "--split", "test", "--out", tmp_path / "test", *settings)
    train, test = ClipStore.open(tmp_path / "train"), ClipStore.open(tmp_path / "test")
    assert len(train) == 9
    assert len(test) == 9
    assert set(train.labels) | set(test.labels) == set(LABELS)

    small = ["network.options={channels: [32, 32], embedding: 32}", "train.steps=5"]
    sets = [w for s in (*small, f"clips={tmp_path / 'train'}", "train.batch_size=4") for w in ("--set", s)]
    run("train", CONFIG, *sets, "--out", tmp_path / "model")

    with (tmp_path / "queries.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["key", "prompt", "label", "path"])
        files = {p.stem.removesuffix("_000001"): p for p in (folder / "videos").iterdir()}
        for key, label in zip(test.keys, test.labels, strict=True):
            rows.writerow([key, f"the sound of {label}", label, files[key.removesuffix("_000001")]])
    systems = []
    for name, kind in {"ZS": "ZeroShot", "IQ": "ImageQueried"}.items():
        model = ["--set", f"model={tmp_path / 'model'}", "--set", "steps=2"]
        out = tmp_path / "wavs" / name
        run("sample", f"clipsonic.systems:{kind}", *model, "--queries", tmp_path / "queries.csv", "--out", out)
        systems += ["--system", f"{name}={out}"]

    cache = ["--cache", tmp_path / "cache", "--set", "n_bootstrap=40", "--set", "n_permutations=40"]
    run("evaluate", "--reference", tmp_path / "train", *systems, *cache, "--out", tmp_path / "runs" / "eval")
    run("gap", tmp_path / "test", "--encoder", "toy-clip", "--out", tmp_path / "runs" / "gap")
    scored = records.read(tmp_path / "runs" / "eval")
    for name in ("ZS", "IQ"):
        assert (score := scored.score("fad", name)) is not None
        assert score.n == 9
        assert score.ci is not None
    gap = records.read(tmp_path / "runs" / "gap").score("centroid_distance", "text")
    assert gap is not None
    assert gap.n == 9
    run("report", tmp_path / "runs" / "eval", tmp_path / "runs" / "gap", "--out", tmp_path / "report")
    page = (tmp_path / "report" / "README.md").read_text(encoding="utf-8")
    assert "ZS" in page
    assert "FAD" in page
    assert (tmp_path / "report" / "figures" / "metrics.png").stat().st_size > 5000
