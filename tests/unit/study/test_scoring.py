"""The order of a study and its decisions, with everything expensive replaced."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.progress import SILENT
from clipsonic_eval.study import plan, sampling, scoring, training, validation
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.entries import StudySystem, controls, systems
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.toyworld.write import WorldConfig
from clipsonic_eval.types import Query, Score

FAD = {2.0: {"IQ": 5.0, "ZS": 9.0}, 4.0: {"IQ": 4.0, "ZS": 8.5}, 8.0: {"IQ": 4.5, "ZS": 7.5}}  # by scale, then system
TONE = StudySystem("IQ", "IQ", {}, 0, ("video",))
SCALES = {"video": 4.0, "clip-tta": 2.0, "clap-tta": 8.0}


class Tone:
    """A system whose samples say the guidance and the seed."""

    sample_rate = 8000

    def __init__(self, name: str, guidance: float = 1.0) -> None:
        self.name, self.guidance = name, guidance

    def card(self) -> dict[str, Any]:
        return {"kind": "tone", "guidance": self.guidance}

    def generate(self, queries: list[Query], seeds: list[int]) -> list[np.ndarray]:
        return [np.full(10, self.guidance / 100 + seed % 7 / 1000, np.float32) for seed in seeds]


def config(**values: Any) -> StudyConfig:
    return StudyConfig(**{"guidance_scales": (2.0, 4.0, 8.0), "candidates": 1, "supervised": False, **values})


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Return the folders of a study with queries, whose systems are tones and whose wavs are not embedded."""
    monkeypatch.setattr(sampling, "resolve", lambda spec, settings: Tone(spec, settings.get("guidance", 1.0)))
    monkeypatch.setattr(sampling, "fill_cache", lambda config: None)
    made = Layout(tmp_path)
    made.world.mkdir()
    for split in ("val", "test"):
        made.queries(split).write_text("key,prompt\na,a dog barks\nb,rain\n")
    return made


def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], Path]]:
    seen: list[tuple[dict[str, Any], Path]] = []
    monkeypatch.setattr(scoring, "resolve", lambda kind, settings: settings)
    monkeypatch.setattr(scoring, "evaluate", lambda config, out, progress: seen.append((config, out)))
    return seen


def validated(monkeypatch: pytest.MonkeyPatch, error: float) -> None:
    """Give the validation runs the FADs above, with influences of opposite sign at neighbouring scales."""

    class Record:
        def __init__(self, scale: float) -> None:
            self.scale = scale

        def score(self, metric: str, system: str) -> Score:
            assert metric == "fad"
            sign = error if self.scale == 4.0 else -error
            value = FAD[self.scale].get(system, FAD[self.scale]["ZS"])
            by_key = {"a": sign, "b": -sign}
            return Score("fad", system, value, None, "", 2, 2, "", False, "fad", influence=by_key)

    monkeypatch.setattr(validation.records, "read", lambda folder: Record(float(folder.name.rpartition("-")[2])))


def test_the_systems_of_a_network_share_one_scale_of_lowest_mean_fad(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    validated(monkeypatch, error=0.0)
    # means of IQ, ZS, PD, SD, mean-shift: 8.2, 7.6, 6.9
    assert validation.choose_guidance(config(), layout) == {"video": 8.0}
    written = json.loads((layout.root / "guidance.json").read_text())
    assert written["rule"].startswith("smallest scale with a mean fad on val within one standard error")
    assert written["networks"]["video"]["systems"] == ["IQ", "ZS", "PD", "SD", "mean-shift"]
    assert written["networks"]["video"]["scales"]["2.0"]["mean_fad"] == pytest.approx(8.2)


def test_a_smaller_scale_within_one_standard_error_is_taken(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    validated(monkeypatch, error=0.3)  # of 4 less 8: √2 · 0.6 = 0.85; of 2 less 8: 0
    assert validation.choose_guidance(config(), layout) == {"video": 4.0}


def test_baselines_have_networks_and_scales_of_their_own(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    validated(monkeypatch, error=0.0)
    chosen = validation.choose_guidance(config(supervised=True, candidates=4), layout)
    assert set(chosen) == set(training.NETWORKS)
    written = json.loads((layout.root / "guidance.json").read_text())["networks"]
    assert written["clap-tta"]["systems"] == ["CLAP-TTA"]
    assert "PD-best4" not in written["video"]["systems"]  # an ablation takes the scale and has no say in it


def test_one_scale_is_no_choice(layout: Layout) -> None:
    one = config(guidance_scales=(3.0,))
    assert set(validation.choose_guidance(one, layout).values()) == {3.0}
    assert validation.guidance_stages(one, layout) == validation.setting_stages(one, layout, SCALES) == []
    assert not (layout.root / "guidance.json").exists()
    assert not any("(val" in stage.label for stage in plan.before_the_choice(one, layout))


def test_validation_compares_all_but_the_ablations_at_every_scale_with_its_own_reference(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = evaluations(monkeypatch)
    validation.score_validation(config(candidates=4), layout, "guidance", 4.0, {}, SILENT)
    ((settings, out),) = seen
    assert out.name == "val-guidance-4"
    assert list(settings["systems"]) == ["IQ", "ZS", "PD", "SD", "mean-shift"]
    assert settings["systems"]["PD"] == layout.wavs("val", "PD", 0, 4.0)
    assert {"PD:ZS", "IQ:PD"} <= set(settings["pairs"])
    assert settings["tags"] == {"split": "val", "train_seed": "0", "clip_variant": "toy-clip", "guidance": "4"}
    assert settings["reference"] == layout.clips("val_reference")


def test_the_test_has_the_planned_pairs_its_controls_and_its_own_reference(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = evaluations(monkeypatch)
    scoring.score_test(config(), layout, 3, SILENT)
    ((settings, out),) = seen
    assert out == layout.run("test-seed-3")
    assert list(settings["systems"])[-2:] == ["real-mel", "retrieval"]
    assert "PD:ZS" in settings["pairs"]
    assert settings["reference"] == layout.clips("reference")
    assert settings["tags"] == {"split": "test", "train_seed": "3", "clip_variant": "toy-clip"}


def test_every_system_of_a_network_is_tested_at_its_scale(layout: Layout) -> None:
    full = StudyConfig()
    stages = scoring.test_stages(full, layout, SCALES, 0)
    tested = {stage.work.args[1].name: stage.work.args[3] for stage in stages[:-2]}  # type: ignore[attr-defined]
    assert tested["CLIP-TTA"] == 2.0
    assert tested["CLAP-TTA"] == 8.0
    assert {tested[n] for n in ("IQ", "ZS", "PD", "SD", "mean-shift", "PD-best4", "PD-guided2")} == {4.0}
    assert [stage.folder.name for stage in stages[9:]] == ["test-seed-0", "limit-seed-0"]


def test_fad_is_extrapolated_for_the_systems_of_the_test_in_a_run_without_tests_of_its_own(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = evaluations(monkeypatch)
    scoring.score_test(config(), layout, 3, SILENT)
    scoring.score_limit(config(), layout, 3, SILENT)
    (tested, _), (limit, out) = seen
    assert out == layout.run("limit-seed-3")
    assert limit["metrics"] == ("fad_inf",)
    assert limit["compare"] is False
    assert limit["tags"] == {**tested["tags"], "part": "limit"}
    assert all(limit[name] == tested[name] for name in ("real", "systems", "reference", "n_bootstrap"))
    without = scoring.test_stages(config(extrapolate=False), layout, SCALES, 3)
    assert not [stage for stage in without if stage.folder == out]


def test_each_setting_is_tried_with_the_systems_that_have_it_at_the_scale_of_their_network(layout: Layout) -> None:
    tried = config(shift_fractions=(0.0, 1.0, 1.25), tried_steps=(5, 10), tried_candidates=(1, 4))
    stages = validation.setting_stages(tried, layout, SCALES)
    sampled = {stage.folder: stage.work.args for stage in stages if "wavs" in stage.folder.parts}  # type: ignore[attr-defined]
    at = {folder.relative_to(layout.root / "seed-0/wavs/val").as_posix(): args for folder, args in sampled.items()}
    assert list(at) == [  # those of the usual values are there: of the guidance scales
        "mean-shift/w-4-fraction-0",
        "mean-shift/w-4-fraction-1.25",
        "PD/w-4-steps-5",
        "PD/w-4-prior_candidates-4",
    ]
    assert {args[3] for args in at.values()} == {4.0}
    usual = {system.name: system for system in systems(tried, layout, 0)}
    for args, change in zip(
        at.values(), [{"fraction": 0.0}, {"fraction": 1.25}, {"steps": 5}, {"prior_candidates": 4}], strict=True
    ):
        assert args[1].settings == {**usual[args[1].name].settings, **change}
    runs = {stage.folder.name: set(stage.after) for stage in stages if stage.folder not in sampled}
    assert list(runs) == [
        *("val-fraction-0", "val-fraction-1", "val-fraction-1.25"),
        *("val-steps-5", "val-steps-10", "val-candidates-1", "val-candidates-4"),
    ]
    beside = {layout.wavs("val", name, 0, 4.0) for name in ("IQ", "PD")}
    reference = layout.clips("val_reference")
    assert runs["val-fraction-1"] == {*beside, layout.wavs("val", "mean-shift", 0, 4.0), reference}
    assert runs["val-steps-10"] == runs["val-candidates-1"] == {layout.wavs("val", "PD", 0, 4.0), reference}


def test_a_run_of_a_setting_is_tagged_with_it_and_compares_what_it_changes(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = evaluations(monkeypatch)
    validation.score_validation(config(), layout, "fraction", 0.25, SCALES, SILENT)
    validation.score_validation(config(), layout, "steps", 5, SCALES, SILENT)
    (shifted, out), (fewer, _) = seen
    assert out == layout.run("val-fraction-0.25")
    place = layout.root / "seed-0/wavs/val"
    assert shifted["systems"] == {
        "IQ": place / "IQ/w-4",
        "PD": place / "PD/w-4",
        "mean-shift": place / "mean-shift/w-4-fraction-0.25",
    }
    assert (shifted["pairs"], shifted["compare"]) == (("PD:mean-shift",), True)
    assert shifted["tags"] == {"split": "val", "train_seed": "0", "clip_variant": "toy-clip", "fraction": "0.25"}
    assert fewer["systems"] == {"PD": place / "PD/w-4-steps-5"}
    assert (fewer["pairs"], fewer["compare"]) == ((), False)


def test_settings_of_fewer_than_two_values_are_not_tried(layout: Layout) -> None:
    none = config(shift_fractions=(), tried_steps=(10,), tried_candidates=())
    assert validation.setting_stages(none, layout, SCALES) == []


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"shift_fractions": (0.0, -0.5)}, "shift_fractions must be numbers of at least 0, none twice"),
        ({"tried_steps": (5, 5)}, "tried_steps must be numbers of at least 1, none twice"),
        ({"tried_candidates": (0, 1)}, "tried_candidates must be numbers of at least 1, none twice"),
        ({"world": WorldConfig(test=128)}, "extrapolate needs more than 128 test queries, got world.test=128"),
    ],
)
def test_settings_that_cannot_be_tried_are_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        StudyConfig(**values)


def test_samples_say_their_scale_and_seed_and_scales_of_the_validation_are_kept_apart(layout: Layout) -> None:
    for scale in (2.0, 4.0):
        sampling.sample_system(layout, TONE, "val", scale, SILENT)
    assert {p.name for p in (layout.root / "seed-0" / "wavs" / "val" / "IQ").iterdir()} == {"w-2", "w-4"}
    third = TONE._replace(seed=3)
    sampling.sample_system(layout, third, "test", 2.0, SILENT)
    out = sampling.folder(layout, third, "test")
    card = json.loads((out / "system.json").read_text())
    assert (card["guidance"], card["seed"]) == (2.0, 3)
    assert {p.name for p in out.glob("*.wav")} == {"a.wav", "b.wav"}


def test_wavs_are_embedded_for_the_metrics_where_they_are_sampled(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(sampling, "fill_cache", seen.append)
    sampling.sample_system(layout, StudySystem("real", "real", {}), "test", None, SILENT)
    assert seen[0].folders == (layout.wavs("test", "real", None),)
    assert seen[0].cache == layout.cache
    assert {"toy-audio", "toy-clap"} <= set(seen[0].encoders)


def test_a_query_without_a_sample_is_a_fault_of_the_study(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tone, "generate", lambda self, queries, seeds: [np.zeros(0)] * len(queries))
    with pytest.raises(UserError, match=r"IQ left out 2 queries, the first \(a\): the system gave"):
        sampling.sample_system(layout, TONE, "test", 2.0, SILENT)


@pytest.mark.parametrize("values", [{}, {"train_seeds": (0, 1, 2)}, {"supervised": True, "candidates": 4}])
def test_stages_can_go_to_other_processes_have_names_of_their_own_and_wait_for_what_they_read(
    values: dict[str, Any],
) -> None:
    made, layout = config(**values), Layout(Path("x"))
    before, after = plan.before_the_choice(made, layout), plan.after_the_choice(made, layout, SCALES)
    stages = [*before, *after]
    assert len({stage.folder for stage in stages}) == len({stage.label for stage in stages}) == len(stages)
    assert plan.number_of_stages(made, layout) == len(stages) + 2  # the world and the report
    known = {layout.world, *(stage.folder for stage in stages)}
    for stage in stages:
        json.dumps(stage.fingerprint)
        assert pickle.loads(pickle.dumps(stage)).label == stage.label
        assert stage.after
        assert set(stage.after) <= known
    first = [stage.label for stage in before[:4]]
    assert first[0] == "prepare clips: videos"
    assert any("unlabeled videos, seed 0" in label for label in first)  # the longest work begins early


def test_every_system_has_a_model_that_some_training_writes_and_says_so() -> None:
    layout = Layout(Path("x"))
    trained = {name: str(layout.model(1, name)) for name in training.trainings(StudyConfig(), layout, 1)}
    for system in systems(StudyConfig(), layout, 1):
        used = {system.settings[key] for key in ("model", "prior") if key in system.settings}
        assert used <= {trained[name] for name in system.models}
        assert system.settings["model"] == trained[system.network]
    everything = {name for system in systems(StudyConfig(), layout, 1) for name in system.models}
    assert everything == set(trained)


def test_systems_that_bridge_the_gap_are_those_between_text_and_image() -> None:
    listed = systems(StudyConfig(), Layout(Path("x")), 0)
    assert [s.name for s in listed if s.bridges_gap] == ["PD", "SD", "mean-shift", "PD-guided2", "PD-best4"]
    assert [s.name for s in listed if s.ablation] == ["PD-guided2", "PD-best4"]
    assert [s.name for s in controls(StudyConfig(), Layout(Path("x")))] == ["real", "real-mel", "retrieval"]


def test_pd_is_the_prior_without_guidance_and_each_ablation_changes_one_setting() -> None:
    listed = {s.name: s.settings for s in systems(StudyConfig(), Layout(Path("x")), 0)}
    for name, change in (("PD-guided2", {"prior_guidance": 2.0}), ("PD-best4", {"prior_candidates": 4})):
        assert listed[name] == {**listed["PD"], "name": name, **change}
    assert not {"prior_guidance", "prior_candidates"} & listed["PD"].keys()
    from clipsonic.system_config import PriorGuidedConfig

    assert PriorGuidedConfig(model=Path("m"), prior=Path("p")).prior_guidance == 1.0


def test_another_clip_is_used_by_all_systems_of_clip_and_by_no_other() -> None:
    other = StudyConfig(clip_weights=Path("narrow"))
    weights = {
        s.name: s.settings["encoder_weights"] for s in systems(other, Layout(Path("x")), 0) if s.name != "CLAP-TTA"
    }
    assert set(weights.values()) == {"narrow"}
    clap = next(s for s in systems(other, Layout(Path("x")), 0) if s.name == "CLAP-TTA")
    assert "encoder_weights" not in clap.settings
    conditions = {
        name: settings["condition"]["encoder_weights"]
        for name, (_, settings) in training.trainings(other, Layout(Path("x")), 0).items()
        if "condition" in settings
    }
    assert conditions == {"video": "narrow", "clip-tta": "narrow", "clap-tta": None}


def test_training_seeds_and_processes_change_no_identity_but_settings_do() -> None:
    base = StudyConfig().identity()
    assert StudyConfig(train_seeds=(0, 1)).identity() == base
    assert StudyConfig(processes=8).identity() == base
    added = StudyConfig(shift_fractions=(), tried_steps=(2, 5), tried_candidates=(1, 8), extrapolate=False)
    assert added.identity() == base  # runs of their own, which change no other
    assert StudyConfig(train_seeds=(1, 0)).identity() != base  # the first seed chooses the guidance
    assert StudyConfig(audio_steps=5).identity() != base


def test_a_study_may_share_the_world_of_another() -> None:
    layout = Layout(Path("b"), shared_world=Path("a/world"))
    assert layout.queries("test") == Path("a/world/test.csv")
    assert layout.clips("videos") == Path("b/clips/videos")
    assert layout.wavs("test", "IQ", 2, 4.0) == Path("b/seed-2/wavs/test/IQ/w-4")
    assert layout.wavs("test", "real", None) == Path("b/controls/wavs/test/real")
