"""Tables of queries: keys that name files, what makes two tables the same, and what makes them different."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.queries import QuerySet, check_keys, read_queries
from clipsonic_eval.types import Query

KEYS = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=20)


def table(folder: Path, *rows: str, head: str = "key,prompt") -> Path:
    path = folder / "q.csv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


class Notes:
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def test_keys_that_name_media_files_lose_their_suffix_and_it_is_said(tmp_path: Path) -> None:
    asked = read_queries(table(tmp_path, "a.wav,rain", "b.mp4,wind", "c,bell"))
    assert [query.key for query in asked.queries] == ["a", "b", "c"]
    progress = Notes()
    asked.show_notes(progress)  # type: ignore[arg-type]
    assert any("read without the suffix: a.wav, b.mp4" in note for note in progress.said)


def test_keys_keep_a_suffix_that_tells_them_apart(tmp_path: Path) -> None:
    asked = read_queries(table(tmp_path, "a.wav,rain", "a.mp4,wind"))
    assert [query.key for query in asked.queries] == ["a.wav", "a.mp4"]


def test_the_name_of_the_file_is_the_key_where_there_is_none(tmp_path: Path) -> None:
    asked = read_queries(table(tmp_path, "clips/a.mp4,rain", "clips/b.wav,wind", head="path,prompt"))
    assert [(query.key, query.image) for query in asked.queries] == [
        ("a", tmp_path / "clips" / "a.mp4"),
        ("b", None),  # audio shows no image
    ]


def test_rows_of_one_key_must_agree_on_label_and_image(tmp_path: Path) -> None:
    rows = ["a,rain,x,1.png", "a,it pours,x,2.png", "a,storm,x,1.png"]
    asked = read_queries(table(tmp_path, *rows, head="key,prompt,label,image"))
    assert asked.captions == {"a": ("rain", "storm")}
    (skip,) = asked.skipped
    assert skip.key == "line-3"
    assert "key 'a' has the file" in skip.reason


def test_the_hash_is_of_keys_captions_and_labels_alone(tmp_path: Path) -> None:
    base = read_queries(table(tmp_path, "a,rain,x", "b,wind,y", head="key,prompt,label")).hash
    same = [("b,wind,y", "a,rain,x"), ("a,rain,x,", "b,wind,y,")]
    assert read_queries(table(tmp_path, *same[0], head="key,prompt,label")).hash == base
    assert read_queries(table(tmp_path, *same[1], head="key,prompt,label,image")).hash == base
    others = [("a,rain,x", "b,wind,z"), ("a,rain,x", "b,gale,y"), ("a,rain,x", "c,wind,y"), ("a,rain,x",)]
    hashes = {read_queries(table(tmp_path, *rows, head="key,prompt,label")).hash for rows in others}
    assert len(hashes | {base}) == 5


@given(st.dictionaries(KEYS, st.text(min_size=1), min_size=1, max_size=6), st.randoms())
def test_the_order_of_queries_changes_neither_hash_nor_texts(prompts: dict[str, str], random: object) -> None:
    queries = [Query(key, prompt) for key, prompt in prompts.items()]
    first = QuerySet(tuple(queries))
    random.shuffle(queries)  # type: ignore[attr-defined]
    second = QuerySet(tuple(queries))
    assert (first.hash, first.texts) == (second.hash, second.texts)
    assert first.texts == tuple(sorted(prompts.items()))
    assert first.prompts == prompts


def test_captions_are_the_texts_of_a_key_in_the_order_of_the_table() -> None:
    queries = (Query("b", "wind", None, "y"), Query("a", "rain"))
    asked = QuerySet(queries, captions={"b": ("wind", "gale")})
    assert asked.texts == (("a", "rain"), ("b", "wind"), ("b", "gale"))
    assert asked.labels == {"b": "y"}
    assert QuerySet(queries).single(Path("q.csv"), "") == queries
    with pytest.raises(UserError, match=r"q\.csv: 1 keys have several prompts \(the first, 'b', has 2\)"):
        asked.single(Path("q.csv"), "take one")


@pytest.mark.parametrize("key", ["a", "ä", "a b", "a.b", "日本", "x" * 200])
def test_a_key_may_be_any_name_of_a_file(key: str) -> None:
    check_keys([Query(key, "p")])


def test_a_key_is_counted_in_bytes_and_may_stand_once() -> None:
    with pytest.raises(UserError, match="keys are 1 to 200 bytes"):
        check_keys([Query("日" * 67, "p")])
    with pytest.raises(UserError, match="asked: key 'a' is there twice; every query needs a key of its own"):
        check_keys([Query("a", "p"), Query("b", "p"), Query("a", "q")], where="asked")


def test_attributes_that_a_metric_compares_with_are_read_beside_the_label(tmp_path: Path) -> None:
    asked = read_queries(table(tmp_path, "a,rain,x,2,0.25", "b,wind,y,,0.5", head="key,prompt,label,Count,size"))
    assert [dict(query.attributes) for query in asked.queries] == [{"count": "2", "size": "0.25"}, {"size": "0.5"}]
    assert asked.attributes == {"count": {"a": "2"}, "size": {"a": "0.25", "b": "0.5"}}
    assert asked.labels == {"a": "x", "b": "y"}
    assert not any("not read" in note for note in asked.notes)
    assert asked.hash == read_queries(table(tmp_path, "a,rain,x", "b,wind,y", head="key,prompt,label")).hash


def test_columns_that_are_nearly_spelt_like_an_attribute_are_no_fault(tmp_path: Path) -> None:
    asked = read_queries(table(tmp_path, "a,rain,GB,12", head="key,prompt,country,sizes"))
    assert asked.queries == (Query("a", "rain"),)
    assert any("columns not read: country, sizes" in note for note in asked.notes)


def test_rows_of_one_key_must_agree_on_attributes(tmp_path: Path) -> None:
    asked = read_queries(table(tmp_path, "a,rain,1", "a,it pours,2", head="key,prompt,count"))
    (skip,) = asked.skipped
    assert "key 'a' has the count '2' here and '1' in line 2" in skip.reason
