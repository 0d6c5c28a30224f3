"""What is written as text, JSON and CSV is read back as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsonic_eval.csv_records import records, whole, without_odd_blanks
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.files import csv_text, read_csv, read_json, read_text, write_csv, write_json, write_text
from clipsonic_eval.hashing import check_sums, config_hash, file_sha256, folder_sha256, seal, unsealed, write_sums
from clipsonic_eval.tables import read_table

same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\0"), max_size=30)
fields = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u2028\u2029\x85"), max_size=12)
trees = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@same_folder
@given(text=texts)
def test_a_text_is_read_as_it_was_written(tmp_path: Path, text: str) -> None:
    write_text(tmp_path / "a.txt", text)
    assert read_text(tmp_path / "a.txt") == text.removeprefix("\ufeff")


@same_folder
@given(tree=trees)
def test_a_tree_is_read_as_it_was_written(tmp_path: Path, tree: Any) -> None:
    write_json(tmp_path / "a.json", tree)
    assert read_json(tmp_path / "a.json") == tree


@same_folder
@given(rows=st.lists(st.tuples(fields, fields, fields), max_size=6))
def test_a_table_is_read_as_it_was_written(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    write_csv(tmp_path / "a.csv", ("key", "b", "c"), rows)
    assert [tuple(row.values()) for row in read_csv(tmp_path / "a.csv")] == rows


@same_folder
@given(
    prompts=st.lists(st.text("ab, \"'dog", min_size=1, max_size=20).map(str.strip).filter(bool), min_size=1, max_size=5)
)
def test_the_reader_of_other_peoples_tables_reads_ours(tmp_path: Path, prompts: list[str]) -> None:
    rows = [(f"clip-{i}", prompt) for i, prompt in enumerate(prompts)]
    write_csv(tmp_path / "a.csv", ("key", "prompt"), rows)
    table = read_table(tmp_path / "a.csv", ("key", "prompt"), required=("key", "prompt"))
    assert [(row.values["key"], row.values["prompt"]) for row in table.rows] == rows
    assert table.skipped == ()


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_every_digit(value: float) -> None:
    assert float(csv_text(["v"], [[value]]).splitlines()[1].strip('"')) == value


def test_rows_may_be_mappings_or_sequences_and_gaps_are_empty() -> None:
    text = csv_text(("a", "b"), [{"b": 2}, {"a": None, "b": True}, [1, "x,y"]])
    assert text == 'a,b\n,2\n,True\n1,"x,y"\n'


@pytest.mark.parametrize(
    ("row", "why"),
    [({"a": 1, "z": 2}, r"values for \['z'\]"), ((1,), "1 values for 2 columns"), ((1, 2, 3), "3 values")],
)
def test_a_row_that_does_not_fit_its_columns_is_a_bug_that_is_named(row: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        csv_text(("a", "b"), [row])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_json_holds_finite_numbers_alone(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", value)
    assert list(tmp_path.iterdir()) == []


def test_a_csv_that_is_cut_loses_its_last_row_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("key,value\na,1\nb")
    assert read_csv(tmp_path / "a.csv") == [{"key": "a", "value": "1"}]


def test_a_csv_that_is_none_is_named_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"key\n\xff\xfe\n")
    with pytest.raises(MediaError, match=r"a\.csv: not readable as a text in UTF-8"):
        read_csv(tmp_path / "a.csv", MediaError)
    with pytest.raises(UserError, match=r"b\.csv: no such file; sample again"):
        read_csv(tmp_path / "b.csv", fix="sample again")


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    assert read_json(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


@given(rows=st.lists(st.lists(st.text('ab"' + ",\n ", max_size=8), min_size=2, max_size=2), min_size=1, max_size=5))
def test_what_a_csv_library_writes_is_read_or_refused_and_never_shifts(rows: list[list[str]]) -> None:
    text = csv_text(("key", "b"), [[f"k{i}", *row[1:]] for i, row in enumerate(rows)])
    lines = text.rstrip("\n").split("\n")
    found = list(records(lines, 1, ",", {2}))
    read = {record.fields[0]: record.fields[1] for record in found if record.fields}
    for i, (_, field) in enumerate(rows):
        if f"k{i}" in read:
            assert read[f"k{i}"] == field.strip()


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("a,b", ("a", "b")),
        ('"a,b",c', ("a,b", "c")),
        ('"say ""hi""",c', ('say "hi"', "c")),
        ('"Hello" he shouts,c', ('"Hello" he shouts', "c")),
        ('a,"open', None),
        ('a,"b"c"', None),
        ("", ("",)),
    ],
)
def test_a_line_is_split_by_one_rule(line: str, parts: tuple[str, ...] | None) -> None:
    assert whole(line, ",") == parts


def test_a_field_that_begins_with_a_blank_is_suspicious_where_it_is_rare() -> None:
    lines = [f"k{i},text" for i in range(20)]
    rare = without_odd_blanks(records([*lines, "k20, cut"], 0, ",", {2}), 2)
    assert [record.line for record in rare if record.problem] == [21]
    often = without_odd_blanks(records([line.replace(",", ", ") for line in lines], 0, ",", {2}), 2)
    assert not any(record.problem for record in often)


@settings(deadline=None, max_examples=30)
@given(tree=st.dictionaries(texts, trees, max_size=3))
def test_a_sealed_tree_opens_as_it_was_and_not_once_it_changed(tree: dict[str, Any]) -> None:
    tree.pop("sha256", None)
    sealed = json.loads(json.dumps(seal(tree)))
    assert unsealed(sealed) == tree
    with pytest.raises(ValueError, match="do not match its sha256"):
        unsealed({**sealed, "added later": 1})


@pytest.mark.parametrize("tree", [[], {}, {"sha256": 3}, "text"])
def test_what_was_never_sealed_is_refused(tree: Any) -> None:
    with pytest.raises(ValueError, match="sha256 is missing"):
        unsealed(tree)


def test_sums_are_checked_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    assert write_sums(tmp_path, ["a", "b"]) == check_sums(tmp_path, ["b", "a"], UserError, fix="train again")
    (tmp_path / "b").write_bytes(b"3")
    assert check_sums(tmp_path, ["a"], UserError, fix="train again") == {"a": file_sha256(tmp_path / "a")}
    with pytest.raises(UserError, match=r"b: its SHA-256 is .* was changed, train again"):
        check_sums(tmp_path, ["a", "b"], UserError, fix="train again")
    with pytest.raises(UserError, match="does not list c; train again"):
        check_sums(tmp_path, ["c"], UserError, fix="train again")


@given(tree=st.dictionaries(st.text("abc", min_size=1), st.integers() | st.booleans(), max_size=6))
def test_a_configurations_hash_ignores_the_order_of_its_keys(tree: dict[str, Any]) -> None:
    assert config_hash(tree) == config_hash(dict(reversed(tree.items())))
    assert config_hash(tree) != config_hash({**tree, "other": 1})


def test_a_folders_hash_sees_names_and_contents(tmp_path: Path) -> None:
    hashes = set()
    for name, text in (("a", "1"), ("a", "2"), ("b", "2")):
        folder = tmp_path / f"{name}{text}"
        folder.mkdir()
        (folder / name).write_text(text)
        hashes.add(folder_sha256(folder))
    assert len(hashes) == 3
