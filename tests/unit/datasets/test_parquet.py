"""Tables as the package datasets writes them for the hub: structs of bytes and path, names of classes in metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.clips._inside import close, extracted
from clipsonic_eval.datasets import DATASETS, Listing
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.media.audio import write_wav

RATE = 16000
MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def wav(folder: Path, number: int) -> bytes:
    path = folder / "made.wav"
    write_wav(path, (0.3 * np.sin((0.1 + 0.02 * number) * np.arange(RATE // 2))).astype(np.float32), RATE)
    data = path.read_bytes()
    path.unlink()
    return data


def written(path: Path, sounds: list[Any], *, name: str = "audio", rows: int = 3, **columns: Any) -> Path:
    """Write a table in groups of so many rows, with the classes of its column ``label`` in the metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: pa.array(sounds, type=MEDIA), **columns})
    label = {"_type": "ClassLabel", "names": ["dog", "rain"]}
    features = {"info": {"features": {name: {"_type": "Audio"}, "label": label}}}
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), path, row_group_size=rows)
    return path


def sounds(folder: Path, n: int) -> list[dict[str, Any]]:
    return [{"bytes": wav(folder, k), "path": f"{k}.wav"} for k in range(n)]


def read(root: Path, split: str | None = None) -> Listing:
    return DATASETS["parquet"].items(root, None, split)


def test_rows_have_texts_names_of_classes_and_the_split_of_their_table(tmp_path: Path) -> None:
    captions = [["a dog", "it barks", "a dog"], ["rain"], None]
    written(tmp_path / "data/test-00000-of-00001.parquet", sounds(tmp_path, 3), caption=captions, label=[0, 1, None])
    found = read(tmp_path)
    assert [(i.key, i.prompt, i.captions, i.label, i.split) for i in found.items] == [
        ("0", "a dog", ("a dog", "it barks"), "dog", "test"),
        ("1", "rain", (), "rain", "test"),
        ("2", None, (), None, "test"),
    ]
    assert [i.member and (i.member.name, i.member.place) for i in found.items] == [
        ("0.wav", 0), ("1.wav", 1), ("2.wav", 2),
    ]  # fmt: skip
    assert len(read(tmp_path, "test").items) == 3
    with pytest.raises(UserError, match="split"):
        read(tmp_path, "train")


def test_keys_are_those_of_the_table_or_of_the_sounds_or_the_rows(tmp_path: Path) -> None:
    some = sounds(tmp_path, 2)
    written(tmp_path / "train/a.parquet", some, id=["x", "../y"])
    written(tmp_path / "train/b.parquet", [*some, {**some[0], "path": None}])
    written(tmp_path / "c.parquet", some)
    found = read(tmp_path)
    assert sorted(i.key for i in found.items) == ["b__0", "b__1", "b__2", "c__0", "c__1", "x"]
    assert {i.key: i.split for i in found.items}["x"] == "train"
    (skip,) = found.skipped
    assert (skip.key, skip.reason.split(";")[0]) == ("a__1", "a.parquet row 1: key '../y' must do as a file name")


def test_a_table_of_videos_is_one_of_videos(tmp_path: Path) -> None:
    written(tmp_path / "a.parquet", sounds(tmp_path, 1), name="video", audio=pa.array([None], type=MEDIA))
    (item,) = read(tmp_path).items
    assert item.member is not None
    assert item.member.column == "video"


@pytest.mark.parametrize("workers", [0, 1])
def test_clips_of_a_table_are_those_of_the_files_in_it(tmp_path: Path, workers: int) -> None:
    several = [*sounds(tmp_path, 7), {"bytes": None, "path": "8.wav"}, {"bytes": b"no sound", "path": "9.wav"}]
    written(tmp_path / "in/a.parquet", several, text=[f"sound {k}" for k in range(9)])
    for one in several[:7]:
        (tmp_path / "files").mkdir(exist_ok=True)
        (tmp_path / "files" / one["path"]).write_bytes(one["bytes"])
    config = PrepareConfig(duration_s=0.5, image_encoder=None, workers=workers)
    result = prepare(Source(tmp_path / "in", "parquet"), tmp_path / "clips", config)
    assert {place: why.split(" (")[0] for _, place, why in result.skipped} == {
        "a.parquet/8.wav": "row 7 holds no bytes in its column audio",
        "a.parquet/9.wav": "not readable as media",
    }
    prepare(tmp_path / "files", tmp_path / "plain", config)
    clips, plain = ClipStore.open(tmp_path / "clips"), ClipStore.open(tmp_path / "plain")
    assert clips.keys == plain.keys == tuple(map(str, range(7)))
    assert clips.prompts == tuple(f"sound {k}" for k in range(7))
    np.testing.assert_array_equal(clips.audio(np.arange(7)), plain.audio(np.arange(7)))


def test_rows_are_read_in_any_order(tmp_path: Path) -> None:
    several = sounds(tmp_path, 7)
    written(tmp_path / "a.parquet", several)
    listing = read(tmp_path).items
    for k in (2, 3, 3, 0, 6, 1):
        with extracted(listing[k]) as item:
            assert item.path.read_bytes() == several[k]["bytes"]
            assert item.path.suffix == ".wav"
    close()


def test_tables_that_cannot_be_used_are_named_with_the_mend(tmp_path: Path) -> None:
    written(tmp_path / "paths.parquet", [{"bytes": None, "path": "a.wav"}])
    pq.write_table(pa.table({"text": ["a"], "n": [1]}), tmp_path / "texts.parquet")
    whole = written(tmp_path / "ok.parquet", sounds(tmp_path, 5)).read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:-500])
    found = read(tmp_path)
    assert len(found.items) == 5
    reasons = {skip.key: skip.reason for skip in found.skipped}
    assert reasons["paths"].startswith("paths.parquet: its column audio names files and holds none; use --dataset")
    assert reasons["texts"].endswith("its columns are text, n")
    assert reasons["cut"].startswith("cut.parquet: not readable as Parquet")
    with pytest.raises(UserError, match=r"no table of 1 can be used: paths\.parquet: its column audio names files"):
        read(tmp_path / "paths.parquet")
    with pytest.raises(UserError, match=r"holds no \.parquet"):
        read(tmp_path / "nothing")
    with pytest.raises(UserError, match="take no csv"):
        DATASETS["parquet"].items(tmp_path, tmp_path / "x.csv", None)


def test_a_table_that_changed_after_its_listing_costs_its_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", sounds(tmp_path, 2))
    listing = read(tmp_path).items
    written(path, sounds(tmp_path, 1))
    with pytest.raises(MediaError, match="has no row 1 any more"), extracted(listing[1]):
        pass
    path.write_bytes(path.read_bytes()[:-300])
    close()
    with pytest.raises(MediaError, match=r"a\.parquet: damaged where 0\.wav lies"), extracted(listing[0]):
        pass
