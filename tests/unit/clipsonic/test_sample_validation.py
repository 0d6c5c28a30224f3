"""Validation by samples while a training goes on: what is kept, and that neither it nor a kill changes the result."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from unit.clipsonic.test_processes import launched
from unit.clipsonic.test_training import KilledAt
from unit.clipsonic.test_training_threads import Telling

from clipsonic.model import MelDiffusion
from clipsonic.model_folder import WEIGHTS
from clipsonic.training.audio import train_on
from clipsonic.training.config import AudioTrainingConfig
from clipsonic.training.ema_models import reconstruct
from clipsonic.training.sample_scores import SampleValidationConfig
from clipsonic_eval import records
from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.files import read_json
from clipsonic_eval.toyworld import RATE, SAMPLES
from clipsonic_eval.toyworld.write import WorldConfig, write_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("samples")
    sizes = dict.fromkeys(("pictures", "pairs", "test", "reference", "val_reference"), 0)
    write_world(WorldConfig(videos=24, val=13, workers=1, **sizes), root / "world")
    window = {"duration_s": SAMPLES / RATE, "window": "first"}
    prepare(Source(root / "world/videos"), root / "clips", PrepareConfig(image_encoder="toy-clip", **window))
    return root


def settings(world: Path, **samples: Any) -> AudioTrainingConfig:
    validation = {
        "queries": str(world / "world/val.csv"),
        "reference": str(world / "clips"),
        "every": 3,
        "keep": 2,
        "limit": 12,
        "examples": 2,
        "n_bootstrap": 20,
        "settings": {"guidance": 2.0, "steps": 2, "vocoder": {"iterations": 1}},
        **samples,
    }
    tree = {
        "clips": str(world / "clips"),
        "network": {"name": "unet2d", "options": {"channels": [8, 8], "embedding": 8}},
        "train": {
            "steps": 8,
            "batch_size": 4,
            "warmup": 1,
            "validation": 2,
            "checkpoint_every": 4,
            "precision": "fp32",
        },
        "samples": validation,
    }
    return resolve(AudioTrainingConfig, tree)


def train(world: Path, config: AudioTrainingConfig, out: Path, **options: Any) -> Path:
    return train_on(ClipStore.open(world / "clips"), config, out, **options)


@pytest.fixture(scope="module")
def trained(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(world, settings(world), tmp_path_factory.mktemp("trained") / "model")


def _table(folder: Path) -> list[dict[str, str]]:
    with (folder / "validation.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_every_validation_is_a_run_with_interval_n_and_signature(trained: Path) -> None:
    rows = _table(trained)
    assert [(row["step"], row["metric"]) for row in rows] == [
        (step, metric) for step in ("3", "6", "8") for metric in ("fad", "clap_score")
    ]
    record = records.read(trained / "validation/step-00000006")
    score = record["samples", "fad"]
    (row,) = [row for row in rows if row["step"] == "6" and row["metric"] == "fad"]
    assert float(row["value"]) == score.value
    assert float(row["ci_low"]) <= score.value <= float(row["ci_high"])
    assert (row["n"], row["signature"]) == ("12", score.signature)
    assert record.tags["step"] == "6"
    assert len(list((trained / "validation/step-00000006/wavs").glob("*.wav"))) >= 2
    assert (trained / "validation/step-00000006/examples.npz").is_file()


def test_the_best_models_are_kept_and_the_card_names_the_best(trained: Path) -> None:
    fad = {row["step"]: float(row["value"]) for row in _table(trained) if row["metric"] == "fad"}
    best_two = sorted(fad, key=lambda step: (fad[step], int(step)))[:2]
    assert {p.name for p in (trained / "kept").iterdir()} == {f"step-{int(step):08d}" for step in best_two}
    best = read_json(trained / "card.json")["best_by_samples"]
    assert best["step"] == int(best_two[0])
    assert (best["metric"], best["value"], best["n"]) == ("fad", fad[best_two[0]], 12)
    model = MelDiffusion.load(trained / best["folder"])
    assert model.card["steps"] == best["step"]


def test_the_last_step_keeps_the_weights_of_the_run_and_lengths_of_the_average_are_scored_alike(
    world: Path, tmp_path: Path
) -> None:
    config = settings(world, every=100, metrics=["clap_score"], best="clap_score")
    short = replace(config.train, steps=2, ema_lengths=(0.1, 0.2), ema_every=1)
    out = train(world, replace(config, train=short), tmp_path / "model")
    own, kept = (load_file(folder / "network" / WEIGHTS) for folder in (out, out / "kept/step-00000002"))
    assert all(torch.equal(own[name], kept[name]) for name in own)
    results = reconstruct(out, [0.1, 0.25], tmp_path / "ema", score=True)
    scores = [result["scores"]["clap_score"]["value"] for result in results]
    assert [result["rank"] for result in results] == [1 + sum(other > score for other in scores) for score in scores]
    record = records.read(tmp_path / "ema/validation/ema-0.25")
    assert record["samples", "clap_score"].value == scores[1]
    assert (
        record["samples", "clap_score"].signature
        == records.read(out / "validation/step-00000002")["samples", "clap_score"].signature
    )
    assert record.tags["ema_length"] == "0.25"


def test_validation_changes_neither_the_weights_nor_the_identity_of_a_run(
    world: Path, trained: Path, tmp_path: Path
) -> None:
    plain = train(world, replace(settings(world), samples=None), tmp_path / "model")
    a, b = (load_file(folder / "network" / WEIGHTS) for folder in (plain, trained))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert read_json(plain / "card.json")["identity"] == read_json(trained / "card.json")["identity"]


def test_a_killed_run_resumes_to_the_same_validations(world: Path, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        train(world, settings(world), out, progress=KilledAt(7))  # after the validation of step 6, which is not redone
    scored = (out / "validation/step-00000006/record.json").stat().st_mtime_ns
    train(world, settings(world), out)
    assert (out / "validation/step-00000006/record.json").stat().st_mtime_ns == scored
    assert _table(out) == _table(trained)
    assert {p.name for p in (out / "kept").iterdir()} == {p.name for p in (trained / "kept").iterdir()}


def test_a_validation_that_fails_is_noted_and_the_training_goes_on(world: Path, tmp_path: Path) -> None:
    telling = Telling()
    out = train(world, settings(world, metrics=["kl"], best="kl"), tmp_path / "model", progress=telling)
    assert (out / "model_index.json").is_file()
    assert sum("no validation by samples" in note for note in telling.notes) == 3
    assert read_json(out / "card.json")["best_by_samples"] == {}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"settings": {"guidnce": 2}}, "guidnce"),
        ({"reference": "nowhere"}, "samples.reference nowhere: there is no such file"),
        ({"queries": "nowhere.csv"}, "nowhere.csv"),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_step(
    world: Path, tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        train(world, settings(world, **changed), tmp_path / "model", progress=KilledAt(0))


def test_a_metric_to_rank_by_must_be_computed() -> None:
    with pytest.raises(ConfigError, match="best 'kad' is none of the metrics fad, clap_score"):
        SampleValidationConfig(queries=Path("q.csv"), best="kad")


VALIDATED = """
import sys
from pathlib import Path
from clipsonic.training import sample_scores
from unit.clipsonic.test_sample_validation import settings, train
world, out, failing = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
sample = sample_scores.sample
def noted(system, queries, folder, **options):
    part = getattr(queries, "part", (1, 1))
    if failing and part[0] == 2:
        raise OSError("no disk")
    done = sample(system, queries, folder, **options)
    with (out / f"sampled-{part[0]}-of-{part[1]}").open("a") as stream:
        stream.write(f"{done.n - done.resumed}\\n")
    return done
sample_scores.sample = noted
train(world, settings(world), out)
"""


@pytest.mark.slow
@pytest.mark.parametrize("failing", ["", "second"])
def test_two_processes_share_a_validation_and_reach_the_scores_of_one(
    tmp_path: Path, world: Path, failing: str
) -> None:
    """What the second process cannot sample, the first one does."""
    (tmp_path / "two").mkdir()
    launched(tmp_path, VALIDATED, str(world), str(tmp_path / "two"), failing)
    model = read_json(tmp_path / "two" / "kept" / "step-00000008" / "card.json")
    by_one = train(world, settings(world), tmp_path / "one")
    assert model["steps"] == 8
    with (by_one / "validation.csv").open() as one, (tmp_path / "two" / "validation.csv").open() as two:
        rows = list(zip(csv.DictReader(one), csv.DictReader(two), strict=True))
    assert [(a["step"], a["metric"], a["n"]) for a, _ in rows] == [(b["step"], b["metric"], b["n"]) for _, b in rows]
    for a, b in rows:  # weights differ by rounding
        assert float(a["value"]) == pytest.approx(float(b["value"]), rel=0.05)
    whole = (tmp_path / "two" / "sampled-1-of-1").read_text().split()
    assert (tmp_path / "two" / "sampled-1-of-2").read_text().split() == ["6"] * 3
    assert whole[1:] == (["6"] if failing else ["0"]) * 3  # the first is the rehearsal
    assert not (tmp_path / "two" / "validation" / ".wavs").exists()
