"""Items keep their shards: files that are added fill new ones, and one that is gone costs its own."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval import filenames
from clipsonic_eval.clips import ClipStore, PrepareConfig, prepare
from clipsonic_eval.clips._members import deal
from clipsonic_eval.datasets import SourceItem
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import write_json
from clipsonic_eval.media.audio import write_wav

CONFIG = PrepareConfig(image_encoder=None, duration_s=0.1, min_s=0.05, workers=0, shard_size=3)


def put(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        seed = sum(map(ord, name))
        sound = 0.3 * np.random.default_rng(seed).standard_normal(1600).clip(-1, 1)
        write_wav(folder / f"{name}.wav", sound.astype(np.float32), 16000)


def written(out: Path) -> dict[str, int]:
    """Return when each shard was written."""
    return {path.stem: path.stat().st_mtime_ns for path in (out / "shards").glob("*.arrow")}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    put(tmp_path / "in", "b", "d", "f", "h", "j", "l")
    prepare(tmp_path / "in", tmp_path / "out", CONFIG)
    return tmp_path


def test_files_that_are_added_leave_full_shards_alone(place: Path) -> None:
    before = written(place / "out")
    put(place / "in", "a", "e", "z")  # before, between and after the others
    result = prepare(place / "in", place / "out", CONFIG, overwrite=True)
    after = written(place / "out")
    assert {name: after[name] for name in before} == before
    assert set(after) == {"00000", "00001", "00002"}
    assert result.n_clips == 9
    assert ClipStore.open(place / "out").keys == ("b", "d", "f", "h", "j", "l", "a", "e", "z")


def test_without_overwrite_other_files_are_refused_and_no_place_is_taken(place: Path) -> None:
    members = (place / "out" / filenames.MEMBERS).read_bytes()
    put(place / "in", "a")
    with pytest.raises(UserError, match="--overwrite"):
        prepare(place / "in", place / "out", CONFIG)
    assert (place / "out" / filenames.MEMBERS).read_bytes() == members


def test_only_a_shard_that_was_not_full_is_made_again(place: Path) -> None:
    put(place / "in", "m")
    prepare(place / "in", place / "out", CONFIG, overwrite=True)
    before = written(place / "out")
    put(place / "in", "a")
    prepare(place / "in", place / "out", CONFIG, overwrite=True)
    after = written(place / "out")
    assert [after[name] == before[name] for name in ("00000", "00001", "00002")] == [True, True, False]
    assert ClipStore.open(place / "out").keys == ("b", "d", "f", "h", "j", "l", "m", "a")


def test_a_file_that_is_gone_costs_its_own_shard_and_comes_back_to_its_place(place: Path) -> None:
    before = written(place / "out")
    (place / "in/d.wav").rename(place / "d.wav")
    prepare(place / "in", place / "out", CONFIG, overwrite=True)
    after = written(place / "out")
    assert [after[name] == before[name] for name in ("00000", "00001")] == [False, True]
    assert ClipStore.open(place / "out").keys == ("b", "f", "h", "j", "l")
    (place / "d.wav").rename(place / "in/d.wav")
    prepare(place / "in", place / "out", CONFIG, overwrite=True)
    assert ClipStore.open(place / "out").keys == ("b", "d", "f", "h", "j", "l")


def test_other_settings_deal_anew_in_the_order_of_the_listing(place: Path) -> None:
    put(place / "in", "a")
    prepare(place / "in", place / "out", CONFIG, overwrite=True)
    prepare(place / "in", place / "out", dataclasses.replace(CONFIG, shard_size=2), overwrite=True)
    assert ClipStore.open(place / "out").keys == ("a", "b", "d", "f", "h", "j", "l")


def test_another_source_is_dealt_anew(place: Path) -> None:
    put(place / "other", "x", "y", "z", "w")
    prepare(place / "other", place / "out", CONFIG, overwrite=True)
    assert ClipStore.open(place / "out").keys == ("w", "x", "y", "z")
    assert set(written(place / "out")) == {"00000", "00001"}


def test_shares_of_an_array_deal_alike_after_files_were_added(place: Path) -> None:
    put(place / "in", "a", "c", "e", "g")
    waiting = [prepare(place / "in", place / "out", CONFIG, part=(i, 2), overwrite=True).waiting for i in (2, 1)]
    assert waiting == [1, 0]
    assert ClipStore.open(place / "out").keys == ("b", "d", "f", "h", "j", "l", "a", "c", "e", "g")


def test_a_damaged_order_costs_time_and_no_clip(place: Path) -> None:
    (place / "out" / filenames.MEMBERS).write_text("{")
    put(place / "in", "a")
    prepare(place / "in", place / "out", CONFIG, overwrite=True)
    assert ClipStore.open(place / "out").keys == ("a", "b", "d", "f", "h", "j", "l")


@given(
    rounds=st.lists(st.sets(st.integers(0, 30)), min_size=1, max_size=4),
    size=st.integers(1, 7),
)
def test_every_item_has_one_place_and_keeps_its_neighbours(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[set[int]], size: int
) -> None:
    out = tmp_path_factory.mktemp("out")
    place: dict[str, int] = {}
    for listed in rounds:
        items = [SourceItem(f"{number:02d}", Path("x.wav")) for number in sorted(listed)]
        shards, members = deal(items, size, "settings", out)
        write_json(out / filenames.MEMBERS, members)
        assert sorted(item.key for shard in shards for item in shard) == [item.key for item in items]
        assert all(0 < len(shard) <= size for shard in shards)
        where = {key: index // size for index, key in enumerate(members["keys"])}
        if any(item.key in place for item in items):  # else all is dealt anew
            assert all(where[key] == shard for key, shard in place.items())
        place = where
        for shard in shards:
            assert len({where[item.key] for item in shard}) == 1
