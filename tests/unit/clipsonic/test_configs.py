from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import clipsonic
import paired_tta
from clipsonic.networks import NETWORKS, resolved_options
from clipsonic.training.config import AudioTrainingConfig
from clipsonic_eval.cli import main
from clipsonic_eval.config import read_yaml, resolve
from clipsonic_eval.locate import locate

CONFIGS = sorted(
    path for package in (clipsonic, paired_tta) for path in (Path(package.__file__).parent / "configs").glob("*.yaml")
)
AUDIO = [p for p in CONFIGS if read_yaml(p)["trainer"] == "clipsonic.training.audio:train"]


def test_there_are_examples_for_every_audio_model() -> None:
    assert {p.stem for p in AUDIO} >= {"toy_video", "toy_clip_tta", "toy_clap_tta", "paper_vggsound"}


@pytest.mark.parametrize("path", AUDIO, ids=lambda p: p.stem)
def test_an_example_resolves_and_its_network_can_be_built(path: Path) -> None:
    tree = read_yaml(path)
    assert callable(locate(tree.pop("trainer")))
    assert isinstance(tree.pop("out"), str)
    config = resolve(AudioTrainingConfig, tree, where=path.name)
    d, frames = (768, 400) if path.stem.startswith("paper") else (128, 96)
    with torch.device("meta"):  # shapes without memory
        network = NETWORKS[config.network.name](
            n_mels=config.mel.n_mels, frames=frames, condition_dim=d, **resolved_options(config.network)
        )
    assert network.config["condition_dim"] == d


TRAINER = """
import json
def train(config, out, *, progress):
    out.mkdir(parents=True)
    (out / "seen.json").write_text(json.dumps(config))
    (out / "train_log.csv").write_text("step,loss,val_loss,lr,seconds\\n5,0.5,0.6,0.1,2\\n")
    return out
"""


def _run(tmp_path: Path, *arguments: str, **tree: Any) -> Any:
    (tmp_path / "mine.py").write_text(TRAINER)
    (tmp_path / "c.yaml").write_text(json.dumps(tree))
    return CliRunner().invoke(main, ["train", str(tmp_path / "c.yaml"), *arguments])


def test_train_gives_the_trainer_its_keys_and_prints_where_the_model_is(tmp_path: Path) -> None:
    tree = {"trainer": f"{tmp_path / 'mine.py'}:train", "out": str(tmp_path / "m"), "a": {"b": 1}}
    done = _run(tmp_path, "--set", "a.b=2", "--json", **tree)
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "m" / "seen.json").read_text()) == {"a": {"b": 2}}
    result = json.loads(done.stdout)
    assert (result["steps"], result["loss"], result["val_loss"]) == (5, 0.5, 0.6)
    done = _run(tmp_path, "--out", str(tmp_path / "other"), **tree)
    assert f"{tmp_path / 'other'}: 5 steps, loss 0.5000 (held out 0.6000)" in done.stdout


def test_train_says_what_a_configuration_lacks(tmp_path: Path) -> None:
    for tree, message in [
        ({"out": "m"}, "key 'trainer' is required"),
        ({"trainer": f"{tmp_path / 'mine.py'}:train"}, "Give --out or the key 'out'"),
        ({"trainer": "no_such_module:train", "out": "m"}, "no module named"),
        (
            {"trainer": "clipsonic.training.audio:train", "out": "m", "clips": "c", "trian": {}},
            "Did you mean 'train'",
        ),
    ]:
        done = _run(tmp_path, **tree)
        assert done.exit_code == 2
        assert message in done.stderr, done.stderr
