"""``clipsonic-eval prepare`` as a user gives it."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from clipsonic_eval.cli import main
from clipsonic_eval.clips import ClipStore
from clipsonic_eval.media.encode import write_video

RATE = 16000
SETTINGS = ["--set", "duration_s=0.5", "--workers", "0"]


def film(path: Path, hz: float = 440.0, seconds: float = 1.0) -> None:
    n = round(RATE * seconds)
    sound = (0.5 * np.sin(2 * np.pi * hz * np.arange(n) / RATE)).astype(np.float32)
    frames = np.stack([np.full((48, 48, 3), 40 * k % 256, np.uint8) for k in range(max(1, round(5 * seconds)))])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, frames, 5, sound, RATE)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["prepare", *map(str, words)])


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for k in range(4):
        film(tmp_path / "videos" / f"v{k}.mp4", 300.0 + 100 * k)
    return tmp_path / "videos"


def test_a_folder_becomes_clips_and_says_so(videos: Path, tmp_path: Path) -> None:
    result = run(videos, "--out", tmp_path / "clips", *SETTINGS, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert (told["n_clips"], told["n_skipped"], told["finished"]) == (4, 0, True)
    again = run(videos, "--out", tmp_path / "clips", *SETTINGS)
    assert "4 clips (2.0 s of sound)" in again.output
    assert told["content_hash"][:12] in again.output


def test_that_the_toy_clip_knows_no_real_videos_is_said_once_and_first(videos: Path, tmp_path: Path) -> None:
    (videos / "text.mp4").write_text("no video")
    result = run(videos, "--out", tmp_path / "clips", *SETTINGS, "--set", "image_encoder=toy-clip")
    (place,) = [i for i, line in enumerate(result.stderr.splitlines()) if "toy-clip: trained on the toy world" in line]
    (skipped,) = [i for i, line in enumerate(result.stderr.splitlines()) if line.startswith("skipped ")]
    assert place < skipped


def test_bad_files_cost_one_line_each_and_exit_code_3(videos: Path, tmp_path: Path) -> None:
    (videos / "text.mp4").write_text("no video")
    film(videos / "short.mp4", seconds=0.2)
    (videos / "cut.mp4").write_bytes((videos / "v0.mp4").read_bytes()[:1500])
    result = run(videos, "--out", tmp_path / "clips", *SETTINGS)
    assert result.exit_code == 3
    lines = [line for line in result.stderr.splitlines() if line.startswith("skipped ")]
    assert len(lines) == 3
    assert any("text.mp4: not readable as media" in line for line in lines)
    assert any("short.mp4" in line and "min_s" in line for line in lines)
    with (tmp_path / "clips" / "skipped.csv").open(newline="") as stream:
        assert [row["key"] for row in csv.DictReader(stream)] == ["cut", "short", "text"]


def test_nothing_prepared_is_exit_code_2_with_the_place_of_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    result = run(tmp_path / "videos", "--out", tmp_path / "clips", *SETTINGS)
    assert result.exit_code == 2
    assert "no media files" in result.stderr
    (tmp_path / "videos" / "a.mp4").write_text("no video")
    result = run(tmp_path / "videos", "--out", tmp_path / "clips", *SETTINGS)
    assert result.exit_code == 2
    assert "skipped.csv" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--set", "duraton_s=1"], "Did you mean 'duration_s'"),
        (["--dataset", "vgsound"], "Did you mean 'vggsound'"),
        (["--shard", "3/2"], "expected I/N"),
        (["--set", "image_encoder=toy-audio"], "no images"),
    ],
)
def test_mistakes_of_the_command_line_are_one_sentence(
    videos: Path, tmp_path: Path, words: list[str], says: str
) -> None:
    result = run(videos, "--out", tmp_path / "clips", *words)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_vggsounds_list_gives_prompts_splits_and_segments(tmp_path: Path) -> None:
    film(tmp_path / "videos" / "aaa.mp4", seconds=13.0)
    film(tmp_path / "videos" / "bbb_000007.mp4")
    (tmp_path / "vggsound.csv").write_text("aaa,2,dog barking,train\nbbb,7,rain,test\nccc,0,rain,test\n")
    words = ["--dataset", "vggsound", "--csv", tmp_path / "vggsound.csv", *SETTINGS]
    result = run(tmp_path / "videos", "--out", tmp_path / "clips", *words)
    assert result.exit_code == 3
    assert "ccc" in result.stderr
    store = ClipStore.open(tmp_path / "clips")
    assert list(zip(store.keys, store.prompts, store.splits, store.start_s.tolist(), strict=True)) == [
        ("aaa_000002", "dog barking", "train", 2.0),
        ("bbb_000007", "rain", "test", 0.0),
    ]
    # what the list names and nobody has does not come back when only the other split is asked for
    result = run(tmp_path / "videos", "--out", tmp_path / "train", *words, "--split", "train")
    assert result.exit_code == 0, result.output
    assert ClipStore.open(tmp_path / "train").keys == ("aaa_000002",)


def test_shares_of_a_job_array_make_the_same_clips_as_one_job(videos: Path, tmp_path: Path) -> None:
    small = [*SETTINGS, "--set", "shard_size=1"]
    assert run(videos, "--out", tmp_path / "whole", *small).exit_code == 0
    first = run(videos, "--out", tmp_path / "shares", *small, "--shard", "1/2")
    assert first.exit_code == 0, first.output
    assert "2 shards of other shares are not there yet" in first.output
    second = run(videos, "--out", tmp_path / "shares", *small, "--shard", "2/2")
    assert second.exit_code == 0, second.output
    whole, shares = ClipStore.open(tmp_path / "whole"), ClipStore.open(tmp_path / "shares")
    assert whole.keys == shares.keys
    assert whole.content_hash == shares.content_hash


def test_a_croissant_description_needs_its_package(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlcroissant", None)
    result = run(videos, "--out", tmp_path / "clips", *SETTINGS, "--croissant")
    assert result.exit_code == 2
    assert "mlcroissant is not installed; pip install 'clipsonic-eval[croissant]'" in result.stderr
    assert not (tmp_path / "clips").exists()  # said before the work, not after hours
