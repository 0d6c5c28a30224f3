from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from clipsonic.training import recipes
from clipsonic.training.config import AudioTrainingConfig
from clipsonic.training.step_cost import step_seconds
from clipsonic_eval.cli import main
from clipsonic_eval.clips import PrepareConfig, Source, prepare
from clipsonic_eval.config import read_yaml, resolve
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.toyworld import RATE, SAMPLES
from clipsonic_eval.toyworld.write import WorldConfig, write_world

NETWORK = {"name": "unet2d", "options": {"channels": [8, 8], "embedding": 8}}
TRAIN = {"steps": 12, "batch_size": 4, "warmup": 1, "validation": 2}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("recipes")
    sizes = dict.fromkeys(("pictures", "pairs", "test", "reference", "val_reference"), 0)
    write_world(WorldConfig(videos=24, val=13, workers=1, **sizes), root / "world")
    window = {"duration_s": SAMPLES / RATE, "window": "first"}
    prepare(Source(root / "world/videos"), root / "clips", PrepareConfig(image_encoder="toy-clip", **window))
    return root


def settings(world: Path, **changed: Any) -> dict[str, Any]:
    base = {"clips": str(world / "clips"), "network": NETWORK, "train": TRAIN}
    return {
        "base": base,
        "variants": {"base": {}, "small-batch": {"train.batch_size": 2}},
        "queries": str(world / "world/val.csv"),
        "reference": str(world / "clips"),
        "seeds": [3],
        "limit": 12,
        "sampling": [{"guidance": 2.0, "steps": 2}],
        **changed,
    }


def test_a_cheaper_step_buys_more_steps_and_a_finished_variant_is_not_trained_again(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "step_seconds", lambda base, one: (0.1, 0.1 if one.train.batch_size == 4 else 0.05))
    paths = recipes.search(settings(world), tmp_path / "out")
    base, small = [json.loads(path.read_text()) for path in paths]
    assert (base["steps"], small["steps"]) == (12, 24)
    assert small["overrides"] == {"train.batch_size": 2}
    assert "--set train.batch_size=2 --set train.seed=3 --set train.steps=24" in small["command"]
    assert base["weights"] != small["weights"]
    scores = small["evaluations"][0]
    assert scores["n"] == 12
    assert scores["guidance"] == 2.0
    assert scores["worst_class_accuracy"] == min(scores["by_class"].values())
    assert scores["fad_ci"][0] <= scores["fad"] <= scores["fad_ci"][1]

    trained = read_yaml(tmp_path / "out/base.yaml")
    assert trained.pop("trainer") == "clipsonic.training.audio:train"
    assert resolve(AudioTrainingConfig, trained).train.batch_size == 4
    monkeypatch.setattr(recipes, "step_seconds", lambda *_: pytest.fail("measured again"))
    assert recipes.search(settings(world), tmp_path / "out", only="base") == paths[:1]
    with pytest.raises(UserError, match="other overrides than variant 'small-batch' has now"):
        recipes.search(settings(world, variants={"small-batch": {"train.batch_size": 3}}), tmp_path / "out")
    with pytest.raises(UserError, match=r"limit: 12 → 5"):
        recipes.search(settings(world, limit=5), tmp_path / "out")


def test_a_step_of_half_the_batch_takes_less_time(world: Path) -> None:
    search = resolve(recipes.RecipeSearch, settings(world, base={**settings(world)["base"], "train": TRAIN}))
    large = resolve(AudioTrainingConfig, {**search.training("base", 0), "train": {**TRAIN, "batch_size": 24}})
    small = resolve(AudioTrainingConfig, {**search.training("base", 0), "train": {**TRAIN, "batch_size": 1}})
    large_s, small_s = step_seconds(large, small)
    assert 0 < small_s < large_s


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"variants": {}}, "name at least one"),
        ({"variants": {"typo": {"train.stepz": 3}}}, "unknown key 'stepz'"),
        ({"variants": {"typo": {"network.options": {"chanels": [8]}}}}, "unknown key 'chanels'"),
    ],
)
def test_a_search_that_cannot_run_is_refused_before_the_first_training(
    world: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(recipes.RecipeSearch, settings(world, **changed))


def test_the_command_prints_a_line_per_training(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "step_seconds", lambda *_: (0.1, 0.1))
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(settings(world)))
    words = ["recipe", str(tmp_path / "recipe.yaml"), "--only", "base", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("base, seed 3: 12 steps of 100 ms; FAD ")
    again = CliRunner().invoke(main, [*words, "--json"])
    assert json.loads(again.stdout)[0]["variant"] == "base"
    unknown = CliRunner().invoke(main, [*words[:3], "fast", *words[4:]])
    assert unknown.exit_code == 2
    assert "variant 'fast': is none of base, small-batch" in unknown.stderr
    elsewhere = tmp_path / "elsewhere"
    assert CliRunner().invoke(main, [*words[:3], "fast", "--out", str(elsewhere)]).exit_code == 2
    assert not elsewhere.exists()
