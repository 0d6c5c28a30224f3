"""Flipped bytes in prepared clips: found before they are used, named, and fixed by the same command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.harness.audio_sets import reference_set
from clipsonic_eval.media.encode import write_video

RATE = 16000
SETTINGS = PrepareConfig(duration_s=1.0, image_encoder="toy-clip", shard_size=2, workers=0)


class Notes:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def track(self, items, *, label, total=None, done=0):  # type: ignore[no-untyped-def]
        return iter(items)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    frames = np.stack([np.full((64, 64, 3), 40 * k, np.uint8) for k in range(5)])
    for k in range(4):
        tone = 0.5 * np.sin(2 * np.pi * (300 + 100 * k) * np.arange(RATE) / RATE)
        write_video(folder / f"v{k}.mp4", frames, 5, tone.astype(np.float32), RATE)
    return folder


@pytest.fixture
def clips(videos: Path, tmp_path: Path) -> Path:
    prepare(Source(videos), tmp_path / "clips", SETTINGS)
    return tmp_path / "clips"


def flip(path: Path, begin: int, n: int) -> None:
    data = bytearray(path.read_bytes())
    data[begin : begin + n] = bytes(b ^ 0x04 for b in data[begin : begin + n])
    path.write_bytes(data)


def sound_of(clips: Path, row: int) -> int:
    """Return where the sound of a clip begins in its shard."""
    wanted = ClipStore.open(clips).audio(np.array([row]))[0].tobytes()
    return (clips / "shards" / f"{row // 2:05d}.arrow").read_bytes().index(wanted)


def test_four_thousand_flipped_bytes_of_a_clip_are_not_heard(clips: Path, videos: Path) -> None:
    shard = clips / "shards" / "00001.arrow"
    before, at = ClipStore.open(clips).audio(np.arange(4)), sound_of(clips, 3)
    flip(shard, at + 30_000, 4000)
    store = ClipStore.open(clips)
    np.testing.assert_array_equal(store.audio(np.arange(3)), before[:3])  # the others are whole
    for _ in range(2):  # a damaged clip stays damaged
        with pytest.raises(MediaError, match=r"clip 'v3' is damaged.* the same prepare command makes anew"):
            store.audio(np.array([1, 3]))
    with pytest.raises(MediaError, match="clip 'v3' is damaged"):  # what evaluate lists as skipped
        next(i for i in reference_set(clips).items if i.key == "v3").digest()
    notes = Notes()
    prepare(Source(videos), clips, SETTINGS, progress=notes)  # type: ignore[arg-type]
    assert [n for n in notes.notes if "00001.arrow: damaged" in n]
    np.testing.assert_array_equal(ClipStore.open(clips).audio(np.arange(4)), before)


def test_flipped_bytes_of_the_embeddings_are_not_used(clips: Path, videos: Path) -> None:
    before = np.array(ClipStore.open(clips).image_embeddings)
    flip(clips / "image_embeddings.npy", 300, 400)
    with pytest.raises(MediaError, match=r"image_embeddings.npy: damaged.* the same prepare command makes anew"):
        _ = ClipStore.open(clips).image_embeddings
    prepare(Source(videos), clips, SETTINGS)
    np.testing.assert_array_equal(ClipStore.open(clips).image_embeddings, before)


def rate(path: Path) -> None:
    text = (path / "clips.json").read_text()
    assert '"sample_rate": 16000' in text
    (path / "clips.json").write_text(text.replace('"sample_rate": 16000', '"sample_rate": 17000'))


def key(path: Path) -> None:
    shard = path / "shards" / "00000.arrow"
    flip(shard, shard.read_bytes().index(b"v0v1"), 1)


def offset(path: Path) -> None:
    shard = path / "shards" / "00000.arrow"
    flip(shard, shard.read_bytes().index(b"v0v1") - 60, 60)


def seconds(path: Path) -> None:
    shard = path / "shards" / "00000.arrow"
    flip(shard, shard.read_bytes().index(np.array([1.0, 1.0]).tobytes()) + 6, 1)


@pytest.mark.parametrize("damage", [rate, key, offset, seconds])
def test_what_opening_reads_is_checked_at_opening(clips: Path, videos: Path, damage: Callable[[Path], None]) -> None:
    before = ClipStore.open(clips)
    damage(clips)
    with pytest.raises(UserError, match=r"damaged .*; the same prepare command makes anew what is damaged") as told:
        ClipStore.open(clips)
    assert str(clips) in str(told.value)
    prepare(Source(videos), clips, SETTINGS)
    again = ClipStore.open(clips)
    assert (again.keys, again.sample_rate, again.content_hash) == (before.keys, RATE, before.content_hash)
    np.testing.assert_array_equal(again.valid_s, before.valid_s)


def test_a_sidecar_with_another_number_is_no_proof(clips: Path, videos: Path) -> None:
    path = clips / "shards" / "00000.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({**whole, "seconds": whole["seconds"] * 2}))
    hours = ClipStore.open(clips).info["hours"]
    (clips / "clips.json").unlink()
    done = prepare(Source(videos), clips, SETTINGS)
    assert done.hours == hours
    assert json.loads(path.read_text()) == whole


def test_another_machine_s_damaged_shard_is_waited_for(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "clips"
    assert prepare(Source(videos), out, SETTINGS, part=(1, 2)).waiting == 1
    flip(out / "shards" / "00000.arrow", 5000, 400)
    assert prepare(Source(videos), out, SETTINGS, part=(2, 2)).waiting == 1
    assert not (out / "clips.json").exists()
    assert prepare(Source(videos), out, SETTINGS, part=(1, 2)).n_clips == 4
