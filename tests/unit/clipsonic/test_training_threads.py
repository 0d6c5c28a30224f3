"""How many threads a training takes: the idle cores when it begins, and the same when it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from stage_threads import IDLE, a_busy_machine, default_is, now
from torch import nn

from clipsonic.training import loop
from clipsonic.training.config import TrainConfig
from clipsonic_eval import threads

CONFIG = TrainConfig(steps=4, batch_size=2, checkpoint_every=2, precision="fp32")


class Listening:
    """A task of one weight that notes the threads of its steps."""

    def __init__(self) -> None:
        self.module = nn.Linear(2, 1)
        self.seen: list[tuple[int, int]] = []
        self.waited, self.by_level = 0.0, None

    def begin(self, step: int, shares: object) -> None:
        pass

    def loss(self, module: loop.Network, step: int, rows: slice) -> torch.Tensor:
        del step, rows
        self.seen.append(now())
        loss: torch.Tensor = module(torch.ones(2, 2)).square().mean()
        return loss

    def validation_loss(self, module: loop.Network) -> None:
        del module


class Telling:
    """Keeps notes; stops before a step."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.notes: list[str] = []
        self.stop_at = stop_at

    def track(self, items: Iterable[Any], *, label: str, total: int | None = None, done: int = 0) -> Iterator[Any]:
        del label, total, done
        for item in items:
            if item == self.stop_at:
                raise KeyboardInterrupt
            yield item

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_training_takes_the_idle_cores_says_so_and_goes_on_with_as_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_busy_machine(monkeypatch)
    with default_is(4):
        first, telling = Listening(), Telling(stop_at=3)
        with pytest.raises(KeyboardInterrupt):
            loop.run(first, CONFIG, tmp_path, identity="x", progress=telling)
        assert first.seen == [(1, IDLE)] * 3
        assert any("3 of 4 threads" in note and threads.VARIABLE in note for note in telling.notes)
        assert json.loads((tmp_path / "checkpoint" / "state.json").read_text())["threads"] == IDLE

        monkeypatch.setattr(threads, "idle", lambda: 1)  # busier now: the bits of the run come first
        second = Listening()
        outcome = loop.run(second, CONFIG, tmp_path, identity="x")
        assert second.seen == [(1, IDLE)] * 2
        assert outcome["threads"] == IDLE
        assert now() == (4, 4)


def test_the_users_number_comes_before_the_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_busy_machine(monkeypatch)
    with default_is(4):
        with pytest.raises(KeyboardInterrupt):
            loop.run(Listening(), CONFIG, tmp_path, identity="x", progress=Telling(stop_at=3))
        monkeypatch.setenv(threads.VARIABLE, "2")
        again = Listening()
        loop.run(again, CONFIG, tmp_path, identity="x")
        assert again.seen == [(1, 2)] * 2
