"""``train`` under torchrun from the command line, on clips in shards: one folder, one result, said once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from unit.clips.test_prepare import film

from clipsonic_eval.clips import PrepareConfig, Source, prepare

pytestmark = pytest.mark.slow


def train(config: Path, out: Path, processes: int, *options: str) -> subprocess.CompletedProcess[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"] if processes > 1 else []
    command = [sys.executable, *launcher, "-m", "clipsonic_eval", "train", str(config), "--out", str(out), "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run([*command, *options], capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("training")
    (root / "videos").mkdir()
    for number in range(12):
        film(root / "videos" / f"v{number}.mp4", 300.0 + 100 * number)
    settings = PrepareConfig(duration_s=0.96, image_encoder="toy-clip", shard_size=4, workers=0)
    prepare(Source(root / "videos"), root / "clips", settings)
    options = {"patch": 4, "channels": [16, 16], "embedding": 16, "groups": 4, "head_dim": 8}
    tree = {
        "trainer": "clipsonic.training.audio:train",
        "clips": str(root / "clips"),
        "mel_cache_mb": 0,
        "mel_cache": str(root / "mels"),
        "network": {"name": "unet2d", "options": options},
        "train": {"steps": 4, "batch_size": 4, "warmup": 0, "precision": "fp32", "log_every": 1},
    }
    (root / "tiny.yaml").write_text(yaml.safe_dump(tree))
    return root / "tiny.yaml"


def test_two_processes_train_one_model_and_say_so_once(config: Path, tmp_path: Path) -> None:
    two, one = train(config, tmp_path / "two", 2), train(config, tmp_path / "one", 1)
    for done in (two, one):
        assert done.returncode == 0, done.stderr[-2000:]
    told = [json.loads(done.stdout) for done in (two, one)]  # one line each
    assert [result["steps"] for result in told] == [4, 4]
    assert told[0]["loss"] == pytest.approx(told[1]["loss"], rel=1e-4)
    assert told[0]["val_loss"] == pytest.approx(told[1]["val_loss"], rel=1e-3)
    cards = [json.loads((tmp_path / name / "card.json").read_text()) for name in ("two", "one")]
    assert [card["processes"] for card in cards] == [2, 1]
    assert cards[0]["identity"] == cards[1]["identity"]


def test_two_processes_replace_a_model_with_overwrite(config: Path, tmp_path: Path) -> None:
    for seed in ("0", "1"):
        done = train(config, tmp_path / "m", 2, "--set", f"train.seed={seed}", "--overwrite")
        assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((tmp_path / "m" / "card.json").read_text())["seed"] == 1
    assert (tmp_path / "m" / "config.json").is_file()
