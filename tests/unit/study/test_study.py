"""The whole of a study and of a sweep, with every stage replaced by one that says it ran."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT
from clipsonic_eval.study import data, run, scoring, sweep
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.entries import StudySystem, controls, planned_pairs, systems
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.stages import Stages
from clipsonic_eval.study.statements import rank_correlation
from clipsonic_eval.study.study import Study
from clipsonic_eval.study.sweep import SHIPPED, SweepConfig
from clipsonic_eval.types import Embeddings, as_embeddings


class Notes:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the stages of a study; returns the names of those that ran."""
    order: list[str] = []
    monkeypatch.setattr(run, "make_data", lambda study: order.append("data"))
    monkeypatch.setattr(run, "train_models", lambda study, seed: order.append(f"train {seed}"))

    def score_all(study: Study) -> dict[str, float]:
        order.append("score")
        (study.layout.run("val-2")).mkdir(parents=True)
        (study.layout.run(f"test-{study.config.clip_variant}")).mkdir()
        return {"IQ": 4.0}

    def build(runs: Any, out: Path, **settings: Any) -> SimpleNamespace:
        order.append("report")
        return SimpleNamespace(out=out, runs=list(runs), settings=settings, headline="", left_out=[])

    monkeypatch.setattr(run, "score_all", score_all)
    monkeypatch.setattr(run, "build", build)
    monkeypatch.setattr(sweep, "build", build)
    return order


def test_a_study_makes_data_trains_each_seed_scores_and_reports(tmp_path: Path, ran: list[str]) -> None:
    progress = Notes()
    config = StudyConfig(train_seeds=(0, 3))
    done = run.run_study(config, tmp_path / "demo", progress, command="the command")  # type: ignore[arg-type]
    assert ran == ["data", "train 0", "train 3", "score", "report"]
    assert done.guidance == {"IQ": 4.0}
    assert done.peak_mib > 1
    assert done.report.settings["command"] == "the command"  # type: ignore[attr-defined]
    assert done.report.runs == [tmp_path / "demo" / "runs"]  # type: ignore[attr-defined]
    written = json.loads((tmp_path / "demo" / "study.json").read_text())
    assert written["config"]["train_seeds"] == [0, 3]
    assert progress.said[-1].endswith("] tables, figures and words")


def test_a_study_of_other_settings_is_refused_before_any_stage_runs(tmp_path: Path, ran: list[str]) -> None:
    run.run_study(StudyConfig(audio_steps=10), tmp_path, SILENT)
    ran.clear()
    with pytest.raises(UserError, match="audio_steps: 10 → 20"):
        run.run_study(StudyConfig(audio_steps=20), tmp_path, SILENT)
    assert ran == []


def test_a_sweep_trains_every_clip_but_the_shipped_one_and_shares_one_world(
    tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    studies: list[tuple[StudyConfig, Path, Path | None]] = []

    def train_clip(variant: object, folder: Path, progress: object) -> None:
        del variant, progress
        folder.mkdir(parents=True)
        ran.append(f"clip {folder.name}")

    def run_study(config: StudyConfig, out: Path, progress: object, *, world: Path | None = None) -> Any:
        studies.append((config, out, world))
        return run.run_study(config, out, progress, world=world)  # type: ignore[arg-type]

    monkeypatch.setattr(sweep, "train_clip", train_clip)
    monkeypatch.setattr(sweep, "run_study", run_study)
    report: Any = sweep.run_sweep(SweepConfig(("narrow", SHIPPED)), tmp_path, Notes())  # type: ignore[arg-type]
    assert [name for name in ran if name.startswith("clip")] == ["clip narrow"]
    assert [(c.clip_variant, c.clip_weights, out.name) for c, out, _ in studies] == [
        ("narrow", tmp_path / "clip_variants" / "narrow", "narrow"),
        (SHIPPED, None, SHIPPED),
    ]
    assert {world for *_, world in studies} == {tmp_path / "world"}
    assert [path.name for path in report.runs] == ["test-narrow", f"test-{SHIPPED}"]  # none of the validation


def test_the_gap_is_measured_between_images_texts_and_every_system_that_bridges_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    sets = {name: as_embeddings(rng.standard_normal((20, 4))) for name in ("IQ", "ZS", "PD", "CLIP-TTA")}
    measured: list[Any] = []
    monkeypatch.setattr(scoring, "measure_gap", lambda *given: measured.append(given))
    monkeypatch.setattr(scoring, "read_conditions", lambda layout, found, n_boot: tuple(found))

    class Runner:
        seed = 7
        systems = {name: StudySystem(name, "", {}, bridges_gap=name == "PD") for name in sets}  # noqa: RUF012

        @staticmethod
        def conditions(name: str, split: str) -> Embeddings:
            assert split == "test"
            return sets[name]

    study = Study(StudyConfig(n_boot=50), Layout(tmp_path), Stages(tmp_path, SILENT), SILENT)
    scoring.score_gap(study, Runner())  # type: ignore[arg-type]
    ((features, config, out),) = measured
    assert (features.image, features.text, features.prior) == (sets["IQ"], sets["ZS"], {"PD": sets["PD"]})
    assert config.tags == {"split": "test", "train_seed": "7", "clip_variant": "toy-clip"}
    assert features.probes == ("image", "text", "PD")
    assert config.n_bootstrap == 50
    assert out == tmp_path / "runs" / "gap-seed-7"


def test_a_file_of_the_studys_own_that_cannot_be_used_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(StudyConfig(), Layout(tmp_path), Stages(tmp_path, SILENT), SILENT)
    prepared = SimpleNamespace(skipped=(("v3", "videos/v3.mp4", "no video track"),))
    monkeypatch.setattr(data, "prepare", lambda *given, **settings: prepared)
    monkeypatch.setattr(data, "write_world", lambda *given: None)
    with pytest.raises(UserError, match=r"videos/v3\.mp4: 1 of the study's own files .* no video track; remove"):
        data.make_data(study)
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
