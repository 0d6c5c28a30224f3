"""Devices, file names, portable paths, streams, errors, names of columns, progress."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval import filenames, seeds, table_columns
from clipsonic_eval.config import portable
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.errors import ConfigError, UserError, listed, unknown_name
from clipsonic_eval.progress import SILENT, Bars


def test_auto_is_the_processor_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    assert resolve_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="'cuda' is not available here; use auto or cpu"):
        resolve_device("cuda")
    with pytest.raises(ConfigError, match="'gpu' is not known; use auto, cpu or cuda"):
        resolve_device("gpu")


def test_a_process_under_torchrun_has_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert resolve_device("auto") == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert resolve_device("auto") == torch.device("cuda", 3)
    assert resolve_device("cuda") == torch.device("cuda", 3)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    assert resolve_device("cpu") == torch.device("cpu")


def test_no_two_files_have_one_name() -> None:
    names = {name: value for name, value in vars(filenames).items() if name.isupper()}
    assert len(set(names.values())) == len(names)
    files = [value for value in names.values() if value != filenames.SHARES]  # a folder
    assert all(Path(value).suffix in {".json", ".csv", ".npy", ".npz", ".parquet"} for value in files)


def test_absolute_paths_lose_the_machines_places_at_any_depth() -> None:
    tree = {"a": "/home/me/data/real", "b": [{"c": "/x"}, "wavs/PD", 3, None], "d": ("/1/2/3",)}
    assert portable(tree) == {"a": "data/real", "b": [{"c": "x"}, "wavs/PD", 3, None], "d": ["2/3"]}
    assert portable(tree, names=1)["a"] == "real"


@given(parts=st.lists(st.text("abc", min_size=1), min_size=1, max_size=6), names=st.integers(1, 3))
def test_a_portable_path_is_the_end_of_the_path(parts: list[str], names: int) -> None:
    path = "/" + "/".join(parts)
    assert portable(path, names) == "/".join(parts[-names:])
    assert portable(portable(path, names), names) == portable(path, names)


names_of_streams = st.tuples(st.integers(0, 3), st.sampled_from(["", "a", "ab"]), st.sampled_from(["b", "ba", "a"]))


@given(one=names_of_streams, other=names_of_streams)
def test_streams_differ_wherever_seed_key_or_purpose_do(one: tuple[int, str, str], other: tuple[int, str, str]) -> None:
    assert 0 <= seeds.derive(*one) < 2**63
    assert (seeds.derive(*one) == seeds.derive(*other)) == (one == other)


@given(things=st.lists(st.integers(), max_size=9), shown=st.integers(1, 4))
def test_a_listing_names_the_first_and_counts_the_rest(things: list[int], shown: int) -> None:
    text = listed(things, shown)
    assert text.startswith(", ".join(map(str, things[:shown])))
    assert (f"and {len(things) - shown} more" in text) == (len(things) > shown)


def test_an_unknown_name_comes_with_the_nearest_and_the_list() -> None:
    error = unknown_name("metric", "fadd", ["kad", "fad"])
    assert isinstance(error, UserError)
    assert str(error) == "unknown metric 'fadd'. Did you mean 'fad'? Known: fad, kad."
    assert str(unknown_name("metric", "x", [])) == "unknown metric 'x'. Known: none."


def test_a_long_list_is_shown_only_where_nothing_is_near() -> None:
    names = [f"retrieval_{i}" for i in range(20)] + ["fad"]
    assert str(unknown_name("metric", "FAD", names)) == "unknown metric 'FAD'. Did you mean 'fad'?"
    assert str(unknown_name("metric", "retr", names)).endswith(
        "Did you mean 'retrieval_0' or 'retrieval_1' or 'retrieval_10'?"
    )
    assert all(name in str(unknown_name("metric", "kl", names)) for name in names)


@pytest.mark.parametrize("meaning", table_columns.ALIASES)
def test_every_name_of_a_column_means_one_thing(meaning: str) -> None:
    for name in (meaning, *table_columns.ALIASES[meaning]):
        assert table_columns.meaning_of(name) == meaning
        assert table_columns.meaning_of(f"  {name.upper().replace('_', ' ')} ") == meaning
        assert table_columns.nearest(name, [meaning]) == ""


@given(name=st.text(max_size=20))
def test_plain_names_stay_as_they_are(name: str) -> None:
    plain = table_columns.plain(name)
    assert table_columns.plain(plain) == plain
    assert plain == plain.strip("_")


@pytest.mark.parametrize("cell", sorted(table_columns.MISSING))
def test_what_means_nothing_is_missing_in_any_case(cell: str) -> None:
    assert table_columns.is_missing(cell)
    assert table_columns.is_missing(f" {cell.upper()} ")


@pytest.mark.parametrize("cell", ["0", "no", "nano", "none of it"])
def test_a_value_is_not_missing(cell: str) -> None:
    assert not table_columns.is_missing(cell)


def test_a_misspelt_column_is_recognised_only_among_those_that_count() -> None:
    assert table_columns.nearest("promt", ["prompt"]) == "prompt"
    assert table_columns.nearest("promt", ["label"]) == ""


def test_progress_passes_every_item_on(capsys: pytest.CaptureFixture[str]) -> None:
    def items() -> Iterator[int]:
        yield from range(3)

    assert list(SILENT.track(items(), label="x")) == [0, 1, 2]
    SILENT.note("nothing is shown")
    assert capsys.readouterr() == ("", "")
    assert list(Bars().track([5, 6], label="embed", done=1)) == [5, 6]
    Bars().note("a line")
    shown = capsys.readouterr().err
    assert "embed" in shown
    assert "a line" in shown
    logging.getLogger("clipsonic_eval").debug("no logger writes to stdout")
    assert capsys.readouterr().out == ""
