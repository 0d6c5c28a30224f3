"""Reading ahead: in order, bounded, by several readers, and never another result than without it."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from unit.clipsonic.fakes import FakeStore

from clipsonic.mel import MelConfig
from clipsonic.model_folder import WEIGHTS
from clipsonic.training import prefetch
from clipsonic.training.audio import train_on
from clipsonic.training.config import AudioTrainingConfig
from clipsonic.training.mel_source import PART, MelSource
from clipsonic.training.prefetch import Prefetch
from clipsonic_eval.config import resolve

TINY = {"channels": [16, 24], "embedding": 16, "groups": 4, "heads": 2}


class Shelf(FakeStore):
    """A store that notes which thread reads which rows."""

    def __init__(self, n: int = 400) -> None:
        super().__init__(n=n, n_samples=1280)
        self.read: list[tuple[str, list[int]]] = []

    def audio(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        self.read.append((threading.current_thread().name, rows.tolist()))
        return super().audio(rows)

    def ahead(self) -> list[list[int]]:
        return [rows for name, rows in self.read if name.startswith("clips")]


def numbers(rows: NDArray[np.int64]) -> torch.Tensor:
    return torch.from_numpy(rows * 10)


def config(**train: Any) -> AudioTrainingConfig:
    tree = {"clips": "unused", "network": {"options": TINY}, "mel_cache_mb": 0, "train": {"warmup": 2, **train}}
    return resolve(AudioTrainingConfig, tree)


def test_waiting_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = Prefetch(numbers, most=64)
    clock = itertools.count(step=3.0)
    monkeypatch.setattr(prefetch, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    ahead.expect([np.arange(40)])
    ahead.read(np.arange(40))
    ahead.read(np.arange(7))
    assert ahead.waited == 6.0


def test_parts_come_in_their_order_whatever_the_number_of_readers() -> None:
    parts = [np.array([i, i + 1]) for i in range(50)]
    slow_first = threading.Event()

    def load(rows: NDArray[np.int64]) -> torch.Tensor:
        if rows[0] == 0:
            slow_first.wait(5)  # the first part is ready last
        if rows[0] == 2:
            slow_first.set()
        return numbers(rows)

    ahead = Prefetch(load, most=8, readers=4)
    ahead.expect(parts)
    assert [ahead.read(part).tolist() for part in parts] == [[10 * i, 10 * i + 10] for i in range(50)]


def test_no_part_is_begun_while_enough_rows_are_held_but_always_one() -> None:
    for most, held in ((0, 1), (1, 1), (8, 2), (9, 3), (1000, 10)):
        ahead = Prefetch(numbers, most=most)
        ahead.expect(np.arange(40).reshape(10, 4))
        assert len(ahead._coming) == held
        ahead.read(np.arange(4))
        assert len(ahead._coming) == min(held, 9)


def test_other_rows_may_be_asked_for_in_between() -> None:
    ahead = Prefetch(numbers, most=8)
    ahead.expect(np.arange(40).reshape(10, 4))
    assert ahead.read(np.array([77])).tolist() == [770]
    assert ahead.read(np.arange(4)).tolist() == [0, 10, 20, 30]
    ahead.expect(np.arange(40).reshape(10, 4)[5:])
    assert ahead.read(np.arange(20, 24)).tolist() == [200, 210, 220, 230]


def test_an_error_of_a_reader_is_raised_where_its_rows_are_asked_for() -> None:
    def load(rows: NDArray[np.int64]) -> torch.Tensor:
        if rows[0] == 4:
            raise ValueError("row 4 is damaged")
        return numbers(rows)

    ahead = Prefetch(load, most=100)
    ahead.expect(np.arange(12).reshape(3, 4))
    ahead.read(np.arange(4))
    with pytest.raises(ValueError, match="row 4 is damaged"):
        ahead.read(np.arange(4, 8))
    assert len(ahead.read(np.arange(8, 12))) == 4


def test_batches_of_any_size_are_read_in_the_background_in_parts() -> None:
    store = Shelf()
    source = MelSource(store, MelConfig(), cache_mb=0)  # type: ignore[arg-type]
    rows = torch.randperm(400, generator=torch.Generator().manual_seed(0))[:150]
    wanted = source(rows)
    store.read.clear()
    source.expect([rows, rows[:5]])
    assert torch.equal(source(rows), wanted)
    assert torch.equal(source(rows[:5]), wanted[:5])
    assert [len(part) for part in store.ahead()] == [PART, PART, 22, 5]
    assert len(store.ahead()) == len(store.read)


def test_training_reads_all_batches_ahead_across_steps_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(config(batch_size=96, steps=3), readers=3)
    store = Shelf(n=200)
    ahead = train_on(store, settings, tmp_path / "ahead")
    assert sorted(map(len, store.ahead())) == [32, 32, 32, 64, 64, 64]
    monkeypatch.setattr(MelSource, "expect", lambda self, batches: None)
    plain = train_on(Shelf(n=200), settings, tmp_path / "plain")
    a, b = (load_file(p / "network" / WEIGHTS) for p in (ahead, plain))
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_every_pass_of_an_accumulated_step_is_read_ahead(tmp_path: Path) -> None:
    store = Shelf(n=200)
    train_on(store, config(batch_size=96, steps=2, gradient_accumulation=3, validation=0), tmp_path / "m")
    assert [len(part) for part in store.ahead()] == [32] * 6
    first_step = [row for part in store.ahead()[:3] for row in part]
    assert len(set(first_step)) == 96
