"""Keys made from file names, and keys of a table matched with them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.datasets import by_suffix, count_suffixes, key_of, near_matches, refuse_duplicates, why_none
from clipsonic_eval.datasets._files import MEDIA_SUFFIXES, media_files, safe, unique_keys, without_suffix
from clipsonic_eval.errors import UserError

names = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=12
).filter(lambda name: name not in (".", ".."))


@given(name=names)
def test_a_safe_name_is_a_file_name_and_stays_one(name: str) -> None:
    found = safe(name)
    assert found
    assert "/" not in found
    assert not found.startswith(".")
    assert safe(found) == found


@given(folder=names, name=names)
def test_a_key_names_the_folders_and_the_stem(folder: str, name: str) -> None:
    path = Path(folder) / f"{name}.wav"
    assert key_of(path) == f"{safe(folder)}__{safe(path.stem)}"


@given(paths=st.lists(names, min_size=1, max_size=8, unique=True))
def test_no_two_files_share_a_key(paths: list[str]) -> None:
    files = [Path(f"{name}{suffix}") for name in paths for suffix in (".wav", ".mp4")]
    files = list(dict.fromkeys(files))
    keys = unique_keys(files)
    assert len(set(keys)) == len(files)
    assert unique_keys(files[::-1]) == keys[::-1]


@pytest.mark.parametrize("suffix", MEDIA_SUFFIXES)
def test_media_suffixes_are_no_part_of_a_key(suffix: str) -> None:
    assert without_suffix(f"dog-1{suffix}") == "dog-1"
    assert without_suffix(f"dog-1{suffix.upper()}") == "dog-1"
    assert without_suffix(suffix) == suffix


@given(name=names)
def test_keys_match_through_a_suffix_and_unicodes_forms(name: str) -> None:
    stem = f"k{name}"
    composed, decomposed = unicodedata.normalize("NFC", stem), unicodedata.normalize("NFD", stem)
    if without_suffix(composed) == composed:
        assert near_matches([f"{composed}.wav"], [composed]) == {composed: f"{composed}.wav"}
    if composed != decomposed:
        assert near_matches([composed], [decomposed]) == {decomposed: composed}
    assert near_matches([stem], [stem]) == {}


def test_a_match_that_is_not_the_only_one_is_none() -> None:
    assert near_matches(["a.wav", "a.mp3"], ["a"]) == {}


@pytest.mark.parametrize(
    ("wanted", "have", "reason"),
    [
        ("Dog", "dog", "upper and lower case"),
        ("clip-7", "clip-007", "zeros before numbers"),
        ("abc", "abc_000030", "one has more around it"),
        ("abc", "xyz", "different sets"),
    ],
)
def test_keys_that_match_nothing_are_explained(wanted: str, have: str, reason: str) -> None:
    sentence = why_none([wanted], [have])
    assert reason in sentence
    assert f"'{wanted}'" in sentence
    assert f"'{have}'" in sentence


def test_repeated_keys_are_named() -> None:
    refuse_duplicates(["a", "b"], "x.csv")
    with pytest.raises(UserError, match=r"x\.csv: keys must be unique, .*'b'"):
        refuse_duplicates(["a", "b", "b"], "x.csv")


def test_other_files_are_counted_by_suffix_without_our_own(tmp_path: Path) -> None:
    for name in ("a.wav", "b.TXT", "c.txt", "README", "samples.csv", "run.json", ".hidden"):
        (tmp_path / name).write_text("x")
    walked = media_files(tmp_path)
    assert [path.name for path in walked.files] == ["a.wav"]
    assert dict(walked.left_out) == {".txt": 2, "no suffix": 1}
    assert by_suffix(walked.left_out) == "2 .txt, 1 no suffix"
    assert count_suffixes([]) == {}
