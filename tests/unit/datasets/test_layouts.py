from __future__ import annotations

import codecs
import json
from pathlib import Path

import numpy as np
import pytest

from clipsonic_eval.clips import Source
from clipsonic_eval.datasets import DATASETS, Listing
from clipsonic_eval.errors import UserError
from clipsonic_eval.media.audio import write_wav


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
    "name", ["{}_{:06d}", "{}_{}", "{}_{}_{}", "{}_{}.000_{}.000", "{0}_{1}000_{2}000", "{}_{:06d}_{:06d}"]
)
def test_a_cut_clip_of_vggsound_is_found_by_any_of_its_names(tmp_path: Path, name: str) -> None:
    root = touched(tmp_path, f"dogs/{name.format('-_aB', 30, 40)}.mp4")
    (root / "vggsound.csv").write_text("-_aB,30,dog,train\n")
    (item,) = listed("vggsound", root).items
    assert (item.key, item.start_s) == ("-_aB_000030", 0.0)


@pytest.mark.parametrize(("length", "start"), [(10.0, 0.0), (10.4, 0.0), (45.0, 30.0)])
def test_videos_of_vggsound_that_are_no_longer_than_a_clip_are_clips(
    tmp_path: Path, length: float, start: float
) -> None:
    write_wav(tmp_path / "-aB.wav", np.zeros(int(8000 * length), np.float32), 8000)
    (tmp_path / "vggsound.csv").write_text("-aB,30,dog,train\n")
    found = listed("vggsound", tmp_path)
    assert [item.start_s for item in found.items] == [start]
    assert any("no longer than a clip" in note for note in found.notes) == (start == 0)


def test_a_split_of_ones_own_is_read_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    root = touched(tmp_path, "a.mp4", "b.mp4")
    (root / "vggsound.csv").write_text("# YouTube ID,start,label,train/test split\na,0,dog,val\nb,0,dog,vall\n")
    found = listed("vggsound", root, None, "val")
    assert [item.key for item in found.items] == ["a_000000"]
    assert "line 3: the split is none of train, val, test: b,0,dog,vall" in found.skipped[0].reason


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
        ("bb,soon,dog,train\n", "line 1: expected YouTubeID"),
        ("aa,0,dog\n", "line 1: 3 fields where 2 or 4 are expected"),
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
    rows = [
        "k1,a.mp4,0,1",
        "k2,gone.mp4,,",
        "k3,,,",
        "k4,a.mp4,soon,",
        "k5,a.mp4,1,0",
        "k6,a.mp4,-1,",
        "../evil,a.mp4,,",
    ]
    text = "\n".join(["key,path,start_s,duration_s", *rows]) + "\n"
    (root / "manifest.csv").write_text(text)
    found = listed("manifest", root)
    assert [i.key for i in found.items] == ["k1"]
    reasons = {s.key: s.reason for s in found.skipped}
    assert sorted(reasons) == ["k2", "k3", "k4", "k5", "k6", "line-8"]
    assert "gone.mp4" in reasons["k2"]
    assert "line 5" in reasons["k4"]
    assert "positive" in reasons["k5"]
    assert "must do as a file name" in reasons["line-8"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("paht,prompt\na.mp4,x\n", "Did you mean 'path'"),
        ("key,prompt\na.mp4,x\n", "column 'path' is missing"),
        ("path,file\na.mp4,a.mp4\n", "'path' and 'file' both mean 'path'"),
        ("key,path\nk,a.mp4\nk,a.mp4\n", "more than once: 'k'"),
        ("path,prompt\na.mp4,one, two\n", "line 2: 3 fields, 2 columns"),
        ("path\n", "holds no row"),
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
    with pytest.raises(UserError, match="column 'key' is missing"):
        Source(root, prompts=table).items()


def test_vggsounds_repository_list_is_read(tmp_path: Path) -> None:
    root = touched(tmp_path, "abc-00_EFGH_000000.mp4", "abc-01_EFGH.mkv")
    (root / "test.csv").write_text(
        'abc-00_EFGH_000000.mp4,"dog barking, far"\nabc-01_EFGH_000030.mp4,rain\nodd.mp4,x\n'
    )
    found = listed("vggsound", root, root / "test.csv")
    assert [(i.key, i.start_s, i.duration_s, i.label) for i in found.items] == [
        ("abc-00_EFGH_000000", 0.0, 10.0, "dog barking, far"),
        ("abc-01_EFGH_000030", 30.0, 10.0, "rain"),
    ]
    assert [s.key for s in found.skipped] == ["line-3"]
    with pytest.raises(UserError, match="no row names a split; leave --split out"):
        listed("vggsound", root, root / "test.csv", "test")


def test_a_bad_first_row_of_vggsounds_list_is_no_header_and_bad_rows_are_skips(tmp_path: Path) -> None:
    root = touched(tmp_path, "aa.mp4", "cc.mp4", "ee.mp4")
    rows = [
        "aa,soon,dog,train",
        'bb,1,"dog',
        "cc,1,dog,train",
        "dd,1,dog,tset",
        "ee,1,nan,train",
        "ff,1,dog,barking,test",
    ]
    (root / "vggsound.csv").write_text("\n".join(rows) + "\n")
    found = listed("vggsound", root)
    assert [i.key for i in found.items] == ["cc_000001"]
    assert sorted(s.key for s in found.skipped) == ["ee", "line-1", "line-2", "line-4", "line-6"]


def test_ends_become_durations_and_other_tools_columns_are_understood(tmp_path: Path) -> None:
    root = touched(tmp_path, "a.wav")
    rows = ["a.wav,1.5,4,rain,x", "a.wav,3,2,rain,x", "a.wav,,2,rain,x"]
    (root / "manifest.csv").write_text("\n".join(["filename,start_time,end,caption,category", *rows]) + "\n")
    found = listed("manifest", root)
    assert [(i.key, i.start_s, i.duration_s, i.prompt, i.label) for i in found.items] == [
        ("a_0001500", 1.5, 2.5, "rain", "x"),
        ("a", 0.0, 2.0, "rain", "x"),
    ]
    assert "line 3: end_s 2 does not lie after start_s 3" in found.skipped[0].reason
    (root / "manifest.csv").write_text("path,start_s,end_s,duration_s\na.wav,0,3,3\na.wav,1,3,3\n")
    found = listed("manifest", root)
    assert [i.duration_s for i in found.items] == [3.0]
    assert "make 2 s, but duration_s is 3" in found.skipped[0].reason
    (root / "manifest.csv").write_text("path,start_ms\na.wav,1500\n")
    with pytest.raises(UserError, match="unknown column 'start_ms'"):
        listed("manifest", root)


def test_an_open_quote_in_a_manifest_costs_its_row_only(tmp_path: Path) -> None:
    names = [f"k{i:03d}.wav" for i in range(10)]
    root = touched(tmp_path, *names)
    rows = [f"{name},rain" for name in names]
    rows[4] = 'k004.wav,"Hello he shouts'
    (root / "manifest.csv").write_text("\n".join(["path,prompt", *rows]) + "\n")
    found = listed("manifest", root)
    assert [i.path.name for i in found.items] == names[:4] + names[5:]
    assert [s.key for s in found.skipped] == ["line-6"]


def test_prompts_of_a_preparation_are_read_like_all_tables(tmp_path: Path) -> None:
    root = touched(tmp_path / "v", "a.mp4", "b.mp4")
    table = tmp_path / "prompts.csv"
    table.write_text('id;caption\na;nan\nb;"rain; far"\nc;x;y\n')
    found = Source(root, prompts=table).items()
    assert [(i.key, i.prompt) for i in found.items] == [("a", None), ("b", "rain; far")]
    assert [s.key for s in found.skipped] == ["a", "line-4"]


def test_links_to_folders_are_followed_once_each_and_rings_end(tmp_path: Path) -> None:
    root = touched(tmp_path / "real", "class0/a.wav", "class1/b.wav", "notes.txt", "more.npy")
    touched(tmp_path / "elsewhere", "class2/c.wav", "class2/sub/d.wav", "unasked/z.wav")
    (root / "class2").symlink_to(tmp_path / "elsewhere/class2")
    (root / "again").symlink_to(tmp_path / "elsewhere/class2")
    (root / "twin").symlink_to(root / "class0")
    (root / "class1/ring").symlink_to(root / "class1")
    (root / "up").symlink_to(tmp_path)
    (root / "class3").symlink_to(tmp_path / "gone")
    (tmp_path / "elsewhere/class2/back").symlink_to(root)
    found = listed("folder", root)
    assert [i.path.name for i in found.items] == ["c.wav", "d.wav", "a.wav", "b.wav"]
    assert found.items[0].label == "again"  # the first name in order; the other one is said
    notes = " | ".join(found.notes)
    for name in ("class2", "twin", "ring", "up", "back"):
        assert f"{name}: is a link to a folder that is read already" in notes
    assert "class3: is a link to nothing" in notes
    assert "1 links to folders were followed" in notes
    assert found.left_out == {".npy": 1, ".txt": 1}
    assert "left out by suffix: 1 .npy, 1 .txt" in notes


def test_prompts_match_through_suffix_and_letters_or_say_why_not(tmp_path: Path) -> None:
    root = touched(tmp_path / "v", "cafe\u0301.mp4", "b.mp4")
    table = tmp_path / "prompts.csv"
    table.write_text("key,prompt\ncaf\u00e9.mp4,coffee\nb.wav,rain\n", encoding="utf-8")
    found = Source(root, prompts=table).items()
    assert sorted(str(i.prompt) for i in found.items) == ["coffee", "rain"]
    assert "2 keys match but for suffix or letters" in found.notes[-1]
    table.write_text("key,prompt\nB,rain\n")
    with pytest.raises(UserError, match="a key is 'B', a file 'b': they differ in upper and lower case"):
        Source(root, prompts=table).items()
