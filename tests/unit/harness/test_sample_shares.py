"""Shares of a sampling job: in any order, stopped or doubled, they leave the folder that one process writes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.harness.audio_sets import system_set
from clipsonic_eval.harness.queries import QuerySet
from clipsonic_eval.harness.sample import sample
from clipsonic_eval.harness.sample_shares import Share
from clipsonic_eval.types import Query, Skip

QUERIES = [Query(f"k{i}", f"prompt {i}", label="bell") for i in range(7)]
BAD = QuerySet((*QUERIES, Query("spoilt", "bad")), (Skip("line-7", "no prompt"),))


class Noise:
    name = "noise"
    sample_rate = 8000

    def __init__(self, stop_at: str | None = None) -> None:
        self.asked: list[str] = []
        self.stop_at = stop_at

    def card(self) -> dict[str, Any]:
        return {"kind": "noise"}

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[np.ndarray[Any, Any]]:
        for query in queries:
            if query.key == self.stop_at:
                raise KeyboardInterrupt
            if query.prompt == "bad":
                raise MediaError("no picture in it")
        self.asked += [query.key for query in queries]
        return [np.random.default_rng(seed).uniform(-1, 1, 50).astype(np.float32) for seed in seeds]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, bytes]:
    sample(Noise(), BAD, tmp_path / "alone")
    return files(tmp_path / "alone")


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
def test_shares_in_any_order_leave_the_folder_of_one_process(
    tmp_path: Path, alone: dict[str, bytes], order: tuple[int, ...]
) -> None:
    waiting = [sample(Noise(), Share(BAD, (i, 3)), tmp_path / "out").waiting for i in order]
    assert waiting == [2, 1, 0]
    found = files(tmp_path / "out")
    assert sorted(found.pop("skipped.csv").splitlines()) == sorted(alone.pop("skipped.csv").splitlines())
    assert found == alone


def test_an_unfinished_folder_has_no_table_of_samples(tmp_path: Path) -> None:
    result = sample(Noise(), Share(QUERIES, (2, 3)), tmp_path)
    assert (result.n, result.waiting) == (2, 2)
    assert {path.name for path in tmp_path.glob("*.wav")} == {"k1.wav", "k4.wav"}
    assert not (tmp_path / "samples.csv").exists()
    with pytest.raises(UserError, match="not every share of its queries is sampled"):
        system_set("noise", tmp_path, None)


def test_a_share_that_was_stopped_goes_on_and_no_query_is_sampled_twice(
    tmp_path: Path, alone: dict[str, bytes]
) -> None:
    stopped, again, other = Noise(stop_at="k4"), Noise(), Noise()
    with pytest.raises(KeyboardInterrupt):
        sample(stopped, Share(BAD, (1, 2)), tmp_path / "out", batch_size=1)
    assert sample(other, Share(BAD, (2, 2)), tmp_path / "out").waiting == 1
    assert sample(again, Share(BAD, (1, 2)), tmp_path / "out", batch_size=1).waiting == 0
    assert stopped.asked + again.asked == ["k0", "k2", "k4", "k6"]
    assert files(tmp_path / "out") == alone


def test_what_shares_left_is_kept_by_another_number_of_shares_and_by_one_process(
    tmp_path: Path, alone: dict[str, bytes]
) -> None:
    sample(Noise(), Share(BAD, (1, 2)), tmp_path / "out")  # k0, k2, k4, k6
    later, whole = Noise(), Noise()
    sample(later, Share(BAD, (2, 4)), tmp_path / "out")  # k1, k5
    sample(whole, BAD, tmp_path / "out")
    assert (later.asked, whole.asked) == (["k1", "k5"], ["k3"])
    assert files(tmp_path / "out") == alone
    assert not (tmp_path / "out/.shares").exists()


def test_a_share_given_again_finds_the_others_done(tmp_path: Path, alone: dict[str, bytes]) -> None:
    for i in (1, 2):
        sample(Noise(), Share(BAD, (i, 2)), tmp_path / "out")
    (tmp_path / "out/k1.wav").write_bytes(b"damaged")
    again = Noise()
    assert sample(again, Share(BAD, (2, 2)), tmp_path / "out", batch_size=1).waiting == 0
    assert again.asked == ["k1"]
    assert files(tmp_path / "out") == alone


def test_shares_of_other_queries_do_not_count_as_done(tmp_path: Path) -> None:
    for i in (1, 2):
        sample(Noise(), Share(QUERIES, (i, 2)), tmp_path)
    others = [Query(query.key, f"another {query.prompt}") for query in QUERIES]
    assert sample(Noise(), Share(others, (1, 2)), tmp_path).waiting == 1
    assert sample(Noise(), Share(others, (2, 2)), tmp_path).waiting == 0
    assert (tmp_path / "samples.csv").read_text().count("another prompt") == len(QUERIES)


def test_more_shares_than_queries_leave_some_with_nothing_to_do(tmp_path: Path) -> None:
    waiting = [sample(Noise(), Share(QUERIES[:2], (i, 3)), tmp_path).waiting for i in (3, 2, 1)]
    assert waiting == [2, 1, 0]
    assert (tmp_path / "samples.csv").read_text().count("\n") == 3


@pytest.mark.parametrize("part", [(0, 2), (3, 2)])
def test_a_share_that_is_none_is_refused(part: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="the first number counts from 1 to the second"):
        Share(QUERIES, part)
