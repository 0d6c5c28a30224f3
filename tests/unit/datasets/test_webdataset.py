"""Tars as WebDataset and video2dataset write them, and tars that want to do harm."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.clips._inside import extracted
from clipsonic_eval.datasets import DATASETS, Listing
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.media.audio import write_wav

RATE = 16000
COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def wav(folder: Path, hz: float) -> bytes:
    path = folder / "made.wav"
    write_wav(path, (0.3 * np.sin(2 * np.pi * hz * np.arange(RATE // 2) / RATE)).astype(np.float32), RATE)
    data = path.read_bytes()
    path.unlink()
    return data


def tar(path: Path, members: dict[str, bytes | str], links: dict[str, str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            body = data.encode() if isinstance(data, str) else data
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return path


def listed(root: Path, split: str | None = None) -> Listing:
    return DATASETS["webdataset"].items(root, None, split)


def test_samples_have_their_texts_from_the_files_beside_them(tmp_path: Path) -> None:
    described = {"caption": ["one", "two"], "label": 7, "split": "dev", "url": "x"}
    members: dict[str, bytes | str] = {
        "d/000.mp4": b"v", "d/000.wav": b"a", "d/000.txt": "rain, far\n", "d/000.cls": "dog",
        "001.flac": b"a", "001.json": json.dumps(described), "002.left.ogg": b"a", "003.txt": "alone",
        "004.mp3": b"a", "004.json": "[]", "__MACOSX/._001.flac": b"",
    }  # fmt: skip
    tar(tmp_path / "test/00.tar", members)
    found = listed(tmp_path)
    assert [
        (i.key, i.member.name if i.member else "", i.prompt, i.captions, i.label, i.split) for i in found.items
    ] == [
        ("d__000", "d/000.mp4", "rain, far", (), "dog", "test"),
        ("001", "001.flac", "one", ("one", "two"), "7", "dev"),
        ("002", "002.left.ogg", None, (), None, "test"),
    ]
    assert {s.key: s.reason.split(": ")[1] for s in found.skipped} == {
        "003": "'003' has no media file",
        "004": "'004.json' is not readable as a text in UTF-8 or as JSON (no object)",
    }
    assert [i.key for i in listed(tmp_path, "dev").items] == ["001"]


def test_equal_names_in_two_tars_get_the_name_of_their_tar(tmp_path: Path) -> None:
    for name in ("00.tar", "01.tar"):
        tar(tmp_path / name, {"0.wav": b"a"})
    tar(tmp_path / "02.tar", {"1.wav": b"a"})
    assert [i.key for i in listed(tmp_path).items] == ["00__0", "01__0", "1"]


def test_links_and_paths_out_of_the_folder_are_refused_by_name(tmp_path: Path) -> None:
    links = {"a.wav": "/etc/passwd", "b.wav": "ok.wav"}
    tar(tmp_path / "x.tar", {"ok.wav": b"a", "../up.wav": b"a", "/etc/abs.wav": b"a", "c/../../d.wav": b"a"}, links)
    found = listed(tmp_path / "x.tar")
    assert [i.key for i in found.items] == ["ok"]
    reasons = sorted(s.reason for s in found.skipped)
    assert reasons == [
        "x.tar: '../up.wav' leads out of its folder",
        "x.tar: '/etc/abs.wav' leads out of its folder",
        "x.tar: 'a.wav' is a link (to '/etc/passwd'), and links in tars are not followed",
        "x.tar: 'b.wav' is a link (to 'ok.wav'), and links in tars are not followed",
        "x.tar: 'c/../../d.wav' leads out of its folder",
    ]


def test_a_damaged_or_cut_tar_costs_itself_and_what_it_lacks(tmp_path: Path) -> None:
    whole = tar(tmp_path / "a.tar", {"0.wav": b"a" * 2000, "1.wav": b"b" * 2000})
    (tmp_path / "cut.tar").write_bytes(whole.read_bytes()[:2700])
    (tmp_path / "b.tar.gz").write_bytes(b"\x1f\x8b")
    noise = np.random.default_rng(0).bytes(300_000)
    many = tar(tmp_path / "many", {"2.wav": noise, "3.wav": noise}).read_bytes()
    (tmp_path / "c.tar.gz").write_bytes(gzip.compress(many)[:-150_000])
    (tmp_path / "d.tar.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    (tmp_path / "text.tar").write_text("<html>not found</html>")
    found = listed(tmp_path)
    assert {i.path.name for i in found.items} == {"a.tar", "c.tar.gz", "cut.tar"}
    reasons = " ".join(s.reason for s in found.skipped)
    assert "b.tar.gz: damaged after 0 samples" in reasons
    assert "c.tar.gz: damaged after 2 samples" in reasons
    assert "d.tar.zst: is compressed in a way that is not read here; unpack it once" in reasons
    assert "cut.tar: damaged after" in reasons
    assert "text.tar: damaged after 0 samples" in reasons


@pytest.mark.parametrize("suffix", list(COMPRESS))
def test_a_compressed_tar_that_holds_far_more_than_its_size_is_refused(tmp_path: Path, suffix: str) -> None:
    whole = tar(tmp_path / "whole", {"0.wav": bytes(3_000_000)}).read_bytes()
    (tmp_path / f"a.tar.{suffix}").write_bytes(COMPRESS[suffix](whole))
    with pytest.raises(UserError, match=r"holds more than 100 times its size, which no media file allows"):
        listed(tmp_path)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("suffix", list(COMPRESS))
def test_clips_of_a_compressed_tar_are_those_of_the_plain_one(tmp_path: Path, suffix: str, workers: int) -> None:
    sounds: dict[str, bytes | str] = {f"{k}.wav": wav(tmp_path, 200.0 + 100 * k) for k in range(3)}
    plain = tar(tmp_path / "plain/0.tar", {**sounds, "1.txt": "a hum"})
    (tmp_path / "packed").mkdir()
    (tmp_path / f"packed/0.tar.{suffix}").write_bytes(COMPRESS[suffix](plain.read_bytes()))
    config = PrepareConfig(duration_s=0.5, image_encoder=None, workers=workers)
    for name in ("plain", "packed"):
        prepare(Source(tmp_path / name, "webdataset"), tmp_path / f"{name}-clips", config)
    packed, stored = ClipStore.open(tmp_path / "packed-clips"), ClipStore.open(tmp_path / "plain-clips")
    assert packed.keys == stored.keys == ("0", "1", "2")
    assert packed.prompts == (None, "a hum", None)
    np.testing.assert_array_equal(packed.audio(np.arange(3)), stored.audio(np.arange(3)))


def test_a_compressed_tar_that_is_damaged_after_its_listing_costs_the_items_in_it(tmp_path: Path) -> None:
    packed = tmp_path / "0.tar.gz"
    packed.write_bytes(gzip.compress(tar(tmp_path / "0", {"0.wav": np.random.default_rng(0).bytes(9000)}).read_bytes()))
    (item,) = listed(tmp_path).items
    packed.write_bytes(packed.read_bytes()[:2000])
    with pytest.raises(MediaError, match=r"0\.tar\.gz: damaged where 0\.wav lies .*fetch it again"), extracted(item):
        pass


def test_a_folder_without_tars_or_with_nothing_in_them_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no \.tar"):
        listed(tmp_path)
    tar(tmp_path / "a.tar", {"0.txt": "alone"})
    with pytest.raises(UserError, match=r"no sample in 1 tars can be used: a\.tar: '0' has no media file"):
        listed(tmp_path)


def test_clips_from_a_tar_are_those_of_the_files_in_it(tmp_path: Path) -> None:
    sounds = {f"{k}.wav": wav(tmp_path, 200.0 + 100 * k) for k in range(3)}
    source = tar(tmp_path / "in/0.tar", {**sounds, "1.txt": "a hum", "bad.wav": b"no sound"})
    (tmp_path / "files").mkdir()
    for name, data in sounds.items():
        (tmp_path / "files" / name).write_bytes(data)
    config = PrepareConfig(duration_s=0.5, image_encoder=None, workers=0)
    result = prepare(Source(tmp_path / "in", "webdataset"), tmp_path / "clips", config)
    assert [path for _, path, _ in result.skipped] == ["0.tar/bad.wav"]
    assert "clipsonic-eval-" not in result.skipped[0][2]
    assert result.n_clips == 3
    prepare(tmp_path / "files", tmp_path / "plain", config)
    clips, plain = ClipStore.open(tmp_path / "clips"), ClipStore.open(tmp_path / "plain")
    assert clips.keys == plain.keys
    assert clips.prompts == (None, "a hum", None)
    np.testing.assert_array_equal(clips.audio(np.arange(3)), plain.audio(np.arange(3)))
    assert source.stat().st_size > 0
