from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest

from clipsonic_eval.clips import Source
from clipsonic_eval.datasets import DATASETS, Listing
from clipsonic_eval.errors import UserError


def touched(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def listed(layout: str, root: Path, csv: Path | None = None, split: str | None = None) -> Listing:
    return DATASETS[layout].items(root, csv, split)


def test_a_folder_is_listed_in_order_with_its_folders_as_labels(tmp_path: Path) -> None:
    root = touched(tmp_path, "b.mp4", "dog/a.WEBM", "dog/x y.mkv", ".hidden.mp4", ".cache/c.mp4", "notes.txt", "z.flac")
    items = listed("folder", root).items
    assert [(i.key, i.label) for i in items] == [("b", None), ("dog__a", "dog"), ("dog__x_y", "dog"), ("z", None)]
    assert all(i.start_s == 0 and i.duration_s is None and i.prompt is None for i in items)


def test_files_that_would_share_a_key_get_different_ones_that_stay(tmp_path: Path) -> None:
    root = touched(tmp_path, "a.mp4", "a.wav", "b.mp4")
    keys = [i.key for i in listed("folder", root).items]
    assert len(set(keys)) == 3
    assert keys[2] == "b"
    assert all(k.startswith("a-") for k in keys[:2])
    assert keys == [i.key for i in listed("folder", root).items]


def test_a_folder_has_no_csv_no_split_and_must_hold_media(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        listed("folder", tmp_path / "gone")
    with pytest.raises(UserError, match="no media files"):
        listed("folder", touched(tmp_path, "notes.txt"))
    touched(tmp_path, "a.mp4")
    with pytest.raises(UserError, match="takes no csv"):
        listed("folder", tmp_path, tmp_path / "list.csv")
    with pytest.raises(UserError, match="split"):
        listed("folder", tmp_path, None, "train")


VGG = '---g-f_I2yQ,1,people marching,test\n"--0PQM4-hqg",30,"waterfall, burbling",train\n-0aaa,0,dog barking,train\n'


def test_vggsound_finds_cut_clips_and_whole_videos(tmp_path: Path) -> None:
    root = touched(tmp_path, "videos/---g-f_I2yQ_000001.mp4", "videos/--0PQM4-hqg.webm", "videos/-0aaa_0.mkv")
    (root / "vggsound.csv").write_text(VGG)
    found = listed("vggsound", root)
    assert not found.skipped
    rows = [(i.key, i.path.name, i.start_s, i.duration_s, i.prompt, i.label, i.split) for i in found.items]
    assert rows == [
        ("---g-f_I2yQ_000001", "---g-f_I2yQ_000001.mp4", 0.0, 10.0, "people marching", "people marching", "test"),
        ("--0PQM4-hqg_000030", "--0PQM4-hqg.webm", 30.0, 10.0, "waterfall, burbling", "waterfall, burbling", "train"),
        ("-0aaa_000000", "-0aaa_0.mkv", 0.0, 10.0, "dog barking", "dog barking", "train"),
    ]
    assert [i.key for i in listed("vggsound", root, None, "test").items] == ["---g-f_I2yQ_000001"]


@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF8 + VGG.encode(),
        VGG.encode("utf-16"),
        VGG.replace("\n", "\r\n").encode(),
        b"youtube_id,start,label,split\n" + VGG.encode(),
        VGG.replace(",", "\t").replace("waterfall\t", "waterfall,").encode(),
        b"\n" + VGG.encode() + b"\n\n",
    ],
    ids=["bom", "utf-16", "crlf", "header", "tabs", "blank-lines"],
)
def test_vggsounds_list_is_read_however_it_was_saved(tmp_path: Path, data: bytes) -> None:
    root = touched(tmp_path, "---g-f_I2yQ.mp4", "--0PQM4-hqg.mp4", "-0aaa.mp4")
    (root / "vggsound.csv").write_bytes(data)
    items = listed("vggsound", root).items
    assert [i.key for i in items] == ["---g-f_I2yQ_000001", "--0PQM4-hqg_000030", "-0aaa_000000"]
    assert [i.label for i in items] == ["people marching", "waterfall, burbling", "dog barking"]


def test_windows_text_is_read_as_such(tmp_path: Path) -> None:
    root = touched(tmp_path, "aa.mp4")
    (root / "vggsound.csv").write_bytes("aa,0,café,train\n".encode("cp1252"))
    assert listed("vggsound", root).items[0].label == "café"


def test_a_video_that_the_list_names_and_nobody_has_is_a_skip(tmp_path: Path) -> None:
    root = touched(tmp_path, "-0aaa.mp4")
    (root / "vggsound.csv").write_text(VGG)
    found = listed("vggsound", root)
    assert [i.key for i in found.items] == ["-0aaa_000000"]
    assert [s.key for s in found.skipped] == ["---g-f_I2yQ_000001", "--0PQM4-hqg_000030"]
    assert all("missing" in s.reason for s in found.skipped)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("aa,0,dog,train\nbb,soon,dog,train\n", "line 2: expected YouTubeID"),
        ("aa,0,dog\n", "line 1: expected YouTubeID"),
        ("aa,0,dog,train\naa,0,dog,train\n", "more than once: 'aa_000000'"),
    ],
)
def test_a_list_that_cannot_be_understood_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    root = touched(tmp_path, "aa.mp4")
    (root / "vggsound.csv").write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        listed("vggsound", root)
    assert str(root / "vggsound.csv") in str(caught.value)


def test_vggsound_asks_for_its_list_and_knows_its_splits(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--csv"):
        listed("vggsound", touched(tmp_path, "aa.mp4"))
    (tmp_path / "vggsound.csv").write_text("aa,0,dog,train\n")
    with pytest.raises(UserError, match="Did you mean 'train'"):
        listed("vggsound", tmp_path, None, "trian")


ROWS = [
    {"path": "a.mp4", "prompt": "a dog, far away", "label": "dog", "start_s": 1.5, "duration_s": 2, "split": "train"},
    {"path": "sub/b.wav", "prompt": "rain", "label": "rain", "start_s": None, "duration_s": None, "split": "test"},
]


def manifest(root: Path, suffix: str) -> Path:
    path = root / f"manifest{suffix}"
    if suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n")
    elif suffix == ".parquet":
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    else:
        import pandas

        pandas.DataFrame(ROWS).to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_manifest_says_the_same_in_every_format(tmp_path: Path, suffix: str) -> None:
    root = touched(tmp_path, "a.mp4", "sub/b.wav")
    table = manifest(root, suffix)
    for found in (listed("manifest", root, table), listed("manifest", table)):
        rows = [(i.key, i.path, i.start_s, i.duration_s, i.prompt, i.label, i.split) for i in found.items]
        assert rows == [
            ("a_0001500", root / "a.mp4", 1.5, 2.0, "a dog, far away", "dog", "train"),
            ("sub__b", root / "sub/b.wav", 0.0, None, "rain", "rain", "test"),
        ]
    assert [i.key for i in listed("manifest", root, table, "test").items] == ["sub__b"]


def test_rows_of_a_manifest_that_cannot_be_used_are_skips_with_their_line(tmp_path: Path) -> None:
    root = touched(tmp_path, "a.mp4")
    text = (
        "key,path,start_s,duration_s\nk1,a.mp4,0,1\nk2,gone.mp4,,\nk3,,,\nk4,a.mp4,soon,\nk5,a.mp4,1,0\nk6,a.mp4,-1,\n"
    )
    (root / "manifest.csv").write_text(text)
    found = listed("manifest", root)
    assert [i.key for i in found.items] == ["k1"]
    reasons = {s.key: s.reason for s in found.skipped}
    assert sorted(reasons) == ["k2", "k3", "k4", "k5", "k6"]
    assert "gone.mp4" in reasons["k2"]
    assert "line 5" in reasons["k4"]
    assert "positive" in reasons["k5"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("paht,prompt\na.mp4,x\n", "Did you mean 'path'"),
        ("file,prompt\na.mp4,x\n", "no column 'path'"),
        ("key,path\nk,a.mp4\nk,a.mp4\n", "more than once: 'k'"),
        ("key,path\n../evil,a.mp4\n", "must do as a file name"),
        ("path,prompt\na.mp4,one, two\n", "line 2: 3 fields, 2 columns"),
        ("path\n", "no rows"),
    ],
)
def test_mistakes_of_a_whole_manifest_are_errors(tmp_path: Path, text: str, words: str) -> None:
    root = touched(tmp_path, "a.mp4")
    (root / "manifest.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        listed("manifest", root)


def test_prompts_from_elsewhere_replace_what_the_layout_gives(tmp_path: Path) -> None:
    root = touched(tmp_path / "v", "dog/a.mp4", "dog/b.mp4")
    table = tmp_path / "prompts.csv"
    table.write_text("key,prompt\ndog__a,a small dog barks\n")
    items = Source(root, prompts=table).items().items
    assert [(i.prompt, i.label) for i in items] == [("a small dog barks", "dog"), (None, "dog")]
    table.write_text("key,prompt\nnobody,a small dog barks\n")
    with pytest.raises(UserError, match="none of its keys"):
        Source(root, prompts=table).items()
    table.write_text("name,prompt\ndog__a,x\n")
    with pytest.raises(UserError, match="needs the columns"):
        Source(root, prompts=table).items()
