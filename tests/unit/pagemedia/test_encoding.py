"""Sounds of a page: encoded once, by any number of processes, and kept while the page is unfinished."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from listen_study import tone

from clipsonic_eval.harness.audio_sets import FileItem
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.pagemedia import encoding, media
from clipsonic_eval.pagemedia.sources import PageSources
from clipsonic_eval.types import Query


def sources_of(root: Path, n: int) -> PageSources:
    """``n`` queries of two systems; the first has a picture that is none."""
    sounds = {}
    for s, system in enumerate("AB"):
        (root / system).mkdir(parents=True)
        for i in range(n):
            write_wav(root / system / f"{i}.wav", tone(200.0 * (s + 1) + 50 * i, 0.2), 16000)
        sounds[system] = {str(i): FileItem(str(i), root / system / f"{i}.wav") for i in range(n)}
    (root / "0.png").write_bytes(b"no picture")
    return PageSources(sounds, {"0": Query("0", "a tone", image=root / "0.png")})


def test_a_second_call_encodes_only_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = sources_of(tmp_path, 4)
    encoded: list[str] = []
    whole = media.sound

    def stopped_at_the_fifth(clip: object, codec: str) -> bytes:
        if len(encoded) == 4:
            raise KeyboardInterrupt
        encoded.append(codec)
        return whole(clip, codec)  # type: ignore[arg-type]

    monkeypatch.setattr(media, "sound", stopped_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        encoding.encode("0123", sources, tmp_path / "kept", "aac")
    assert len(list((tmp_path / "kept").iterdir())) == 2
    monkeypatch.setattr(media, "sound", lambda clip, codec: encoded.append(codec) or whole(clip, codec))
    again = encoding.encode("0123", sources, tmp_path / "kept", "aac")
    assert len(encoded) == 8  # two systems, four queries: none was encoded twice
    at_once = encoding.encode("0123", sources, tmp_path / "elsewhere", "aac")
    assert [path.name for path in again] == [path.name for path in at_once]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in at_once]


@pytest.mark.slow
def test_two_processes_give_the_bytes_of_one(tmp_path: Path) -> None:
    sources = sources_of(tmp_path, 18)
    keys = [str(i) for i in range(18)]
    one, two = (encoding.encode(keys, sources, tmp_path / f"by-{n}", "aac", workers=n) for n in (1, 2))
    assert [path.name for path in one] == [path.name for path in two]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_a_wav_that_changed_a_codec_and_damage_are_encoded_again(tmp_path: Path) -> None:
    sources = sources_of(tmp_path, 1)
    (first,) = encoding.encode("0", sources, tmp_path / "kept", "aac")
    (opus,) = encoding.encode("0", sources, tmp_path / "kept", "opus")
    write_wav(tmp_path / "A" / "0.wav", tone(900.0, 0.2), 16000)
    (changed,) = encoding.encode("0", sources, tmp_path / "kept", "aac")
    assert len({first, opus, changed}) == 3
    before = changed.read_text()
    changed.write_text(before.replace("seconds", "minutes"))
    encoding.encode("0", sources, tmp_path / "kept", "aac")
    assert changed.read_text() == before


def test_what_cannot_be_used_is_a_sentence_and_the_rest_is_there(tmp_path: Path) -> None:
    sources = sources_of(tmp_path, 1)
    (tmp_path / "B" / "0.wav").write_bytes(b"no sound")
    (path,) = encoding.encode("0", sources, tmp_path / "kept", "aac")
    made = encoding.read(path)
    assert list(made["sounds"]) == list(made["spectrograms"]) == ["A"]
    assert made["seconds"] == {"A": 0.2}
    assert made["picture"] == ""
    sound, picture = made["problems"]
    assert sound.startswith("B '0': ")
    assert picture.startswith("picture of '0': ")


def test_the_kept_sound_is_what_the_codec_gives(tmp_path: Path) -> None:
    sources = sources_of(tmp_path, 1)
    (path,) = encoding.encode("0", sources, tmp_path / "kept", "aac")
    clip = sources.sounds["A"]["0"].clip()
    assert base64.b64decode(encoding.read(path)["sounds"]["A"]) == media.sound(clip, "aac")
    assert np.isclose(clip.duration_s, 0.2)
