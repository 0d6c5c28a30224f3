"""AudioCaps, Clotho, WavCaps, MUSIC and AudioFolder in the layouts in which people have them."""

from __future__ import annotations

import codecs
import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from clipsonic_eval.datasets import DATASETS, Listing, audiocaps
from clipsonic_eval.datasets.music import split_of
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


AUDIOCAPS = "audiocap_id,youtube_id,start_time,caption\n"


def test_audiocaps_clips_are_found_under_each_of_their_names(tmp_path: Path) -> None:
    names = ["-0aB_cd_30.wav", "wav/Yid2.flac", "train/91139.m4a", "id4_000010.mp4", "id5_70000_80000.mp3", "id6.mp4"]
    root = touched(tmp_path, *names)
    rows = [
        '1,-0aB_cd,30,"a dog barks, then howls"',
        "2,id2,0,rain",
        "91139,id3,130,water pours",
        "4,id4,10,a bell",
        "5,id5,70,a car",
        "6,id6,20,a man speaks",
        "7,gone,20,nobody",
        "8,../id,20,out",
        "9,id9,soon,when",
    ]
    (root / "train.csv").write_text(AUDIOCAPS + "\n".join(rows) + "\n")
    found = listed("audiocaps", root)
    assert [(i.key, i.path.name, i.start_s, i.duration_s, i.split, i.video) for i in found.items] == [
        ("-0aB_cd_30", "-0aB_cd_30.wav", 0, 10, "train", "-0aB_cd"),
        ("id2_0", "Yid2.flac", 0, 10, "train", "id2"),
        ("id3_130", "91139.m4a", 0, 10, "train", "id3"),
        ("id4_10", "id4_000010.mp4", 0, 10, "train", "id4"),
        ("id5_70", "id5_70000_80000.mp3", 0, 10, "train", "id5"),
        ("id6_20", "id6.mp4", 20, 10, "train", "id6"),
    ]
    assert found.items[0].prompt == "a dog barks, then howls"
    reasons = {s.key: s.reason for s in found.skipped}
    assert sorted(reasons) == ["gone_20", "line-10", "line-9"]
    assert "missing (audio or video gone_20.*, Ygone.*, 7.* or gone.*)" in reasons["gone_20"]
    assert "expected a YouTube id and a start in seconds, got '../id' and '20'" in reasons["line-9"]


def test_a_sound_named_after_its_video_is_the_clip_if_it_is_no_longer_than_one(tmp_path: Path) -> None:
    write_wav(tmp_path / "cut.wav", np.zeros(10 * 1000, np.float32), 1000)
    write_wav(tmp_path / "whole.wav", np.zeros(60 * 1000, np.float32), 1000)
    (tmp_path / "test.csv").write_text(AUDIOCAPS + "1,cut,30,rain\n2,whole,30,rain\n")
    assert [i.start_s for i in listed("audiocaps", tmp_path).items] == [0, 30]


def test_only_audio_and_video_named_after_a_clip_is_opened_and_only_if_its_length_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = touched(tmp_path, "a.json", "a.wav.part", "a.jpg", "b.mp4", "b.vtt", "c.wav", "Yd.wav", "d.txt")
    (root / "test.csv").write_text(AUDIOCAPS + "1,a,30,rain\n2,b,30,rain\n3,c,0,rain\n4,d,30,rain\n")
    opened: list[str] = []
    monkeypatch.setattr(audiocaps, "holds_only_the_clip", lambda path: opened.append(path.name))
    found = listed("audiocaps", root)
    assert opened == ["b.mp4"]
    assert [(i.path.name, i.start_s) for i in found.items] == [("b.mp4", 30), ("c.wav", 0), ("Yd.wav", 0)]
    assert [s.key for s in found.skipped] == ["a_30"]


def test_lists_in_a_folder_for_each_split_are_all_read(tmp_path: Path) -> None:
    root = touched(tmp_path, "Ya.wav", "Yb.wav")
    for split, key in (("train", "a"), ("test", "b")):
        (root / split).mkdir()
        (root / split / f"{split}.csv").write_text(AUDIOCAPS + f"1,{key},5,words\n")
    assert [(i.key, i.split) for i in listed("audiocaps", root).items] == [("a_5", "train"), ("b_5", "test")]


def test_five_captions_of_a_clip_are_one_item_with_all_of_them(tmp_path: Path) -> None:
    root = touched(tmp_path, "Ya.wav", "Yb.wav")
    (root / "lists").mkdir()
    (root / "lists/val.csv").write_text(AUDIOCAPS + "1,a,5,one\n2,a,5,two\n3,a,5,three\n4,b,5,other\n")
    (root / "lists/test.csv").write_text(AUDIOCAPS + "1,b,9,x\n")
    found = listed("audiocaps", root, None, "val").items
    assert [(i.key, i.prompt, i.captions) for i in found] == [
        ("a_5", "one", ("one", "two", "three")),
        ("b_5", "other", ()),
    ]
    with pytest.raises(UserError, match="Did you mean 'val'"):
        listed("audiocaps", root, None, "vall")
    with pytest.raises(UserError, match=r"holds none of train\.csv; give the list with --csv"):
        listed("audiocaps", root, None, "train")


def test_a_list_of_another_name_needs_its_split(tmp_path: Path) -> None:
    root = touched(tmp_path, "Ya.wav")
    (root / "mine.csv").write_text(AUDIOCAPS + "1,a,5,one\n")
    assert listed("audiocaps", root, root / "mine.csv", "test").items[0].split == "test"
    with pytest.raises(UserError, match="of which split is it"):
        listed("audiocaps", root, root / "mine.csv")


CLOTHO = "file_name,caption_1,caption_2,caption_3,caption_4,caption_5\n"


@pytest.mark.parametrize("written", ["bom", "crlf", "plain"])
def test_clotho_has_five_captions_and_names_of_every_kind(tmp_path: Path, written: str) -> None:
    nfd = unicodedata.normalize("NFD", "Fête, 1.wav")
    touched(tmp_path, "development/01 barn door #2.wav", f"development/{nfd}", "evaluation/x.wav", "validation/x.wav")
    text = CLOTHO + '01 barn door #2.wav,"a door, old",b,c,d,e\n"Fête, 1.wav",a,b,c,d,e\ngone.wav,a,b,c,d,e\n'
    data = text.replace("\n", "\r\n").encode() if written == "crlf" else text.encode()
    (tmp_path / "clotho_captions_development.csv").write_bytes((codecs.BOM_UTF8 if written == "bom" else b"") + data)
    found = listed("clotho", tmp_path)
    assert [(i.key, i.split, i.captions) for i in found.items] == [
        ("01_barn_door__2", "development", ("a door, old", "b", "c", "d", "e")),
        ("Fête__1", "development", ("a", "b", "c", "d", "e")),
    ]
    assert [(s.key, s.reason) for s in found.skipped] == [("gone", "file named in the csv is missing (gone.wav)")]


def test_clothos_file_of_a_split_is_the_one_in_its_folder(tmp_path: Path) -> None:
    root = touched(tmp_path, "development/x.wav", "validation/x.wav")
    (root / "clotho_captions_validation.csv").write_text(CLOTHO + "x.wav,a,b,c,d,e\n")
    assert listed("clotho", root).items[0].path.parent.name == "validation"


def wavcaps(root: Path, name: str, entries: object, *, wrapped: bool = True) -> None:
    path = root / "json_files" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    tree = {"num_captions_per_audio": 1, "data": entries} if wrapped else entries
    path.write_text(json.dumps(tree), encoding="utf-8")


def test_wavcaps_ids_belong_to_their_source(tmp_path: Path) -> None:
    root = touched(tmp_path, "a/AudioSet_SL_flac/Yb0RFKhbpFJA.flac", "FreeSound_flac/2219.flac", "SoundBible/2219.flac")
    wavcaps(root, "AudioSet_SL/as_final.json", [{"id": "Yb0RFKhbpFJA.wav", "caption": "Wind. ", "duration": 10.0}])
    wavcaps(root, "FreeSound/fsd_final.json", [{"id": "2219", "caption": "Rain."}, {"id": "7", "caption": "x"}])
    wavcaps(root, "SoundBible/sb_final.json", [{"id": "2219", "caption": "Café."}, {"id": 3}, 5], wrapped=False)
    found = listed("wavcaps", root)
    assert [(i.key, i.path.parent.name, i.prompt, i.video) for i in found.items] == [
        ("AudioSet_SL_Yb0RFKhbpFJA", "AudioSet_SL_flac", "Wind.", "b0RFKhbpFJA"),
        ("FreeSound_2219", "FreeSound_flac", "Rain.", "FreeSound/2219"),
        ("SoundBible_2219", "SoundBible", "Café.", "SoundBible/2219"),
    ]
    assert sorted(s.key for s in found.skipped) == ["FreeSound_7", "sb_final.json entry 2", "sb_final.json entry 3"]
    assert len(listed("wavcaps", root / "SoundBible", root / "json_files/SoundBible/sb_final.json").items) == 1


def test_wavcaps_leaves_out_the_test_clips_that_it_names_itself(tmp_path: Path) -> None:
    root = touched(tmp_path, "AudioSet_SL_flac/Ya.flac", "AudioSet_SL_flac/Yb.flac", "FreeSound_flac/1.flac")
    wavcaps(root, "as_final.json", [{"id": f"Y{i}.wav", "caption": "x"} for i in "ab"])
    wavcaps(root, "fsd_final.json", [{"id": "1", "caption": "x"}])
    wavcaps(
        root, "blacklist/blacklist_exclude_test_ac.json", {"AudioSet": ["Ya.wav"], "FreeSound": ["1"]}, wrapped=False
    )
    found = listed("wavcaps", root)
    assert [i.key for i in found.items] == ["AudioSet_SL_Yb"]
    assert "its 2 clips of test sets are left out" in found.notes[0]


def music(root: Path, name: str, videos: object) -> None:
    (root / name).write_text(json.dumps({"version": 1.0, "videos": videos}))


def test_music_has_solos_and_duets_with_their_instruments_as_words(tmp_path: Path) -> None:
    root = touched(tmp_path, "solo/flute/-aB_1.mp4", "duet/xx.webm", "yy.mkv")
    music(root, "MUSIC_solo_videos.json", {"flute": ["-aB_1", "gone"], "acoustic_guitar": ["yy", "../zz"]})
    music(root, "MUSIC_duet_videos.json", {"xylophone acoustic_guitar": ["xx"]})
    music(root, "MUSIC21_solo_videos.json", {"flute": ["-aB_1"], "drum": ["yy"]})
    found = listed("music", root)
    assert [(i.key, i.label, i.prompt, i.duration_s, i.video) for i in found.items] == [
        ("-aB_1", "flute", "flute", None, "-aB_1"),
        ("yy", "acoustic_guitar", "acoustic guitar", None, "yy"),
        ("xx", "xylophone+acoustic_guitar", "xylophone and acoustic guitar", None, "xx"),
    ]
    reasons = {s.key: s.reason for s in found.skipped}
    assert sorted(reasons) == ["_zz", "gone", "yy"]
    assert "'../zz' under acoustic_guitar is no YouTube id" in reasons["_zz"]
    assert "is listed as acoustic_guitar and, in MUSIC21_solo_videos.json, as drum" in reasons["yy"]


def test_splits_of_music_hold_eight_one_and_one_tenth_and_no_video_twice(tmp_path: Path) -> None:
    ids = [f"v{i:03d}" for i in range(400)]
    root = touched(tmp_path, *(f"{i}.mp4" for i in ids))
    music(root, "MUSIC_solo_videos.json", {"flute": ids})
    parts = {s: {i.key for i in listed("music", root, None, s).items} for s in ("train", "val", "test")}
    assert set.union(*parts.values()) == set(ids)
    assert sum(map(len, parts.values())) == 400
    assert abs(len(parts["train"]) - 320) < 3 * 8  # three standard deviations of a binomial draw
    assert {split_of(i) for i in parts["val"]} == {"val"}


@pytest.mark.parametrize(
    ("layout", "name", "text", "words"),
    [
        ("music", "MUSIC_solo_videos.json", "[]", "expected lists of ids by instrument under 'videos'"),
        ("music", "MUSIC_solo_videos.json", "{", "not readable as JSON"),
        ("wavcaps", "sb_final.json", '{"data": 5}', "no list of sounds; fetch json_files"),
        ("audiocaps", "train.csv", "audiocap_id,start_time,caption\n1,2,x\n", "column 'youtube_id' is missing"),
        ("clotho", "clotho_captions_validation.csv", "file_name,keywords\nx.wav,a\n", "column 'prompt' is missing"),
        ("audiofolder", "metadata.csv", "text\nrain\n", "column 'path' is missing"),
    ],
)
def test_a_list_of_another_structure_is_one_sentence(
    tmp_path: Path, layout: str, name: str, text: str, words: str
) -> None:
    (touched(tmp_path, "x.wav") / name).write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        listed(layout, tmp_path)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("layout", ["audiocaps", "clotho", "wavcaps", "music", "audiofolder"])
def test_without_its_list_a_set_names_what_is_missing(tmp_path: Path, layout: str) -> None:
    with pytest.raises(UserError, match="holds n"):
        listed(layout, touched(tmp_path, "x.wav"))


def test_an_audiofolder_has_a_table_in_each_split_and_files_inside_it(tmp_path: Path) -> None:
    root = touched(tmp_path, "train/a.wav", "test/b 1.mp3", "test/sub/c.wav", "secret.wav", ".git/metadata.csv")
    (root / "train/metadata.csv").write_bytes(codecs.BOM_UTF8 + b'file_name,caption\r\na.wav,"rain, far"\r\n')
    rows = [
        {"file_name": n, "text": "x", "label": "dog"} for n in ("b 1.mp3", "sub/c.wav", "../secret.wav", "gone.wav")
    ]
    rows += [{"file_name": str(root / "secret.wav"), "text": "x", "label": "dog"}]
    (root / "test/metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = listed("audiofolder", root)
    assert [(i.key, i.prompt, i.label, i.split) for i in found.items] == [
        ("test__b_1", "x", "dog", "test"),
        ("test__sub__c", "x", "dog", "test"),
        ("train__a", "rain, far", None, "train"),
    ]
    reasons = [s.reason for s in found.skipped]
    assert any("line 3: '../secret.wav' leads out of its folder" in r for r in reasons)
    assert any(f"line 5: '{root / 'secret.wav'}' leads out of its folder" in r for r in reasons)
    assert any("missing (gone.wav)" in r for r in reasons)
    assert [i.key for i in listed("audiofolder", root, None, "train").items] == ["train__a"]
