"""Log-mels on disk: the numbers of the clips, written once, shared between processes, damage never used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from unit.clipsonic.fakes import FakeStore
from unit.clipsonic.test_training_threads import Telling

from clipsonic.mel import MelConfig
from clipsonic.model_folder import WEIGHTS
from clipsonic.training import mel_cache
from clipsonic.training.audio import train_on
from clipsonic.training.config import AudioTrainingConfig, identity
from clipsonic.training.mel_cache import MelCache
from clipsonic.training.mel_source import MelSource
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import UserError

ROWS = torch.tensor([5, 0, 39])
N = 40


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mel_cache, "PART_CLIPS", 16)


class Counting(FakeStore):
    """A store that counts the clips that are read."""

    def __init__(self, n: int = N) -> None:
        super().__init__(n)
        self.count = 0

    def audio(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        self.count += len(rows)
        return super().audio(rows)


def source(store: Any, folder: Path | None, *, cache_mb: int = 0, mel: MelConfig | None = None) -> MelSource:
    return MelSource(store, mel or MelConfig(), cache_mb=cache_mb, folder=folder)


def test_log_mels_from_disk_are_those_of_the_clips_to_the_bit(tmp_path: Path) -> None:
    wanted = source(FakeStore(), None)(ROWS)
    assert torch.equal(source(FakeStore(), tmp_path)(ROWS), wanted)
    assert torch.equal(source(FakeStore(), tmp_path, cache_mb=64)(ROWS), wanted)
    ahead = source(FakeStore(), tmp_path)
    ahead.expect([ROWS])
    assert torch.equal(ahead(ROWS), wanted)


def test_a_second_training_reads_no_audio(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    source(first, tmp_path)(ROWS)
    source(second, tmp_path)(ROWS)
    assert (first.count, second.count) == (N, 0)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_killed_job_computes_only_what_is_missing(tmp_path: Path) -> None:
    class Killed(Counting):
        def audio(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
            if rows[0] >= 32:
                raise KeyboardInterrupt
            return super().audio(rows)

    with pytest.raises(KeyboardInterrupt):
        source(Killed(), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    again = Counting()
    source(again, tmp_path)
    assert again.count == 8


def test_processes_write_a_share_each(tmp_path: Path) -> None:
    def compute(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.broadcast_to(rows.astype(np.float32)[:, None, None], (len(rows), 2, 3)).copy()

    caches = [MelCache(tmp_path, "x", (N, 2, 3)) for _ in range(2)]
    caches[0].fill(compute, share=(0, 2))
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(UserError, match=r"mels-x-00001\.npy"):
        caches[0].open()
    caches[1].fill(compute, share=(1, 2))
    caches[0].open()
    assert caches[0].read(np.array([39, 0, 17]))[:, 1, 2].tolist() == [39.0, 0.0, 17.0]


def test_other_clips_and_other_layouts_have_caches_of_their_own(tmp_path: Path) -> None:
    other = Counting()
    other.content_hash = "another"
    for store, mel in ((Counting(), None), (other, None), (Counting(), MelConfig(n_mels=32))):
        source(store, tmp_path, mel=mel)
        assert store.count == N
    scaled = Counting()
    source(scaled, tmp_path, mel=MelConfig(mean=(-5.0,), std=(2.0,)))  # the scale is not part of a log-mel
    assert scaled.count == 0


def test_a_changed_byte_is_found_when_it_is_read(tmp_path: Path) -> None:
    source(FakeStore(), tmp_path)
    first = min(tmp_path.iterdir())
    data = bytearray(first.read_bytes())
    data[-40] ^= 1  # in the log-mel of clip 15
    first.write_bytes(data)
    damaged = source(FakeStore(), tmp_path)
    damaged(torch.tensor([0, 14]))
    with pytest.raises(UserError, match=r"00000\.npy: damaged, a log-mel does not match its sha256; remove it, and"):
        damaged(torch.tensor([15]))


def test_a_truncated_part_is_noted_and_computed_again(tmp_path: Path) -> None:
    source(FakeStore(), tmp_path)
    last = max(tmp_path.iterdir())
    last.write_bytes(last.read_bytes()[:-7])
    telling, store = Telling(), Counting()
    MelSource(store, MelConfig(), cache_mb=0, folder=tmp_path, progress=telling)  # type: ignore[arg-type]
    assert store.count == 8
    assert len(telling.notes) == 1
    assert last.name in telling.notes[0]


def test_a_run_is_the_same_to_the_bit_with_and_without_the_cache(tmp_path: Path) -> None:
    tree = {
        "clips": "x",
        "network": {"options": {"channels": [16, 24], "embedding": 16, "groups": 4, "heads": 2}},
        "train": {"steps": 3, "batch_size": 8},
        "mel_cache_mb": 0,
    }
    plain = resolve(AudioTrainingConfig, tree)
    cached = resolve(AudioTrainingConfig, {**tree, "mel_cache": str(tmp_path / "mels")})
    assert identity(plain) == identity(cached)
    a, b = (
        load_file(train_on(FakeStore(), c, tmp_path / name) / "network" / WEIGHTS)  # type: ignore[arg-type]
        for c, name in ((plain, "a"), (cached, "b"))
    )
    assert all(torch.equal(a[k], b[k]) for k in a)
