"""The whole of a study and of a sweep, with every stage replaced by one that says it ran."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from clipsonic_eval.config import read_yaml
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT
from clipsonic_eval.study import data, gap, report, run, sweep, sweep_plan, validation
from clipsonic_eval.study.config import AUDIO_RECIPE, StudyConfig
from clipsonic_eval.study.entries import StudySystem, controls, planned_pairs, systems
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.stage import Stage
from clipsonic_eval.study.stages import Stages
from clipsonic_eval.study.statements import rank_correlation
from clipsonic_eval.study.sweep_plan import SHIPPED, SweepConfig
from clipsonic_eval.study.training import NETWORKS
from clipsonic_eval.types import as_embeddings


class Notes:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the work of the stages; returns the labels of those that ran."""
    order: list[str] = []

    def run_all(stages: Stages, planned: Sequence[Stage]) -> None:
        for stage in planned:
            stages._announce(stage.label)
            order.append(stage.label)
            stage.folder.mkdir(parents=True, exist_ok=True)

    def build(runs: Any, out: Path, **settings: Any) -> SimpleNamespace:
        order.append("report")
        return SimpleNamespace(out=out, runs=list(runs), settings=settings, headline="", left_out=[])

    def choose(config: StudyConfig, layout: Layout) -> dict[str, float]:
        order.append("choose")
        return dict.fromkeys(NETWORKS, 4.0)

    monkeypatch.setattr(Stages, "run", lambda stages, stage: run_all(stages, [stage]))
    monkeypatch.setattr(Stages, "run_all", run_all)
    monkeypatch.setattr(validation, "choose_guidance", choose)
    monkeypatch.setattr(report, "build", build)
    monkeypatch.setattr(sweep, "build", build)
    return order


def test_a_study_makes_data_trains_each_seed_chooses_the_guidance_tests_and_reports(
    tmp_path: Path, ran: list[str]
) -> None:
    progress = Notes()
    config = StudyConfig(train_seeds=(0, 3))
    done = run.run_study(config, tmp_path / "demo", progress, command="the command")  # type: ignore[arg-type]
    assert ran[0] == "write the toy world as media files"
    assert ran[-1] == "report"
    before, after = ran[: ran.index("choose")], ran[ran.index("choose") :]
    assert not [label for label in after if "train the" in label or "validation at guidance" in label]
    tried = [label for label in after if "(val," in label]
    settings = (config.shift_fractions, config.tried_steps, config.tried_candidates)
    assert len(tried) == sum(len(values) - 1 for values in settings)  # all but the usual value of each
    assert all("guidance 4, " in label for label in tried)  # the scale that was chosen
    assert {"validation at fraction 0", "validation at steps 5", "FAD∞, seed 3"} <= set(after)
    assert {"test, seed 0", "test, seed 3", "modality gap, seed 3"} <= set(after)
    assert f"validation at guidance {max(config.guidance_scales):g}" in before
    assert done.guidance == dict.fromkeys(NETWORKS, 4.0)
    assert done.peak_mib > 1
    assert done.report.settings["options"].command == "the command"  # type: ignore[attr-defined]
    assert done.report.runs == [tmp_path / "demo" / "runs"]  # type: ignore[attr-defined]
    written = json.loads((tmp_path / "demo" / "study.json").read_text())
    assert written["config"]["train_seeds"] == [0, 3]
    numbers = [note.split("]")[0].removeprefix("• [").split(" of ") for note in progress.said]
    assert [int(k) for k, _ in numbers] == list(range(1, int(numbers[0][1]) + 1))
    assert progress.said[-1].endswith("] tables, figures and words")


def test_a_study_of_other_settings_is_refused_before_any_stage_runs(tmp_path: Path, ran: list[str]) -> None:
    run.run_study(StudyConfig(audio_steps=10), tmp_path, SILENT)
    ran.clear()
    with pytest.raises(UserError, match="audio_steps: 10 → 20"):
        run.run_study(StudyConfig(audio_steps=20), tmp_path, SILENT)
    assert ran == []


def test_a_sweep_trains_every_clip_but_the_shipped_one_and_shares_one_world(tmp_path: Path, ran: list[str]) -> None:
    report: Any = sweep.run_sweep(SweepConfig(("narrow", SHIPPED)), tmp_path, Notes())  # type: ignore[arg-type]
    assert [label for label in ran if label.startswith("train CLIP")] == ["train CLIP variant narrow"]
    assert ran.count("write the toy world as media files") == 1
    assert {f"{name}: test, seed {seed}" for name in ("narrow", SHIPPED) for seed in (0, 1, 2)} <= set(ran)
    assert not [label for label in ran if "(val," in label or "validation" in label]
    assert {path.parent.parent.name for path in report.runs} == {"narrow", SHIPPED}
    assert len(report.runs) == 2 * 6  # test and gap of three seeds


def test_everything_of_a_clip_variant_waits_for_its_training_and_uses_its_weights(tmp_path: Path) -> None:
    config = SweepConfig(("narrow", SHIPPED))
    weights = tmp_path / "clip_variants" / "narrow"
    for stage in sweep_plan.sweep_stages(config, tmp_path)[1:]:
        assert (weights in stage.after) == stage.label.startswith("narrow: ")
    assert sweep_plan.study_of(config, "narrow", tmp_path).clip_weights == weights
    assert sweep_plan.study_of(config, SHIPPED, tmp_path).clip_weights is None


def test_the_gap_is_measured_between_images_texts_and_every_system_that_bridges_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    sets = {name: as_embeddings(rng.standard_normal((20, 4))) for name in ("IQ", "ZS", "PD", "CLIP-TTA")}
    measured: list[Any] = []
    monkeypatch.setattr(gap, "measure_gap", lambda *given: measured.append(given))
    monkeypatch.setattr(gap, "read_conditions", lambda layout, found, n_boot: tuple(found))

    listed = [StudySystem(name, "", {}, 7, ("video",), bridges_gap=name == "PD") for name in sets]
    monkeypatch.setattr(gap.entries, "systems", lambda *given: listed)
    monkeypatch.setattr(gap, "conditions", lambda system, layout, split: sets[system.name])
    gap.score_gap(StudyConfig(n_boot=50), Layout(tmp_path), 7, SILENT)
    ((features, config, out),) = measured
    assert (features.image, features.text, features.prior) == (sets["IQ"], sets["ZS"], {"PD": sets["PD"]})
    assert config.tags == {"split": "test", "train_seed": "7", "clip_variant": "toy-clip"}
    assert features.probes == ("image", "text", "PD")
    assert config.n_bootstrap == 50
    assert out == tmp_path / "runs" / "gap-seed-7"


def test_a_file_of_the_studys_own_that_cannot_be_used_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = SimpleNamespace(skipped=(("v3", "videos/v3.mp4", "no video track"),))
    monkeypatch.setattr(data, "prepare", lambda *given, **settings: prepared)
    with pytest.raises(UserError, match=r"videos/v3\.mp4: 1 of the study's own files .* no video track; remove"):
        Stages(tmp_path, SILENT).run(data.preparations(StudyConfig(), Layout(tmp_path))[0])
    assert not list((tmp_path / "clips").glob("*/.done.json"))


def test_folders_of_seeds_splits_and_scales_never_meet(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    places = [
        layout.wavs(split, system, seed, scale)
        for split in ("val", "test")
        for system in ("IQ", "PD")
        for seed in (None, 0, 1)
        for scale in (None, 2.0, 4.5)
    ]
    places += [layout.model(seed, name) for seed in (0, 1) for name in ("video", "prior-pd")]
    places += [layout.clips("test"), layout.world, layout.cache, layout.report, layout.run("test-seed-0")]
    assert len(set(places)) == len(places)
    assert all(place.is_relative_to(tmp_path) for place in places)
    assert layout.wavs("val", "PD", 0, 4.5).name == "w-4.5"
    assert Layout(tmp_path, Path("shared")).queries("val") == Path("shared/val.csv")


def test_systems_and_controls_have_names_of_their_own_and_planned_pairs_are_among_them() -> None:
    config, layout = StudyConfig(), Layout(Path("demo"))
    names = [system.name for system in (*systems(config, layout, 0), *controls(config, layout))]
    assert len(set(names)) == len(names)
    assert "real" in names
    pairs = [tuple(pair.split(":")) for pair in planned_pairs(names)]
    assert {name for pair in pairs for name in pair} <= set(names)
    assert ("PD-best4", "PD") in pairs
    assert planned_pairs(["IQ"]) == ()


@pytest.mark.parametrize("n", [4, 8, 9, 20])
def test_rank_correlation_is_spearmans(n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.standard_normal(n)
    y = x + rng.standard_normal(n)
    expected = stats.spearmanr(x, y)
    rho, p = rank_correlation(x.tolist(), y.tolist())
    assert rho == pytest.approx(expected.statistic)
    if n == 4:  # exact, by all permutations
        every = [stats.spearmanr(x, list(z)).statistic for z in itertools.permutations(y)]
        assert p == pytest.approx(np.mean(np.abs(every) >= abs(rho) - 1e-9))
    if n > 8:
        assert p == pytest.approx(expected.pvalue)
    assert 0 < p <= 1


def test_rank_correlation_of_a_constant_is_none() -> None:
    assert rank_correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) == (0.0, 1.0)


@pytest.mark.parametrize(
    "path",
    [
        "models/clipsonic/configs/toy_video.yaml",
        "baselines/paired_tta/configs/toy_clip_tta.yaml",
        "baselines/paired_tta/configs/toy_clap_tta.yaml",
    ],
)
def test_the_toy_configurations_hold_the_recipe_of_the_study(path: str) -> None:
    given = read_yaml(Path(__file__).parents[3] / path)
    assert given["network"] == AUDIO_RECIPE["network"]
    assert given["diffusion"] == AUDIO_RECIPE["diffusion"]
    assert given["train"].items() >= AUDIO_RECIPE["train"].items()


def test_the_report_shows_the_trainings_of_the_first_seed(tmp_path: Path, ran: list[str]) -> None:
    layout = Layout(tmp_path)
    for seed, name in ((0, "video"), (0, "prior-pd"), (1, "video")):
        layout.model(seed, name).mkdir(parents=True)
        (layout.model(seed, name) / "train_log.csv").write_text("step,loss\n1,0.5\n")
    made = report.write(layout, "")
    assert made.settings["options"].training == (layout.model(0, "prior-pd"), layout.model(0, "video"))  # type: ignore[attr-defined]
