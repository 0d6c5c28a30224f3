"""The reader of tables: nothing is swallowed, cut, shifted or believed."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsonic_eval.errors import UserError
from clipsonic_eval.table_columns import MISSING
from clipsonic_eval.tables import Table, read_table

PROMPTS = ("key", "prompt", "label")
ROWS = [(f"k{i:03d}", f"sound {i}") for i in range(40)]


def read(folder: Path, text: str | bytes, *, name: str = "t.csv") -> Table:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path, PROMPTS, required=("key", "prompt"))


def lines(changed: dict[int, str], tail: str = "", head: str = "key,prompt") -> str:
    rows = [f"{key},{prompt}{tail}" for key, prompt in ROWS]
    for i, line in changed.items():
        rows[i] = line
    return "\n".join([head, *rows]) + "\n"


def keys(table: Table) -> list[str]:
    return [row.values["key"] for row in table.rows]


def others(*gone: int) -> list[str]:
    return [key for i, (key, _) in enumerate(ROWS) if i not in gone]


def reasons(table: Table) -> str:
    return " | ".join(skip.reason for skip in table.skipped)


@pytest.mark.parametrize(
    "changed",
    [
        {4: 'k004,"Hello he shouts at the dog'},
        {4: 'k004,"Hello he shouts', 20: 'k020,"rain, far away"'},
        {4: 'k004,"Hello he shouts', 20: 'k020,"a ""big"" dog"'},
        {4: 'k004,"Hello he shouts', 20: 'k020,a 5" nail'},
        {39: 'k039,"Hello he shouts'},
        {0: 'k000,"Hello he shouts'},
    ],
)
def test_a_quote_that_never_closes_costs_its_own_row_only(tmp_path: Path, changed: dict[int, str]) -> None:
    table = read(tmp_path, lines(changed))
    broken = min(changed, key=lambda i: "Hello" not in changed[i])
    assert keys(table) == others(broken)
    assert [skip.key for skip in table.skipped] == [f"line-{broken + 2}"]
    assert f"line {broken + 2}: a quote opens here and is never closed" in reasons(table)


def test_where_a_quote_may_or_may_not_close_both_rows_are_named_and_those_between_are_read(tmp_path: Path) -> None:
    table = read(tmp_path, lines({4: 'k004,"Hello he shouts', 8: 'k008,a board of 5"'}))
    assert keys(table) == others(4, 8)
    assert [skip.key for skip in table.skipped] == ["line-6", "line-10"]


def test_fields_of_several_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [
        ("k0", "a dog barks\nand a bell rings", "x"),
        ("k1", 'he says "go", then\r\nleaves, "slowly"', "y"),
        ("k2", "plain", "two\nlines"),
        ("k3", 'ends in a quote"', 'begins "with" one'),
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([("key", "prompt", "label"), *rows])
    table = read(tmp_path, text.getvalue())
    assert not table.skipped
    found = [(r.values["key"], r.values["prompt"], r.values["label"]) for r in table.rows]
    assert found == [tuple(cell.replace("\r\n", "\n") for cell in row) for row in rows]


_CELL = st.text(st.sampled_from('ab ,;"\n\t'), max_size=8).map(lambda t: f"x{t}z")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(_CELL, _CELL), min_size=1, max_size=6), st.sampled_from(",;\t"))
def test_what_python_writes_is_read_to_the_letter(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], separator: str
) -> None:
    """Python's own writer is the truth: every row comes back."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n", quoting=csv.QUOTE_ALL)
    rows = [(f"k{i}", a, b) for i, (a, b) in enumerate(cells)]
    writer.writerows([("key", "prompt", "label"), *rows])
    table = read(tmp_path_factory.mktemp("t"), text.getvalue())
    by_key = {row[0]: row for row in rows}
    found = [tuple(row.values.get(name, "") for name in PROMPTS) for row in table.rows]
    assert all(by_key[row[0]] == row for row in found)
    assert not table.skipped
    assert len(found) == len(rows)


def test_a_caption_of_two_lines_with_a_comma_on_the_second_is_one_caption(tmp_path: Path) -> None:
    table = read(tmp_path, lines({4: 'k004,"a dog barks\nloudly, then stops"'}))
    assert keys(table) == others()
    assert table.rows[4].values["prompt"] == "a dog barks\nloudly, then stops"


@pytest.mark.parametrize(("tail", "head"), [("", "key,prompt"), (",c0", "key,prompt,label")])
def test_an_unquoted_comma_names_its_row_and_makes_no_label(tmp_path: Path, tail: str, head: str) -> None:
    table = read(tmp_path, lines({3: f"k003,a dog barks, then a man speaks, and a bell rings{tail}"}, tail, head))
    assert keys(table) == others(3)
    assert {row.get("label") for row in table.rows} == ({"c0"} if tail else {None})
    assert "line 5: " in reasons(table)
    assert "columns" in reasons(table)


def test_the_rest_of_a_caption_becomes_no_label_where_the_row_has_none(tmp_path: Path) -> None:
    table = read(tmp_path, lines({3: "k003,a dog barks, then a man speaks"}, ",c0", "key,prompt,label"))
    assert keys(table) == others(3)
    assert "line 5: a field begins with a blank, as nowhere else" in reasons(table)
    spaced = read(tmp_path, lines({}, ", c0", "key,prompt,label"))
    assert keys(spaced) == others()
    assert {row.get("label") for row in spaced.rows} == {"c0"}


@pytest.mark.parametrize("word", ["nan", "NaN", "None", "null", "N/A", "<NA>", "", "  "])
def test_what_programs_write_for_nothing_is_nothing(tmp_path: Path, word: str) -> None:
    table = read(tmp_path, lines({5: f"k005,{word}"}))
    assert keys(table) == others(5)
    assert [skip.key for skip in table.skipped] == ["k005"]
    assert "line 7 (key 'k005'): has no prompt" in reasons(table)
    assert word.strip() in reasons(table)
    assert word.strip().lower() in MISSING


def test_every_bad_row_is_named_at_once(tmp_path: Path) -> None:
    table = read(tmp_path, lines({1: "k001", 3: 'k003,"open', 5: "k005,None", 7: "k007,a,b", 9: 'k009,"a" b "c"'}))
    assert keys(table) == others(1, 3, 5, 7, 9)
    assert len(table.skipped) == 5
    assert "must be doubled" in reasons(table)


def test_words_in_quotes_at_the_start_of_an_unquoted_field_are_part_of_it(tmp_path: Path) -> None:
    table = read(tmp_path, 'key,prompt\nk0,"Hello" he shouts\nk1,a "big" dog\nk2,a 5" nail\n')
    assert [row.values["prompt"] for row in table.rows] == ['"Hello" he shouts', 'a "big" dog', 'a 5" nail']


TEXT = 'key,prompt,label\nk0,"a café, far away",x\nk1,rain,y\n'
JSON = [{"key": "k0", "prompt": "a café, far away", "label": "x"}, {"key": "k1", "prompt": "rain", "label": "y"}]


def as_parquet(folder: Path) -> bytes:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(JSON), folder / "p")
    return (folder / "p").read_bytes()


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t.jsonl", "list"])
@pytest.mark.parametrize(
    "form",
    ["utf-8", "bom", "utf-16-le", "utf-16-be", "cp1252", "crlf", "cr", "semicolon", "tab", "blank-lines", "trailing"],
)
def test_a_table_says_the_same_however_it_was_saved(tmp_path: Path, form: str, name: str) -> None:
    data = {
        "utf-8": TEXT.encode(),
        "bom": codecs.BOM_UTF8 + TEXT.encode(),
        "utf-16-le": codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        "utf-16-be": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        "cp1252": TEXT.encode("cp1252"),
        "crlf": TEXT.replace("\n", "\r\n").encode(),
        "cr": TEXT.replace("\n", "\r").encode(),
        "semicolon": TEXT.replace(",", ";").replace("café;", "café,").encode(),
        "tab": TEXT.replace(",", "\t").replace("café\t", "café,").encode(),
        "blank-lines": ("\n\n" + TEXT.replace("\n", "\n\n")).encode(),
        "trailing": TEXT.replace("\n", ",\n").encode(),
    }[form]
    table = read(tmp_path, data, name=name)
    assert [dict(row.values) for row in table.rows] == JSON
    assert not table.skipped
    assert any("Windows-1252" in note for note in table.notes) == (form == "cp1252")


def test_objects_and_parquet_say_the_same_and_are_known_by_their_contents(tmp_path: Path) -> None:
    by_line = "\n".join(json.dumps(row) for row in JSON)
    for name, data in (
        ("t.jsonl", by_line.encode()),
        ("t.ndjson", by_line.encode()),
        ("t.json", json.dumps(JSON, indent=1).encode()),
        ("t.parquet", as_parquet(tmp_path)),
        ("odd", as_parquet(tmp_path)),
    ):
        assert [dict(row.values) for row in read(tmp_path, data, name=name).rows] == JSON


def test_bad_lines_of_jsonl_are_named_like_bad_rows(tmp_path: Path) -> None:
    good = '{"key": "a", "caption": "rain"}\n'
    bad = '{"key": "b", "caption"\n[1]\n{"key": "c", "caption": null}\n{"key": "d", "caption": NaN}\n'
    nested = '{"key": "e", "caption": {"en": "x"}}\n{"key": "f", "caption": ' + "[" * 100_000 + "\n"
    table = read(tmp_path, good + bad + nested, name="t.jsonl")
    assert keys(table) == ["a"]
    assert len(table.skipped) == 6


def test_a_line_in_another_encoding_than_the_rest_is_named(tmp_path: Path) -> None:
    data = "key,prompt\nk0,café\nk1,".encode() + "naïve".encode("cp1252") + b"\nk2,rain\n"
    table = read(tmp_path, data)
    assert keys(table) == ["k0", "k2"]
    assert "line 3: is not in UTF-8" in reasons(table)


@pytest.mark.parametrize(
    "head",
    ["id,caption,class", "YTID, Text ,Category", "youtube_id;description;label_name", "Audio ID\tCaption\tClass"],
)
def test_names_that_other_tools_write_are_understood_and_said(tmp_path: Path, head: str) -> None:
    separator = next(s for s in ";\t," if s in head)
    table = read(tmp_path, f"{head}\n" + separator.join(["k0", "rain", "weather"]) + "\n")
    assert dict(table.rows[0].values) == {"key": "k0", "prompt": "rain", "label": "weather"}
    assert "as key" in table.notes[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("key,prompt,caption\na,b,c\n", ["'prompt' and 'caption' both mean 'prompt'"]),
        ("key,prompt,prompt\na,b,c\n", ["both mean 'prompt'"]),
        ("audiocap_id,youtube_id,caption\n1,a,b\n", ["'audiocap_id' and 'youtube_id' both mean 'key'"]),
        ("key,promt\na,b\n", ["unknown column 'promt'. Did you mean 'prompt'", "column 'prompt' is missing"]),
        ("key,prompt,lable\na,b,c\n", ["unknown column 'lable'. Did you mean 'label'"]),
        ("class,category\na,b\n", ["both mean 'label'", "column 'key' is missing", "column 'prompt' is missing"]),
        ("k000,a dog barks\nk001,rain\n", ["the first row (k000,a dog barks) names no column"]),
        ('"k000,prompt\nk001,rain\n', ["names no column"]),
        ("k000,text\nk001,rain\n", ["column 'key' is missing"]),
        ("key,prompt\nk0,None\nk1,a,b\n", ["line 2 (key 'k0'): has no prompt ('None' means none)", "line 3: 3 fields"]),
        ("", ["the file is empty"]),
        ("\0\1\2", ["not a text file"]),
    ],
)
def test_a_wrong_structure_is_refused_with_all_that_is_wrong(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_an_id_may_stand_beside_the_column_named_key(tmp_path: Path) -> None:
    table = read(tmp_path, "key,youtube_id,start_time,prompt\na,x,3,rain\n")
    assert dict(table.rows[0].values) == {"key": "a", "prompt": "rain"}
    assert "columns not read: start_time, youtube_id" in table.notes[-1]


def test_gaps_and_rare_spellings_are_said(tmp_path: Path) -> None:
    table = read(tmp_path, lines({2: "k002,rain,", 5: "k005,rain"}, ",c0", "key,prompt,label"))
    assert len(table.rows) == 40
    assert "2 of 40 rows have no label (line 4, 7)" in table.notes[-1]
    path = tmp_path / "s.csv"
    path.write_text("key,split\n" + "".join(f"k{i},train\n" for i in range(30)) + "z,trian\ny,\n")
    notes = read_table(path, ("key", "split"), required=("key",)).notes
    assert "1 of 32 rows have no split" in notes[0]
    assert "split 'trian' (1 rows) may be a misspelt 'train'" in notes[1]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(UserError, match="named pipe"):
        read_table(tmp_path / "t.csv", PROMPTS, required=("key",))
