from __future__ import annotations

from pathlib import Path

import pytest

from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.queries import check_keys, read_queries
from clipsonic_eval.types import Query


def csv_of(folder: Path, text: str) -> Path:
    path = folder / "q.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_queries_are_read_relative_to_the_folder_of_the_csv(tmp_path: Path) -> None:
    path = csv_of(tmp_path, 'key,path,prompt,label,extra\na,videos/a.mp4,"a bell, far away",bell,1\nb,,rain,,2\n')
    asked = read_queries(path)
    first, second = asked.queries
    assert any("columns not read: extra" in note for note in asked.notes)
    assert first == Query("a", "a bell, far away", tmp_path / "videos/a.mp4", "bell")
    assert second == Query("b", "rain", None, None)


def test_a_byte_order_mark_and_blanks_around_names_are_no_part_of_them(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes(b"\xef\xbb\xbfkey, prompt\nk, a dog \n")
    assert read_queries(path).queries == (Query("k", "a dog"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("key,words\na,x\n", "column 'prompt' is missing; found: key, words"),
        ("", "the file is empty"),
        ("key,prompt\n", "holds no row"),
        ("key,prompt\na/b,x\n", "key 'a/b' cannot be the name of a file"),
        ("key,prompt\na,\n", r"line 2 \(key 'a'\): has no prompt"),
        ("key,prompt,image,path\na,x,,\n", "both columns 'image' and 'path'"),
        ("key,prompt,paht\na,x,y\n", "Did you mean 'path'"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_queries(csv_of(tmp_path, text))


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.csv: no such file"):
        read_queries(tmp_path / "gone.csv")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes(b"\xff\xfe\x00\x01key")
    with pytest.raises(UserError, match="not readable as text in UTF-16"):
        read_queries(path)


@pytest.mark.parametrize("key", ["", ".hidden", "a\\b", "x" * 201, "a\nb"])
def test_keys_that_are_no_file_names_are_refused(key: str) -> None:
    with pytest.raises(UserError, match="cannot be the name of a file"):
        check_keys([Query(key, "p")])


def test_rows_of_one_key_are_its_captions(tmp_path: Path) -> None:
    rows = ["a,rain,x", "a,it pours,x", "b,wind,y", "a,rain,x", "a,storm,z", "c,None,z"]
    path = csv_of(tmp_path, "\n".join(["key,prompt,label", *rows]) + "\n")
    asked = read_queries(path)
    assert asked.queries == (Query("a", "rain", None, "x"), Query("b", "wind", None, "y"))
    assert asked.captions == {"a": ("rain", "it pours")}
    reasons = " | ".join(skip.reason for skip in asked.skipped)
    assert "line 5: repeats an earlier row of key 'a'" in reasons
    assert "line 6: key 'a' has the label 'z' here and 'x' in line 2" in reasons
    assert "line 7 (key 'c'): has no prompt" in reasons
    with pytest.raises(UserError, match=r"1 keys have several prompts .*'a', has 2.*; take one"):
        asked.single(path, "take one")


def test_columns_and_lists_of_captions_are_captions(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "file_name,caption_1,caption_2,caption_3\na.wav,rain,,it pours\nb.wav,wind,wind,gale\n")
    want = {"a": ("rain", "it pours"), "b": ("wind", "gale")}
    assert read_queries(path).captions == want
    lines = ['{"id": "a", "captions": ["rain", "it pours"]}', '{"id": "b", "captions": ["wind", "gale"]}']
    (tmp_path / "q.jsonl").write_text("\n".join([*lines, '{"id": "c", "captions": "one"}']))
    asked = read_queries(tmp_path / "q.jsonl")
    assert asked.captions == want
    assert [q.prompt for q in asked.queries] == ["rain", "wind", "one"]
