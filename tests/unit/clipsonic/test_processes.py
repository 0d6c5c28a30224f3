"""Several processes under torchrun: they share a batch, reach the weights of one, and never train alone unnoticed."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from unit.clipsonic.fakes import FakeStore

from clipsonic.model_folder import WEIGHTS
from clipsonic.training.audio import train_on
from clipsonic.training.config import AudioTrainingConfig
from clipsonic.training.processes import joined, shares
from clipsonic_eval import filenames
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError

TESTS = Path(__file__).parents[2]
TINY = {"channels": [16, 24], "embedding": 16, "groups": 4, "heads": 2}


def config(**train: Any) -> AudioTrainingConfig:
    settings = {"steps": 6, "batch_size": 8, "warmup": 2, "log_every": 1, "checkpoint_every": 2, "precision": "fp32"}
    return resolve(AudioTrainingConfig, {"clips": "x", "network": {"options": TINY}, "train": {**settings, **train}})


@given(processes=st.integers(1, 5), accumulated=st.integers(1, 4), parts=st.integers(1, 4))
def test_every_row_of_a_batch_is_computed_once(processes: int, accumulated: int, parts: int) -> None:
    batch = list(range(processes * accumulated * parts))
    found = []
    for rank in range(processes):
        mine = shares(SimpleNamespace(num_processes=processes, process_index=rank), accumulated)  # type: ignore[arg-type]
        assert [len(batch[rows]) for rows in mine] == [parts] * accumulated
        found += [row for rows in mine for row in batch[rows]]
    assert sorted(found) == batch


def test_processes_that_did_not_find_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    joined(torch.device("cpu"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(
        ConfigError, match=r"started WORLD_SIZE=2 processes, but 1 found each other; start with torchrun"
    ):
        joined(torch.device("cpu"))


def test_a_batch_that_cannot_be_shared_equally_is_refused(tmp_path: Path) -> None:
    settings = config(batch_size=8, gradient_accumulation=3)
    with pytest.raises(
        ConfigError, match=r"batch_size 8 must be a multiple of the number of processes \(1\) times .* \(3\)"
    ):
        train_on(FakeStore(), settings, tmp_path / "m")  # type: ignore[arg-type]


def losses(folder: Path) -> list[float]:
    with (folder / filenames.TRAIN_LOG).open(newline="") as stream:
        return [float(row["loss"]) for row in csv.DictReader(stream)]


GO = """
import sys
from pathlib import Path
from unit.clipsonic.fakes import FakeStore
from unit.clipsonic.test_processes import config
from unit.clipsonic.test_training import KilledAt
from clipsonic.training.audio import train_on
from clipsonic_eval.progress import SILENT
out, accumulation, killed_at = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
progress = KilledAt(killed_at) if killed_at else SILENT
train_on(FakeStore(), config(gradient_accumulation=accumulation), out, progress=progress)
"""


def two_processes(tmp_path: Path, out: Path, *, accumulation: int = 1, killed_at: int = 0) -> int:
    return launched(tmp_path, GO, str(out), str(accumulation), str(killed_at), fails=bool(killed_at))


def launched(tmp_path: Path, source: str, *arguments: str, fails: bool = False, processes: int = 2) -> int:
    """Run a script in processes of torchrun."""
    script = tmp_path / "go.py"
    script.write_text(source)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc_per_node={processes}",
        str(script),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, env=environment)
    assert bool(done.returncode) == fails, done.stderr[-2000:]
    return done.returncode


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / "network" / WEIGHTS)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("accumulation", [1, 2])
def test_two_processes_have_the_losses_and_reach_the_weights_of_one(tmp_path: Path, accumulation: int) -> None:
    two_processes(tmp_path, tmp_path / "two", accumulation=accumulation)
    one = train_on(FakeStore(), config(), tmp_path / "one")  # type: ignore[arg-type]
    assert losses(tmp_path / "two") == pytest.approx(losses(one), rel=1e-4)
    a, b = weights(one), weights(tmp_path / "two")
    assert all(torch.allclose(a[k], b[k], atol=2e-4) for k in a)
    cards = [json.loads((folder / "card.json").read_text()) for folder in (one, tmp_path / "two")]
    assert [card["processes"] for card in cards] == [1, 2]
    assert cards[1]["val_loss"] == pytest.approx(cards[0]["val_loss"], rel=1e-3)


@pytest.mark.slow
def test_two_processes_that_were_killed_go_on_to_the_same_bits(tmp_path: Path) -> None:
    two_processes(tmp_path, tmp_path / "whole")
    two_processes(tmp_path, tmp_path / "pieces", killed_at=3)
    assert not (tmp_path / "pieces" / "card.json").exists()
    two_processes(tmp_path, tmp_path / "pieces")
    assert losses(tmp_path / "whole") == losses(tmp_path / "pieces")
    a, b = weights(tmp_path / "whole"), weights(tmp_path / "pieces")
    assert all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_accumulated_step_is_the_step_of_the_whole_batch(tmp_path: Path, precision: str) -> None:
    whole = train_on(FakeStore(), config(precision=precision), tmp_path / "whole")  # type: ignore[arg-type]
    parts = config(precision=precision, gradient_accumulation=4)
    added = train_on(FakeStore(), parts, tmp_path / "parts")  # type: ignore[arg-type]
    exact = 1e-5 if precision == "fp32" else 2e-2
    assert losses(added) == pytest.approx(losses(whole), rel=exact)
