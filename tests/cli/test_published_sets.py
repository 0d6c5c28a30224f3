"""Every data set in its published layout: prepared, and a text-conditioned baseline trained on it."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main
from clipsonic_eval.clips import ClipStore
from clipsonic_eval.datasets import DATASETS
from clipsonic_eval.media.audio import write_wav

CONFIG = Path(__file__).parents[2] / "baselines" / "paired_tta" / "configs" / "toy_clip_tta.yaml"
SMALL = ("network.options={channels: [32, 32], embedding: 32}", "train.steps=2", "train.batch_size=2")
RATE = 16000


def sounds(root: Path, *names: str, seconds: float = 0.5) -> None:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tone = 0.3 * np.sin(2 * np.pi * (300 + 90 * number) * np.arange(round(RATE * seconds)) / RATE)
        write_wav(path, tone.astype(np.float32), RATE)


def table(path: Path, *rows: tuple[object, ...]) -> None:
    with path.open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream).writerows(rows)


def vggsound(root: Path) -> None:
    sounds(root, "video/-aB_000030.wav", "video/cD.wav", seconds=2)
    table(root / "vggsound.csv", ("-aB", 30, "dog, barking", "train"), ("cD", 1, "rain", "test"))


def audiocaps(root: Path) -> None:
    sounds(root, "train/-aB_30.wav", "train/YcD.wav")
    head = ("audiocap_id", "youtube_id", "start_time", "caption")
    table(root / "train.csv", head, (1, "-aB", 30, "a dog, far"), (2, "cD", 1, "rain"), (3, "cD", 1, "it rains"))


def clotho(root: Path) -> None:
    sounds(root, "development/a 1.wav", "development/é.wav")
    head = ("file_name", *(f"caption_{k}" for k in range(1, 6)))
    rows = [(name, *(f"{name} {k}" for k in range(5))) for name in ("a 1.wav", "é.wav")]
    table(root / "clotho_captions_development.csv", head, *rows)


def wavcaps(root: Path) -> None:
    sounds(root, "AudioSet_SL_flac/YaB.wav", "FreeSound_flac/7.wav")
    for name, key in {"as_final.json": "YaB.wav", "fsd_final.json": "7"}.items():
        entry = {"id": key, "caption": "A dog.", "audio": "wav_path", "duration": 10.0}
        (root / name).write_text(json.dumps({"num_captions_per_audio": 1, "data": [entry]}))


def music(root: Path) -> None:
    sounds(root, "flute/-aB.wav", "duet/cD.wav", seconds=1.2)
    (root / "MUSIC_solo_videos.json").write_text(json.dumps({"version": 1.0, "videos": {"flute": ["-aB"]}}))
    (root / "MUSIC_duet_videos.json").write_text(json.dumps({"version": 1.0, "videos": {"flute violin": ["cD"]}}))


def audiofolder(root: Path) -> None:
    sounds(root, "train/a.wav", "test/b.wav")
    table(root / "train/metadata.csv", ("file_name", "text"), ("a.wav", "a dog"))
    table(root / "test/metadata.csv", ("file_name", "text"), ("b.wav", "rain"))


def webdataset(root: Path) -> None:
    sounds(root, "0.wav", "1.wav")
    with tarfile.open(root / "train.tar", "w") as archive:
        for key in ("0", "1"):
            archive.add(root / f"{key}.wav", f"{key}.wav")
            info = tarfile.TarInfo(f"{key}.txt")
            info.size = 5
            archive.addfile(info, io.BytesIO(b"a dog"))
            (root / f"{key}.wav").unlink()


def parquet(root: Path) -> None:
    sounds(root, "0.wav", "1.wav")
    rows = [
        {"audio": {"bytes": (root / f"{k}.wav").read_bytes(), "path": f"{k}.wav"}, "text": "a dog"} for k in range(2)
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), root / "train-00000-of-00001.parquet")
    for k in range(2):
        (root / f"{k}.wav").unlink()


def manifest(root: Path) -> None:
    sounds(root, "a.wav", "b.wav")
    table(root / "manifest.csv", ("path", "caption"), ("a.wav", "a dog"), ("b.wav", "rain"))


SETS: list[tuple[Callable[[Path], None], int]] = [
    (vggsound, 2), (audiocaps, 2), (clotho, 2), (wavcaps, 2), (music, 4), (audiofolder, 2), (webdataset, 2),
    (parquet, 2), (manifest, 2),
]  # fmt: skip


def test_every_layout_but_the_plain_folder_has_its_test_and_its_line_in_the_guide() -> None:
    names = {make.__name__ for make, _ in SETS}
    assert names | {"folder"} == set(DATASETS)
    guide = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    assert all(f"| `{name}` |" in guide for name in DATASETS)


@pytest.mark.parametrize(("make", "n"), SETS, ids=[make.__name__ for make, _ in SETS])
def test_a_published_layout_is_prepared_and_trains_a_baseline(
    make: Callable[[Path], None], n: int, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    make(tmp_path / "in")
    sets = ["image_encoder=null", "duration_s=0.64", "workers=0", *(["window=all"] if make is music else [])]
    words = ["prepare", tmp_path / "in", "--dataset", make.__name__, "--out", tmp_path / "clips"]
    words += [word for setting in sets for word in ("--set", setting)]
    prepared = CliRunner().invoke(main, [str(word) for word in words])
    assert prepared.exit_code == 0, prepared.output
    store = ClipStore.open(tmp_path / "clips")
    assert len(store) == n
    assert all(store.captions)
    sets = [*SMALL, f"clips={tmp_path / 'clips'}"]
    words = ["train", CONFIG, "--out", tmp_path / "model", *(word for one in sets for word in ("--set", one))]
    trained = CliRunner().invoke(main, [str(word) for word in words])
    assert trained.exit_code == 0, trained.output[-2000:]
    assert (tmp_path / "model").is_dir()
