"""Files with names that people and scrapers do give: what is listed, under which key, and which spans are read."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsonic_eval.datasets import DATASETS, Listing
from clipsonic_eval.datasets._files import safe
from clipsonic_eval.errors import UserError

ODD = [
    "-starts with a dash.wav",
    "..two dots.wav",  # begins with a dot: hidden
    "a,b;c\td.wav",
    'quoted "name".wav',
    "new\nline.wav",
    "100% #1 (final) [v2].MP4",
    "no.suffix.here.opus",
    "日本語.webm",
    "emoji 🐶.mkv",
    unicodedata.normalize("NFD", "café.flac"),
    "x" * 200 + ".ogg",
]
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)


def touched(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def manifest(root: Path, *rows: dict[str, str], split: str | None = None) -> Listing:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    return DATASETS["manifest"].items(root, None, split)


def vggsound(root: Path, text: str, split: str | None = None) -> Listing:
    (root / "vggsound.csv").write_text(text)
    return DATASETS["vggsound"].items(root, None, split)


def test_every_visible_media_file_is_listed_under_a_key_of_its_own_that_is_a_file_name(tmp_path: Path) -> None:
    items = DATASETS["folder"].items(touched(tmp_path / "in", *ODD), None, None).items
    assert {i.path.name for i in items} == {name for name in ODD if not name.startswith(".")}
    assert len({i.key for i in items}) == len(items)
    for item in items:
        assert safe(item.key) == item.key
        touched(tmp_path / "out", f"{item.key}.npy")
    assert len(list((tmp_path / "out").iterdir())) == len(items)
    keys = {i.path.name: i.key for i in items}
    assert keys["100% #1 (final) [v2].MP4"] == "100___1__final___v2_"
    assert keys["no.suffix.here.opus"] == "no.suffix.here"
    assert keys["日本語.webm"] == "日本語"
    assert keys[unicodedata.normalize("NFD", "café.flac")] == unicodedata.normalize("NFC", "café")


def test_names_that_differ_only_in_what_keys_replace_get_different_keys(tmp_path: Path) -> None:
    items = DATASETS["folder"].items(touched(tmp_path, "a b.wav", "a_b.wav", "a/b.wav", "a__b.wav"), None, None).items
    keys = {str(i.path.relative_to(tmp_path)): i.key for i in items}
    assert len(set(keys.values())) == 4
    assert keys["a b.wav"].startswith("a_b-")
    assert keys["a/b.wav"].startswith("a__b-")


def test_a_folder_named_like_a_video_is_a_folder(tmp_path: Path) -> None:
    items = DATASETS["folder"].items(touched(tmp_path, "take1.mp4/sound.wav"), None, None).items
    assert [(i.path.name, i.label, i.key) for i in items] == [("sound.wav", "take1.mp4", "take1.mp4__sound")]


def test_a_source_that_is_no_folder_is_refused_with_what_it_should_be(tmp_path: Path) -> None:
    touched(tmp_path, "a.mp4", "empty/notes.txt", "empty/.hidden.wav")
    with pytest.raises(UserError, match=r"a\.mp4: is a file; SOURCE is the folder that holds the videos"):
        DATASETS["folder"].items(tmp_path / "a.mp4", None, None)
    with pytest.raises(UserError, match=r"gone: no such folder; SOURCE is"):
        DATASETS["folder"].items(tmp_path / "gone", None, None)
    with pytest.raises(UserError, match=r"empty: no media files; looked for \.mp4, .*; there are 1 \.txt"):
        DATASETS["folder"].items(tmp_path / "empty", None, None)


names = st.text(st.characters(blacklist_characters="/\\\0\r\n", blacklist_categories=("Cs", "Cc", "Zs", "Zl", "Zp")))


@one_folder
@given(stem=names.filter(lambda s: 0 < len(s.encode()) < 100), prompt=names)
def test_a_manifest_finds_files_of_any_name_and_keeps_the_prompt(tmp_path: Path, stem: str, prompt: str) -> None:
    name = f"x{stem}.wav"
    (tmp_path / name).touch()
    found = manifest(tmp_path, {"path": name, "prompt": f"p {prompt}"})
    assert not found.skipped
    assert [(i.path, i.prompt, i.key) for i in found.items] == [
        (tmp_path / name, f"p {prompt}".strip(), safe(f"x{stem}"))
    ]


def test_keys_of_a_manifest_come_from_the_path_and_the_start(tmp_path: Path) -> None:
    outside = touched(tmp_path / "outside", "c d.wav") / "c d.wav"
    root = touched(tmp_path / "root", "a.wav", "dogs/b.wav")
    found = manifest(
        root,
        {"path": "a.wav", "start_s": "0"},
        {"path": "a.wav", "start_s": "12.3456"},
        {"path": "dogs/b.wav", "start_s": ""},
        {"path": str(outside), "start_s": ""},
        {"path": "../outside/c d.wav", "start_s": ""},
    )
    assert [i.key for i in found.items] == ["a_0000000", "a_0012346", "dogs__b", "c_d", "outside__c_d"]
    assert found.items[3].path == outside


@given(start=st.floats(0, 1000), length=st.floats(0.01, 1000))
@one_folder
def test_an_end_is_a_duration_after_the_start(tmp_path: Path, start: float, length: float) -> None:
    (tmp_path / "a.wav").touch()
    end = start + length
    (item,) = manifest(tmp_path, {"path": "a.wav", "start_s": repr(start), "end_s": repr(end)}).items
    assert item.start_s == start
    assert item.duration_s == pytest.approx(length, abs=1e-9)
    (both,) = manifest(
        tmp_path, {"path": "a.wav", "start_s": repr(start), "end_s": repr(end), "duration_s": repr(length)}
    ).items
    assert both.duration_s == length  # the two may differ by a millisecond: the stated duration holds


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("start_s", "1:30", "start_s '1:30' is not a number of seconds"),
        ("start_s", "inf", "start_s inf must be positive"),
        ("start_s", "-0.5", "start_s -0.5 must be positive"),
        ("end_s", "0", "end_s 0 does not lie after start_s 0"),
        ("duration_s", "0", "duration_s 0 must be positive"),
        ("duration_s", "1e999", "duration_s 1e999 must be positive"),
        ("key", "a/b", "key 'a/b' must do as a file name; use letters, digits, '.', '-', '_'"),
        ("key", ".hidden", "key '.hidden' must do as a file name"),
        ("key", "a b", "key 'a b' must do as a file name"),
    ],
)
def test_a_row_that_breaks_a_rule_is_a_skip_with_line_rule_and_value(
    tmp_path: Path, column: str, value: str, rule: str
) -> None:
    found = manifest(touched(tmp_path, "a.wav", "b.wav"), {"path": "a.wav"}, {"path": "b.wav", column: value})
    assert [i.path.name for i in found.items] == ["a.wav"]
    (skip,) = found.skipped
    assert skip.reason.startswith(f"manifest.csv line 3: {rule}")


def test_a_manifest_says_which_splits_it_takes_and_knows_no_others(tmp_path: Path) -> None:
    root = touched(tmp_path, "a.wav", "b.wav")
    rows = ({"path": "a.wav", "split": "train"}, {"path": "b.wav", "split": "test"})
    assert any(
        "rows of every split are taken (test, train); --split takes one" in n for n in manifest(root, *rows).notes
    )
    assert [i.key for i in manifest(root, *rows, split="test").items] == ["b"]
    with pytest.raises(UserError, match="tset"):
        manifest(root, *rows, split="tset")


def test_vggsound_prefers_the_cut_clip_to_the_whole_video_and_video_to_audio(tmp_path: Path) -> None:
    root = touched(tmp_path, "id.mp4", "id_000030.wav", "other.wav", "deep/down/other.MKV", "third_7.flac", "third.mp4")
    found = vggsound(root, "id,30,dog,train\nid,40,dog,train\nother,5,cat,train\nthird,7,owl,train\n")
    assert [(i.key, i.path.name, i.start_s) for i in found.items] == [
        ("id_000030", "id_000030.wav", 0.0),
        ("id_000040", "id.mp4", 40.0),
        ("other_000005", "other.MKV", 5.0),
        ("third_000007", "third_7.flac", 0.0),
    ]


@pytest.mark.parametrize("start", ["-1", "nan", "inf", "1:30", ""])
def test_a_start_that_is_no_second_is_a_skip_that_shows_the_row(tmp_path: Path, start: str) -> None:
    found = vggsound(touched(tmp_path, "id.mp4", "ok.mp4"), f"ok,1,cat,test\nid,{start},dog,train\n")
    assert [i.key for i in found.items] == ["ok_000001"]
    assert len(found.skipped) == 1


def test_ids_of_youtube_stay_apart_whatever_they_begin_with(tmp_path: Path) -> None:
    ids = ["-_aB0", "--aB0", "_-aB0", "aB0", "AB0"]
    root = touched(tmp_path, *(f"{i}.mp4" for i in ids))
    found = vggsound(root, "".join(f"{i},0,dog,train\n" for i in ids))
    assert [i.key for i in found.items] == [f"{i}_000000" for i in ids]
    assert [i.path.stem for i in found.items] == ids
