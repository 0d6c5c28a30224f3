from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.harness.queries import QuerySet
from clipsonic_eval.harness.sample import card_of, sample
from clipsonic_eval.seeds import derive
from clipsonic_eval.types import Query, Skip

T = TypeVar("T")
QUERIES = [Query(f"k{i}", f"prompt {i}", None, "bell") for i in range(5)]


class Tone:
    """Writes the seed into the first sample, so that a file tells which seed made it."""

    name = "tone"
    sample_rate = 8000

    def __init__(self, level: float = 0.5) -> None:
        self.level = level
        self.asked: list[str] = []
        self.stop_at: str | None = None

    def card(self) -> dict[str, Any]:
        return {"kind": "tone", "level": self.level}

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        for query in queries:
            if query.key == self.stop_at:
                raise KeyboardInterrupt
            if query.prompt == "bad":
                raise MediaError(f"{query.key}.mp4: no video track")
        self.asked += [q.key for q in queries]
        return [self.sound(q, s) for q, s in zip(queries, seeds, strict=True)]

    def sound(self, query: Query, seed: int) -> NDArray[np.float32]:
        del query
        return np.random.default_rng(seed).uniform(-self.level, self.level, 100).astype(np.float32)


class Counter:
    def __init__(self) -> None:
        self.calls: list[tuple[int | None, int, int]] = []

    def track(self, items: Iterable[T], *, label: str, total: int | None = None, done: int = 0) -> Iterator[T]:
        del label
        n = 0
        for n, item in enumerate(items, start=1):  # noqa: B007
            yield item
        self.calls.append((total, done, n))

    def note(self, text: str) -> None:
        raise AssertionError(text)


def rows(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "samples.csv").open(newline="") as stream:
        return {row["key"]: row for row in csv.DictReader(stream)}


def wavs(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in folder.glob("*.wav")}


def test_every_query_gets_a_float_wav_a_row_and_a_seed_of_its_own(tmp_path: Path) -> None:
    result = sample(Tone(), QUERIES, tmp_path, seed=7, batch_size=2)
    assert (result.n, result.resumed, result.skipped) == (5, 0, ())
    for query in QUERIES:
        data, rate = soundfile.read(tmp_path / f"{query.key}.wav", dtype="float32")
        assert rate == 8000
        assert soundfile.info(tmp_path / f"{query.key}.wav").subtype == "FLOAT"
        expected = np.random.default_rng(derive(7, query.key, "sample")).uniform(-0.5, 0.5, 100).astype(np.float32)
        np.testing.assert_array_equal(data, expected)
        row = rows(tmp_path)[query.key]
        assert (row["file"], row["prompt"], row["label"]) == (f"{query.key}.wav", query.prompt, "bell")
        assert row["seed"] == str(derive(7, query.key, "sample"))
        assert float(row["peak"]) == pytest.approx(np.abs(data).max(), rel=1e-5)  # 1: scaled down from above full scale
    card = json.loads((tmp_path / "system.json").read_text())
    assert (card["name"], card["kind"], card["level"], card["sample_rate"], card["seed"]) == (
        "tone",
        "tone",
        0.5,
        8000,
        7,
    )
    assert not (tmp_path / "skipped.csv").exists()


def test_batches_and_order_change_no_byte(tmp_path: Path) -> None:
    sample(Tone(), QUERIES, tmp_path / "a", batch_size=1)
    sample(Tone(), QUERIES[::-1], tmp_path / "b", batch_size=4)
    assert wavs(tmp_path / "a") == wavs(tmp_path / "b")
    assert (tmp_path / "a/samples.csv").read_bytes() == (tmp_path / "b/samples.csv").read_bytes()


def test_a_job_that_was_stopped_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    sample(Tone(), QUERIES, tmp_path / "whole")
    broken = Tone()
    broken.stop_at = "k3"
    with pytest.raises(KeyboardInterrupt):
        sample(broken, QUERIES, tmp_path / "parts", batch_size=1)
    assert set(rows(tmp_path / "parts")) == {"k0", "k1", "k2"}
    again, counter = Tone(), Counter()
    result = sample(again, QUERIES, tmp_path / "parts", batch_size=1, progress=counter)
    assert again.asked == ["k3", "k4"]
    assert (result.n, result.resumed) == (5, 3)
    assert counter.calls == [(5, 3, 2)]
    assert wavs(tmp_path / "parts") == wavs(tmp_path / "whole")


def test_a_changed_wav_or_another_prompt_is_made_again(tmp_path: Path) -> None:
    sample(Tone(), QUERIES, tmp_path)
    (tmp_path / "k1.wav").write_bytes(b"something else")
    again = Tone()
    sample(again, [Query("k0", "another prompt"), *QUERIES[1:]], tmp_path, batch_size=1)
    assert again.asked == ["k0", "k1"]
    assert rows(tmp_path)["k0"]["prompt"] == "another prompt"


def test_another_picture_under_the_same_name_is_sampled_again(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"one")
    query = Query("k", "p", picture)
    sample(Tone(), [query], tmp_path / "out")
    picture.write_bytes(b"two")
    again = Tone()
    sample(again, [query], tmp_path / "out")
    assert again.asked == ["k"]


@pytest.mark.parametrize(("level", "seed"), [(0.4, 0), (0.5, 1)])
def test_samples_of_another_card_or_seed_are_refused(tmp_path: Path, level: float, seed: int) -> None:
    sample(Tone(), QUERIES, tmp_path)
    before = wavs(tmp_path)
    with pytest.raises(
        UserError, match=r"holds a run of `sample` with other settings.*(level: 0.5 → 0.4|seed: 0 → 1).*--overwrite"
    ):
        sample(Tone(level), QUERIES, tmp_path, seed=seed)
    assert wavs(tmp_path) == before


def test_overwrite_leaves_nothing_of_the_other_system(tmp_path: Path) -> None:
    sample(Tone(), QUERIES, tmp_path)
    sample(Tone(0.4), QUERIES[:2], tmp_path, overwrite=True)
    assert set(wavs(tmp_path)) == set(rows(tmp_path)) == {"k0", "k1"}


def test_a_name_is_no_part_of_the_identity(tmp_path: Path) -> None:
    sample(Tone(), QUERIES, tmp_path)
    result = sample(Tone(), QUERIES, tmp_path, name="ours")
    assert (result.name, result.resumed) == ("ours", 5)
    assert json.loads((tmp_path / "system.json").read_text())["name"] == "ours"


def test_a_query_that_fails_is_skipped_and_its_neighbours_are_not(tmp_path: Path) -> None:
    queries = [*QUERIES[:2], Query("spoilt", "bad"), *QUERIES[2:]]
    result = sample(Tone(), queries, tmp_path)
    assert [(s.key, s.reason) for s in result.skipped] == [("spoilt", "spoilt.mp4: no video track")]
    assert set(wavs(tmp_path)) == {q.key for q in QUERIES}
    assert "spoilt,spoilt.mp4: no video track" in (tmp_path / "skipped.csv").read_text()
    sample(Tone(), QUERIES, tmp_path)
    assert not (tmp_path / "skipped.csv").exists()


def test_a_query_that_fails_now_leaves_no_answer_to_an_older_one(tmp_path: Path) -> None:
    sample(Tone(), QUERIES, tmp_path)
    result = sample(Tone(), [Query("k0", "bad"), *QUERIES[1:]], tmp_path)
    assert [s.key for s in result.skipped] == ["k0"]
    assert "k0" not in wavs(tmp_path)
    assert "k0" not in rows(tmp_path)


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (np.array([0.0, np.nan, np.inf], np.float32), "2 samples that are not finite"),
        (np.zeros((2, 5), np.float32), r"float32 \(2, 5\) instead of"),
        (np.zeros(0, np.float32), r"float32 \(0,\) instead of"),
        (np.zeros(5, np.int16), r"int16 \(5,\) instead of"),
    ],
)
def test_a_sound_that_is_none_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sound: NDArray[Any], reason: str
) -> None:
    monkeypatch.setattr(Tone, "sound", lambda self, query, seed: sound if query.key == "k2" else np.ones(3))
    result = sample(Tone(), QUERIES, tmp_path)
    assert [s.key for s in result.skipped] == ["k2"]
    with pytest.raises(UserError, match=reason):
        raise UserError(result.skipped[0].reason)


def test_a_system_that_returns_too_few_sounds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tone, "generate", lambda self, queries, seeds: [])
    result = sample(Tone(), QUERIES[:1], tmp_path)
    assert "system 'tone' gave 0 sounds for 1 queries" in result.skipped[0].reason


def test_a_card_that_is_no_json_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tone, "card", lambda self: {"x": np.zeros(3)})
    with pytest.raises(UserError, match="must hold JSON values only"):
        sample(Tone(), QUERIES, tmp_path)


def test_keys_that_repeat_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'k0' is there twice"):
        sample(Tone(), [QUERIES[0], QUERIES[0]], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("batch_size", [1, 2, 5])
@pytest.mark.parametrize("stop_at", [f"k{i}" for i in range(5)])
def test_a_job_that_is_stopped_anywhere_resumes_to_the_same_folder(
    tmp_path: Path, stop_at: str, batch_size: int
) -> None:
    sample(Tone(), QUERIES, tmp_path / "whole", seed=3)
    broken = Tone()
    broken.stop_at = stop_at
    settings = {"seed": 3, "batch_size": batch_size}
    with pytest.raises(KeyboardInterrupt):
        sample(broken, QUERIES, tmp_path / "parts", **settings)
    again = Tone()
    sample(again, QUERIES, tmp_path / "parts", **settings)
    assert sorted([*broken.asked, *again.asked]) == [q.key for q in QUERIES]  # no batch is sampled twice
    for name in ("samples.csv", "system.json", *(f"{q.key}.wav" for q in QUERIES)):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


class Rounds(Tone):
    """A network that rounds by the size of its batch."""

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        return [sound + np.float32(1e-6 * len(queries)) for sound in super().generate(queries, seeds)]


@pytest.mark.parametrize("lost", [["k0"], ["k1", "k2"], ["k4"], ["k0", "k3", "k4"]])
def test_what_is_made_again_has_the_bytes_of_its_whole_batch(tmp_path: Path, lost: list[str]) -> None:
    sample(Rounds(), QUERIES, tmp_path, batch_size=2)
    whole = wavs(tmp_path)
    for key in lost:
        (tmp_path / f"{key}.wav").write_bytes(b"damaged")
    kept = {q.key: (tmp_path / f"{q.key}.wav").stat().st_mtime_ns for q in QUERIES if q.key not in lost}
    sample(Rounds(), QUERIES, tmp_path, batch_size=2)
    assert wavs(tmp_path) == whole
    assert {key: (tmp_path / f"{key}.wav").stat().st_mtime_ns for key in kept} == kept  # not written again


def test_what_is_missing_of_a_spoilt_batch_alone_is_sampled_again(tmp_path: Path) -> None:
    queries = [*QUERIES[:3], Query("spoilt", "bad"), *QUERIES[3:]]
    sample(Rounds(), queries, tmp_path, batch_size=4)
    (tmp_path / "k1.wav").unlink()
    again = Rounds()
    sample(again, queries, tmp_path, batch_size=4)
    assert again.asked == ["k1"]


def test_a_spoilt_batch_is_sampled_query_by_query(tmp_path: Path) -> None:
    system = Tone()
    queries = [*QUERIES[:3], Query("spoilt", "bad"), *QUERIES[3:]]
    sample(system, queries, tmp_path, batch_size=4)
    assert system.asked == ["k0", "k1", "k2", "k3", "k4"]


def test_rows_of_the_table_that_could_not_be_read_are_listed_as_skipped(tmp_path: Path) -> None:
    result = sample(Tone(), QuerySet(tuple(QUERIES), (Skip("line-7", "no prompt"),)), tmp_path)
    assert result.n == 5
    assert result.skipped == (Skip("line-7", "no prompt"),)
    assert (tmp_path / "skipped.csv").read_text() == "key,reason\nline-7,no prompt\n"


def test_a_sample_that_is_gone_is_made_again_and_a_row_of_another_key_stays(tmp_path: Path) -> None:
    sample(Tone(), QUERIES, tmp_path)
    (tmp_path / "k2.wav").unlink()
    again = Tone()
    sample(again, QUERIES[:3], tmp_path, batch_size=1)
    assert again.asked == ["k2"]
    assert set(rows(tmp_path)) == {q.key for q in QUERIES}


def test_no_queries_make_an_empty_table(tmp_path: Path) -> None:
    result = sample(Tone(), [], tmp_path)
    assert (result.n, result.skipped) == (0, ())
    assert rows(tmp_path) == {}


def test_the_hash_of_a_card_covers_all_but_the_name() -> None:
    def digest(system: Tone, **settings: Any) -> str:
        return str(card_of(system, **settings)["card_hash"])

    base = digest(Tone(), seed=0)
    assert digest(Tone(), seed=0, name="ours") == base
    assert digest(Tone(0.25), seed=0) != base
    assert digest(Tone(), seed=1) != base


def test_a_batch_size_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="batch size must be at least 1, got 0"):
        sample(Tone(), QUERIES, tmp_path, batch_size=0)
