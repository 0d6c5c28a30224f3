"""What is no regular file is refused before it is opened, by every reader; JSON and YAML are bounded."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clipsonic_eval.arrays import read_npy, read_npz
from clipsonic_eval.config import apply_sets, read_yaml
from clipsonic_eval.errors import ConfigError, MediaError, UserError
from clipsonic_eval.files import finite_number, open_regular, read_json, read_text
from clipsonic_eval.harness.audio_sets import read_card, reference_set, system_set
from clipsonic_eval.harness.embedder import Embedder
from clipsonic_eval.harness.features import read_features
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.media.audio import read_audio, write_wav
from clipsonic_eval.media.video import centre_frame, read_image

READERS: dict[str, Callable[[Path], object]] = {
    "wav": read_audio,
    "mp4": read_audio,
    "mkv": centre_frame,
    "png": read_image,
    "yaml": read_yaml,
    "json": read_json,
    "system.json": read_card,
    "txt": read_text,
    "npy": read_npy,
    "npz": read_npz,
    "features.npz": read_features,
    "features.parquet": read_features,
    "bin": file_sha256,
}


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def ring(path: Path) -> None:
    path.symlink_to(path)


KINDS = {"a named pipe": pipe, "a device": endless, "is a folder": Path.mkdir, "cannot be read": ring}


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_reader_opens_what_is_no_regular_file(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"a.{suffix}"
    KINDS[kind](path)
    if (suffix, kind) == ("system.json", "cannot be read"):
        pytest.skip("a ring of links is no card: a folder of wavs without one is fine")
    with pytest.raises(UserError, match=kind) as told:  # a pipe without a writer would hold the test for ever
        READERS[suffix](path)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("suffix", [s for s in READERS if s not in ("bin", "txt", "yaml")])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.touch()
    with pytest.raises(UserError, match=r"is empty|not readable"):
        READERS[suffix](path)


def test_a_pipe_among_the_sounds_costs_only_itself(tmp_path: Path) -> None:
    import numpy as np
    from fake_encoders import FakeEncoder, tone

    write_wav(tmp_path / "a.wav", tone(300), 16000)
    pipe(tmp_path / "b.wav")
    endless(tmp_path / "c.wav")
    for audio in (system_set("s", tmp_path, None), reference_set(tmp_path)):
        embedded = Embedder({"fad": FakeEncoder()}, cache=tmp_path / "cache").embed(audio, ["fad"])
        assert embedded.keys == ("a",)
        assert {s.key: s.reason.partition("is ")[2][:12] for s in embedded.skipped} == {
            "b": "a named pipe",
            "c": "a device, an",
        }
        assert np.isfinite(embedded.spaces["fad"].vectors).all()


def test_an_open_file_is_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xef\xbb\xbfabc")
    (tmp_path / "link").symlink_to(path)
    with open_regular(tmp_path / "link") as stream:
        assert stream.read() == b"\xef\xbb\xbfabc"
    assert read_text(path) == "abc"
    with pytest.raises(MediaError, match="at most 5"):
        read_text(path, MediaError, limit=5)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="UTF-8; do so"):
        read_text(path, fix="do so")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "too deep"),
        ('{"a": NaN}', "NaN is no finite number"),
        ('{"a": -Infinity}', "-Infinity is no finite number"),
        ('{"a": 1e400}', "1e400 is beyond a float"),
        ('{"a": ' + "9" * 5000 + "}", "not readable as JSON"),
        ("{", "not readable as JSON"),
    ],
)
def test_json_that_is_none_or_beyond_bounds_is_one_sentence(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match=why) as told:
        read_json(path, fix="make it again")
    assert str(told.value).endswith("; make it again")
    path.write_text('{"a": [1, 2.5, null]}')
    assert read_json(path) == {"a": [1, 2.5, None]}


def bomb() -> str:
    """Return nine lines of aliases that stand for 10^9 words."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    return "\n".join(lines)


def merge_bomb() -> str:
    """Return mappings merged into each other so that pairs double 40 times."""
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i}\n  <<: [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: " + "[" * 20_000 + "]" * 20_000, "64 levels"),
        ("\n".join(" " * i + "a:" for i in range(900)), "64 levels"),
        (bomb(), "once its aliases are written out"),
        (merge_bomb(), "once its aliases are written out"),
        ("a: &a [*a]", "an alias that holds itself"),
        ("a: 1\nb: 2\na: 3", "key 'a' stands twice"),
        ("s:\n  a: 1\n  a: 3", "key 'a' stands twice"),
        ("a: " + "9" * 5000, "not readable as YAML"),
        ("a: 2026-13-41", "not readable as YAML"),
        ("#" * (1 << 20) + "\na: 1", "at most 1048576"),
    ],
)
def test_yaml_beyond_bounds_is_one_sentence(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=why) as told:
        read_yaml(path)
    assert str(path) in str(told.value)
    assert len(str(told.value)) < 400


def test_yaml_keeps_its_comforts(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("base: &b {x: 1, y: [2, 3]}\nmore:\n  <<: *b\n  x: 5\nsame: *b\n")
    assert read_yaml(path) == {
        "base": {"x": 1, "y": [2, 3]},
        "more": {"x": 5, "y": [2, 3]},
        "same": {"x": 1, "y": [2, 3]},
    }
    with pytest.raises(ConfigError, match="not readable as YAML"):
        apply_sets({}, ["a=" + "[" * 20_000])
    with pytest.raises(ConfigError, match="more than 64 levels deep"):
        apply_sets({}, ["a." * 5000 + "b=1"])


def test_a_cell_holds_a_finite_number_or_the_reason_why_not() -> None:
    assert finite_number(" 1.5 ") == 1.5
    for text in ("nan", "1e400", "-inf", "x", ""):
        with pytest.raises(ValueError, match=r"is no (finite )?number"):
            finite_number(text)
