from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from clipsonic.networks import NETWORKS, resolved_options
from clipsonic.training.config import AudioTrainingConfig, PriorTrainingConfig
from clipsonic.training.vocoder_config import VocoderTrainingConfig
from clipsonic.vocoders._generators import GENERATORS
from clipsonic_eval.cli import main
from clipsonic_eval.config import resolve
from clipsonic_eval.locate import locate
from clipsonic_eval.presets import presets, read_training

TREES = {name: read_training(path) for name, path in presets().items()}
AUDIO = [name for name, tree in TREES.items() if tree["trainer"] == "clipsonic.training.audio:train"]
VOCODERS = [name for name, tree in TREES.items() if tree["trainer"] == "clipsonic.training.vocoder:train"]
PRIORS = [name for name, tree in TREES.items() if tree["trainer"] == "clipsonic.training.prior:train"]


def test_there_are_presets_for_every_system_in_the_toy_world_and_at_the_papers_scale() -> None:
    assert set(AUDIO) >= {"toy_video", "toy_clip_tta", "toy_clap_tta"}
    assert set(AUDIO) >= {"vggsound", "music", "fine_tune", "vggsound_clip_tta", "vggsound_clap_tta"}
    assert set(PRIORS) >= {"toy_prior_pd", "toy_prior_sd", "prior_vit_l_14", "prior_vit_l_14_small"}
    assert set(VOCODERS) == {"vocoder", "toy_vocoder"}
    assert set(AUDIO) | set(PRIORS) | set(VOCODERS) == set(TREES)


@pytest.mark.parametrize("name", AUDIO)
def test_a_preset_resolves_and_its_network_can_be_built(name: str) -> None:
    tree = dict(TREES[name])
    assert callable(locate(tree.pop("trainer")))
    assert isinstance(tree.pop("out"), str)
    config = resolve(AudioTrainingConfig, tree, where=name)
    d, frames = (128, 96) if name.startswith("toy") else (768, 400)
    with torch.device("meta"):  # shapes without memory
        network = NETWORKS[config.network.name](
            n_mels=config.mel.n_mels, frames=frames, condition_dim=d, **resolved_options(config.network)
        )
    assert network.config["condition_dim"] == d


@pytest.mark.parametrize("name", PRIORS)
def test_a_preset_of_a_prior_resolves(name: str) -> None:
    tree = {key: value for key, value in TREES[name].items() if key not in {"trainer", "out"}}
    assert resolve(PriorTrainingConfig, tree, where=name).network.layers > 0


@pytest.mark.parametrize("name", VOCODERS)
def test_a_preset_of_a_vocoder_resolves_and_its_generator_can_be_built(name: str) -> None:
    tree = {key: value for key, value in TREES[name].items() if key not in {"trainer", "out"}}
    config = resolve(VocoderTrainingConfig, tree, where=name)
    with torch.device("meta"):
        weights = sum(p.numel() for p in GENERATORS[config.network.name].network(config.generator()).parameters())
    assert {"vocoder": 13e6, "toy_vocoder": 0.2e6}[name] < weights < {"vocoder": 15e6, "toy_vocoder": 1e6}[name]


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


def test_train_takes_a_preset_by_name_and_a_configuration_that_extends_one(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TRAINER)
    changes = [f"trainer={tmp_path / 'mine.py'}:train", "a.b=2", f"out={tmp_path / 'm'}"]
    sets = [word for change in changes for word in ("--set", change)]
    done = CliRunner().invoke(main, ["train", "vggsound_small", *sets])
    assert done.exit_code == 0, done.output
    seen = json.loads((tmp_path / "m" / "seen.json").read_text())
    assert seen["network"]["options"]["channels"] == [64, 128, 192, 256]  # its own
    assert seen["network"]["options"]["attention"] == 2  # of vggsound
    assert seen["a"] == {"b": 2}
    assert "extends" not in seen


def test_one_of_the_processes_of_torchrun_speaks_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = {"trainer": f"{tmp_path / 'mine.py'}:train", "out": str(tmp_path / "m")}
    for rank, spoken in (("0", True), ("1", False)):
        monkeypatch.setenv("RANK", rank)
        done = _run(tmp_path, "--json", "--out", str(tmp_path / rank), **tree)
        assert done.exit_code == 0, done.output
        assert bool(done.stdout) == spoken
        assert (tmp_path / rank / "seen.json").is_file()


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
