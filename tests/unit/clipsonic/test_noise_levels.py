"""The loss by noise level in the log: what is counted, and that a resumed run counts the same."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from unit.clipsonic.fakes import FakeStore
from unit.clipsonic.test_tasks import ALL, Seen, audio_task
from unit.clipsonic.test_training import KilledAt, _config

from clipsonic.training.audio import train_on
from clipsonic.training.noise_levels import COLUMNS


def test_each_items_loss_counts_to_the_fifth_of_the_schedule_that_its_noise_level_lies_in() -> None:
    task, network = audio_task(), Seen(0.25)
    loss = task.loss(network, 2, ALL)
    x_t, t, *_ = network.inputs[0]
    sums, numbers = task.by_level.totals
    assert numbers.tolist() == torch.bincount(t // 200, minlength=5).tolist()
    assert float(sums.sum() / numbers.sum()) == pytest.approx(float(loss), rel=1e-6)
    task.validation_loss(network)
    assert float(numbers.sum()) == len(x_t)  # the validation counts nowhere


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "train_log.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_the_log_has_the_loss_of_every_noise_level_and_a_resumed_run_the_same(tmp_path: Path) -> None:
    config = _config(precision="fp32", checkpoint_every=2)
    whole = train_on(FakeStore(), config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_on(FakeStore(), config, tmp_path / "pieces", progress=KilledAt(5))  # between two rows of the log
    pieces = train_on(FakeStore(), config, tmp_path / "pieces")
    a, b = (_rows(folder) for folder in (whole, pieces))
    assert [[row[name] for name in COLUMNS] for row in a] == [[row[name] for name in COLUMNS] for row in b]
    first = [float(a[0][name]) for name in COLUMNS]
    # 3 steps of 8 stratified items: numbers by level are nearly equal, and so is their mean to the loss
    assert sum(first) / 5 == pytest.approx(float(a[0]["loss"]), rel=0.1)
