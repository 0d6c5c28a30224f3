"""Videos and sounds that sets of clips share."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from clipsonic_eval.checks.leaks import ClipOrigins, check_leaks
from clipsonic_eval.cli import main
from clipsonic_eval.clips import PrepareConfig, Source, prepare
from clipsonic_eval.clips.leaks import leaks_between
from clipsonic_eval.errors import UserError
from clipsonic_eval.media.audio import write_wav

RATE = 8000
CONFIG = PrepareConfig(sample_rate=RATE, duration_s=0.5, image_encoder=None, workers=0)


def hum(path: Path, hz: float, seconds: float = 0.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(round(RATE * seconds)) / RATE
    write_wav(path, (0.3 * np.sin(2 * np.pi * hz * t) * np.exp(-t)).astype(np.float32), RATE)


def youtube(root: Path, rows: str, **hz: float) -> Source:
    for name, pitch in hz.items():
        hum(root / f"{name}.wav", pitch, 12.0)
    (root / "vggsound.csv").write_text(rows)
    return Source(root, "vggsound")


def test_sets_without_a_common_origin_have_no_leak_and_others_one_of_each_kind() -> None:
    train = ClipOrigins("train", {"a": "v1", "b": "v2"}, {"a": "s1", "b": "s2"})
    test = ClipOrigins("test", {"c": "v3", "d": "v2", "e": "v2"}, {"c": "s1", "d": "s4", "e": "s5"})
    assert check_leaks([train, ClipOrigins("test", {"c": "v3"}, {"c": "s3"})]) == []
    video, sound = check_leaks([train, test])
    assert (video.keys, sound.keys) == (("d", "e"), ("c",))
    assert video.severity == sound.severity == "error"
    assert video.sentence.startswith("2 clips of 'test' come from videos of 'train', e.g. 'd' and 'b' of video 'v2'; ")
    assert sound.sentence.startswith("1 clip of 'test' have the same sound as clips of 'train', e.g. 'c' and 'a'; ")


def test_splits_of_one_folder_that_share_a_video_are_a_finding_of_prepare(tmp_path: Path) -> None:
    rows = "va,0,dog,train\nva,6,dog,test\nvb,0,cat,test\n"
    result = prepare(youtube(tmp_path / "in", rows, va=300.0, vb=500.0), tmp_path / "clips", CONFIG)
    (leak,) = [f for f in result.findings if f.check == "leaks"]
    assert leak.keys == ("va_000006",)
    assert (
        "1 clip of 'test' come from videos of 'train', e.g. 'va_000006' and 'va_000000' of video 'va'" in leak.sentence
    )
    assert "va_000006,leaks,error," in (tmp_path / "clips/findings.csv").read_text()
    again = prepare(youtube(tmp_path / "in", rows), tmp_path / "clips", CONFIG)
    assert again.findings == result.findings
    assert leaks_between([tmp_path / "clips"]) == [leak]


def test_splits_of_a_manifest_that_share_a_file_or_a_copy_of_it_are_found(tmp_path: Path) -> None:
    for name, hz in {"a": 300.0, "b": 300.0, "c": 500.0}.items():
        hum(tmp_path / "in" / f"{name}.wav", hz, 1.0)
    rows = ["a.wav,0,0.5,train", "c.wav,0,0.5,train", "b.wav,0,0.5,test", "c.wav,0.5,1,test"]
    (tmp_path / "in/manifest.csv").write_text("path,start_s,end_s,split\n" + "\n".join(rows) + "\n")
    result = prepare(Source(tmp_path / "in", "manifest"), tmp_path / "clips", CONFIG)
    leaks = [f for f in result.findings if f.check == "leaks"]
    assert [leak.keys for leak in leaks] == [("c_0000500",), ("b_0000000",)]


def test_folders_share_videos_by_id_and_sounds_sample_by_sample_but_not_file_names(tmp_path: Path) -> None:
    rows = {"train": "va,0,dog,train\n", "test": "va,1,dog,test\nvc,1,cat,test\n"}
    for name, text in rows.items():
        pitches = {"va": 300.0} if name == "train" else {"va": 300.0, "vc": 400.0}
        prepare(youtube(tmp_path / f"in-{name}", text, **pitches), tmp_path / name, CONFIG)
    hum(tmp_path / "mine/va.wav", 700.0)
    hum(tmp_path / "other/va.wav", 800.0)
    for name in ("mine", "other"):
        prepare(tmp_path / name, tmp_path / f"clips-{name}", CONFIG)
    assert leaks_between([tmp_path / "clips-mine", tmp_path / "clips-other", tmp_path / "train"]) == []
    (leak,) = leaks_between([tmp_path / "train", tmp_path / "test"])
    assert leak.keys == ("va_000001",)
    with pytest.raises(UserError, match="a folder is given twice"):
        leaks_between([tmp_path / "train", tmp_path / "train"])


def test_the_command_says_what_is_shared_and_exits_1(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        hum(tmp_path / name / f"{name}.wav", 500.0 if name == "c" else 300.0)
        prepare(tmp_path / name, tmp_path / f"clips-{name}", CONFIG)
    folders = {name: str(tmp_path / f"clips-{name}") for name in "abc"}
    found = CliRunner().invoke(main, ["leaks", folders["a"], folders["b"], folders["c"]])
    assert found.exit_code == 1
    assert "have the same sound as clips of" in found.stdout
    told = json.loads(CliRunner().invoke(main, ["leaks", folders["a"], folders["b"], "--json"]).stdout)
    assert [leak["keys"] for leak in told] == [["b"]]
    none = CliRunner().invoke(main, ["leaks", folders["a"], folders["c"]])
    assert none.exit_code == 0
    assert "no video and no sound in common" in none.stdout
    missing = CliRunner().invoke(main, ["leaks", str(tmp_path / "gone")])
    assert missing.exit_code == 2
    assert "no folder of prepared clips" in missing.stderr
