"""The order of a study and its decisions, with everything expensive replaced."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT
from clipsonic_eval.study import data, run, sampling, scoring, training
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.entries import StudySystem, controls, systems
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.sampling import SystemRunner
from clipsonic_eval.study.stages import Stages
from clipsonic_eval.study.study import Study
from clipsonic_eval.types import Query

FAD = {  # by scale, then system
    2.0: {"IQ": 5.0, "ZS": 9.0},
    4.0: {"IQ": 4.0, "ZS": 8.0},
    8.0: {"IQ": 4.0, "ZS": 7.0},
}


class Tone:
    """A system whose samples say the guidance and the seed."""

    sample_rate = 8000

    def __init__(self, name: str, guidance: float = 1.0) -> None:
        self.name, self.guidance = name, guidance
        self.encoder = type("Encoder", (), {"card": None})()

    def with_guidance(self, guidance: float) -> Tone:
        return Tone(self.name, guidance)

    def card(self) -> dict[str, Any]:
        return {"kind": "tone", "guidance": self.guidance}

    def generate(self, queries: list[Query], seeds: list[int]) -> list[np.ndarray]:
        return [np.full(10, self.guidance / 100 + seed % 7 / 1000, np.float32) for seed in seeds]


def study(root: Path, **values: Any) -> Study:
    config = StudyConfig(**{"guidance_scales": (2.0, 4.0, 8.0), "candidates": 1, "supervised": False, **values})
    return Study(config, Layout(root), Stages(root, SILENT), SILENT)


@pytest.fixture
def at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Return a study with queries, whose systems are tones and whose scores are FAD's."""
    monkeypatch.setattr(sampling, "resolve", lambda spec, settings: Tone(spec))

    class Record:
        def __init__(self, scale: float) -> None:
            self.scale = scale

        def score(self, metric: str, system: str) -> Any:
            assert metric == "fad"
            return type("Score", (), {"value": FAD[self.scale][system]})()

    monkeypatch.setattr(scoring.records, "read", lambda folder: Record(float(folder.name.rpartition("-")[2])))
    made = study(tmp_path)
    made.layout.world.mkdir()
    for split in ("val", "test"):
        made.layout.queries(split).write_text("key,prompt\na,a dog barks\nb,rain\n")
    return made


def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], Path]]:
    seen: list[tuple[dict[str, Any], Path]] = []
    monkeypatch.setattr(scoring, "resolve", lambda kind, settings: settings)
    monkeypatch.setattr(scoring, "evaluate", lambda config, out, progress: seen.append((config, out)))
    return seen


def runner(at_work: Study, seed: int | None = 0) -> SystemRunner:
    return SystemRunner(at_work, [StudySystem("IQ", "IQ", {}), StudySystem("ZS", "ZS", {})], seed)


def test_each_system_gets_the_scale_of_lowest_validation_fad_and_of_equal_ones_the_smallest(
    at_work: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = evaluations(monkeypatch)
    assert scoring.choose_guidance(at_work, runner(at_work)) == {"IQ": 4.0, "ZS": 8.0}
    written = json.loads((at_work.layout.root / "guidance.json").read_text())
    assert written == {"criterion": "lowest fad on val", "seed": 0, "IQ": 4.0, "ZS": 8.0}
    assert [out.name for _, out in seen] == ["val-guidance-2", "val-guidance-4", "val-guidance-8"]
    config = seen[1][0]
    assert config["compare"] is False
    assert config["tags"] == {"split": "val", "train_seed": "0", "clip_variant": "toy-clip", "guidance": "4"}
    assert set(config["systems"]) == {"IQ", "ZS"}
    assert config["reference"] == at_work.layout.clips("val_reference")


def test_validation_that_is_complete_is_not_repeated(at_work: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = evaluations(monkeypatch)
    for _ in range(2):
        scoring.choose_guidance(at_work, runner(at_work))
    assert len(seen) == 3


def test_the_test_is_scored_at_the_chosen_scales_with_the_planned_pairs(
    at_work: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = evaluations(monkeypatch)
    scoring.score_test(at_work, runner(at_work, seed=3), {"IQ": 2.0, "ZS": 8.0})
    ((config, out),) = seen
    assert out == at_work.layout.run("test-seed-3")
    assert list(config["systems"]) == ["IQ", "ZS", "real-mel", "retrieval"]
    assert config["pairs"] == ("IQ:ZS",)
    assert config["reference"] == at_work.layout.clips("reference")
    assert config["tags"] == {"split": "test", "train_seed": "3", "clip_variant": "toy-clip"}
    card = json.loads((config["systems"]["ZS"] / "system.json").read_text())
    assert (card["guidance"], card["seed"]) == (8.0, 3)


def test_a_runner_loads_each_system_once_and_keeps_scales_apart(
    at_work: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def load(spec: str, settings: object) -> Tone:
        loaded.append(spec)
        return Tone(spec)

    monkeypatch.setattr(sampling, "resolve", load)
    systems = runner(at_work)
    folders = {systems.sample("IQ", "val", guidance=w, sweep=True) for w in (2.0, 4.0)}
    assert {folder.name for folder in folders} == {"w-2", "w-4"}
    assert loaded == ["IQ"]
    assert {p.name for p in systems.sample("ZS", "test", guidance=2.0).glob("*.wav")} == {"a.wav", "b.wav"}


def test_a_query_without_a_sample_is_a_fault_of_the_study(at_work: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tone, "generate", lambda self, queries, seeds: [np.zeros(0)] * len(queries))
    with pytest.raises(UserError, match=r"IQ left out 2 queries, the first \(a\): the system gave"):
        runner(at_work).sample("IQ", "test")


@pytest.mark.parametrize("values", [{}, {"train_seeds": (0, 1, 2)}, {"supervised": True, "candidates": 4}])
def test_as_many_stages_are_announced_as_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    """The order of the stages, with none of them run."""
    labels: list[str] = []

    class Listed(Stages):
        def run(self, folder: Path, label: str, fingerprint: Any, work: Callable[[], object]) -> Path:
            json.dumps(fingerprint)
            labels.append(label)
            return folder

    config = study(tmp_path, **values).config
    listed = Study(config, Layout(tmp_path), Listed(tmp_path, SILENT), SILENT)
    monkeypatch.setattr(scoring, "choose_guidance", lambda study, runner: {})
    data.make_data(listed)
    for seed in config.train_seeds:
        training.train_models(listed, seed)
    scoring.score_all(listed)
    validation, report = len(config.guidance_scales), 1
    assert len(labels) + validation + report == run._number_of_stages(config, listed.layout)
    assert len(set(labels)) == len(labels)
    assert labels[0] == "write the toy world as .mp4 files"
    assert labels[-1] == f"modality gap, seed {config.train_seeds[-1]}"


def test_every_system_has_a_model_that_some_training_writes() -> None:
    layout = Layout(Path("x"))
    config = StudyConfig()
    trained = {str(layout.model(1, name)) for name in training.trainings(config, layout, 1)}
    used = [system.settings for system in systems(config, layout, 1)]
    assert {settings["model"] for settings in used} <= trained
    assert {settings["prior"] for settings in used if "prior" in settings} <= trained
    assert trained == {settings[key] for settings in used for key in ("model", "prior") if key in settings}


def test_systems_that_bridge_the_gap_are_those_between_text_and_image() -> None:
    listed = systems(StudyConfig(), Layout(Path("x")), 0)
    assert [s.name for s in listed if s.bridges_gap] == ["PD", "SD", "mean-shift", "PD-best4"]
    assert [s.name for s in controls(StudyConfig(), Layout(Path("x")))] == ["real", "real-mel", "retrieval"]


def test_another_clip_is_used_by_all_systems_of_clip_and_by_no_other() -> None:
    config = StudyConfig(clip_weights=Path("narrow"))
    weights = {
        s.name: s.settings["encoder_weights"] for s in systems(config, Layout(Path("x")), 0) if s.name != "CLAP-TTA"
    }
    assert set(weights.values()) == {"narrow"}
    clap = next(s for s in systems(config, Layout(Path("x")), 0) if s.name == "CLAP-TTA")
    assert "encoder_weights" not in clap.settings
    conditions = {
        name: settings["condition"]["encoder_weights"]
        for name, (_, settings) in training.trainings(config, Layout(Path("x")), 0).items()
        if "condition" in settings
    }
    assert conditions == {"video": "narrow", "clip-tta": "narrow", "clap-tta": None}


def test_training_seeds_change_no_identity_but_settings_do() -> None:
    base = StudyConfig().identity()
    assert StudyConfig(train_seeds=(0, 1)).identity() == base
    assert StudyConfig(train_seeds=(1, 0)).identity() != base  # the first seed chooses the guidance
    assert StudyConfig(audio_steps=5).identity() != base


def test_a_study_may_share_the_world_of_another() -> None:
    layout = Layout(Path("b"), shared_world=Path("a/world"))
    assert layout.queries("test") == Path("a/world/test.csv")
    assert layout.clips("videos") == Path("b/clips/videos")
    assert layout.wavs("test", "IQ", 2, 4.0) == Path("b/seed-2/wavs/test/IQ/w-4")
    assert layout.wavs("test", "real", None) == Path("b/controls/wavs/test/real")
