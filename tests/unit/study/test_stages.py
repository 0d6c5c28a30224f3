from __future__ import annotations

import json
from pathlib import Path

import pytest

from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.progress import SILENT
from clipsonic_eval.study.config import FAST, StudyConfig
from clipsonic_eval.study.entries import planned_pairs, systems
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.run import run_study
from clipsonic_eval.study.stage import Stage
from clipsonic_eval.study.stages import Stages
from clipsonic_eval.study.training import trainings


def test_a_stage_is_done_once_and_again_when_its_input_changes(tmp_path: Path) -> None:
    stages, done = Stages(tmp_path, SILENT), []
    for fingerprint in (1, 1, 2):
        stages.run(Stage(tmp_path / "a", "stage a", fingerprint, lambda _: done.append(1)))
    assert len(done) == 2
    assert list(stages.timings()) == ["stage a"]


def test_stages_of_other_settings_are_discarded_and_the_others_kept(tmp_path: Path) -> None:
    def stage(name: str, fingerprint: int) -> Stage:
        return Stage(tmp_path / name, name, fingerprint, lambda _: (tmp_path / name / "result").write_text("here"))

    stages = Stages(tmp_path, SILENT)
    for name in ("kept", "changed", "deep/dropped"):
        (tmp_path / name).mkdir(parents=True)
        stages.run(stage(name, 1))
    (tmp_path / "interrupted").mkdir()
    (tmp_path / "interrupted" / "result").write_text("half")
    elsewhere = tmp_path.parent / f"{tmp_path.name}-world"
    elsewhere.mkdir()
    planned = [stage("kept", 1), stage("changed", 2), stage("new", 1), stage("interrupted", 1)]
    stages.discard_others([*planned, Stage(elsewhere, "the world of another study", 1, lambda _: None)])
    assert elsewhere.exists()
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("result")) == ["kept/result"]


def test_a_stage_that_fails_is_not_done(tmp_path: Path) -> None:
    stages, tries = Stages(tmp_path, SILENT), []

    def work(_: object) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        stages.run(Stage(tmp_path / "a", "a", 1, work))
    stages.run(Stage(tmp_path / "a", "a", 1, work))
    stages.run(Stage(tmp_path / "a", "a", 1, work))
    assert len(tries) == 2


def test_a_folder_with_another_study_is_refused_and_more_seeds_are_welcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StoppedError(RuntimeError):
        pass

    def stop(*_: object) -> None:
        raise StoppedError

    monkeypatch.setattr("clipsonic_eval.study.run.Stages.run", stop)
    for seeds in ((0,), (0, 1, 2)):
        with pytest.raises(StoppedError):
            run_study(StudyConfig(train_seeds=seeds), tmp_path, SILENT)
    with pytest.raises(UserError, match=rf"audio_steps: {StudyConfig().audio_steps} → 10.*--overwrite"):
        run_study(StudyConfig(audio_steps=10), tmp_path, SILENT)
    assert json.loads((tmp_path / "study.json").read_text())["config"]["train_seeds"] == [0, 1, 2]


def test_wrong_settings_are_refused() -> None:
    for values, message in [
        ({"train_seeds": [1, 1]}, "none twice"),
        ({"guidance_scales": [0.5]}, "none below 1"),
        ({"candidates": 0}, "at least 1"),
        ({"processes": 0}, "at least 1"),
        ({"prior_guidance": 0.5}, "prior_guidance must be at least 1"),
    ]:
        with pytest.raises(ConfigError, match=message):
            resolve(StudyConfig, values)


def test_only_the_supervised_baselines_see_pairs_and_only_the_supervised_prior_sees_captions_of_videos() -> None:
    at = Layout(Path("x"))
    settings = {name: json.dumps(config) for name, (_, config) in trainings(StudyConfig(), at, 0).items()}
    assert {name for name, text in settings.items() if str(at.clips("pairs")) in text} == {"clip-tta", "clap-tta"}
    assert {name for name, text in settings.items() if "video_captions" in text} == {"prior-sd"}
    assert str(at.clips("videos")) in settings["video"]


def test_no_system_is_scored_by_the_encoder_that_conditions_it() -> None:
    from clipsonic_eval.harness.resolve import metric_roles

    scoring = set(metric_roles().values())
    for entry in systems(resolve(StudyConfig, FAST), Layout(Path("x")), 0):
        assert entry.settings.get("encoder", "toy-clip") not in scoring


def test_comparisons_are_the_planned_ones_among_the_systems_present() -> None:
    assert planned_pairs(["IQ", "PD", "ZS"]) == ("PD:ZS", "IQ:PD", "IQ:ZS")


@pytest.mark.parametrize("damage", ["{", "[]", '{"fingerprint": "x"}', "digit"])
def test_a_damaged_marker_is_no_marker(tmp_path: Path, damage: str) -> None:
    stages, done = Stages(tmp_path, SILENT), []
    folder = stages.run(Stage(tmp_path / "a", "stage a", 1, lambda _: done.append(1)))
    marker = folder / ".done.json"
    text = marker.read_text().replace('"seconds": 0.', '"seconds": 7.') if damage == "digit" else damage
    marker.write_text(text)
    assert stages.timings() == {}
    stages.run(Stage(folder, "stage a", 1, lambda _: done.append(1)))
    assert len(done) == 2
    assert stages.timings()["stage a"] < 7
