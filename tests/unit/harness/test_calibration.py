"""Simulated coverage and false alarms: the counting is right, and an interval that is too narrow is found out."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.harness.calibration import cells
from clipsonic_eval.harness.calibration.cells import CalibrateConfig, Cell, Rate, names, run_cell
from clipsonic_eval.harness.calibration.run import run
from clipsonic_eval.harness.calibration.worlds import draw
from clipsonic_eval.metrics import METRICS, ClipMetric
from clipsonic_eval.stats import bootstrap

NOT_WORSE = {  # in these worlds noise is wide and sure of itself
    "diversity": "noise widens a set",
    "diversity_distance": "noise widens a set",
    "recall": "a wider set reaches all of the reference",
    "inception_score": "noise on logits makes answers certain and different",
    "inception_score_10_splits": "as inception_score",
}
QUICK = CalibrateConfig(n=(40,), repeats=60, truth_repeats=60, n_bootstrap=100, n_permutations=100)

SIMULATED = {n: METRICS[n] for n, _ in names(CalibrateConfig(n=(5000,)))}


def test_means_cover_and_keep_their_level() -> None:
    cell = run_cell("clap_score", 40, QUICK)
    assert cell.truth_kind == "population mean"
    assert cell.covered.share >= 0.85
    assert cell.covered.share + cell.below + cell.above == pytest.approx(1)
    assert cell.alarms.share <= 0.15
    assert cell.family_alarms.share <= 0.15
    assert cell.power.share > cell.alarms.share
    assert cell.width > 0


def test_an_interval_that_is_too_narrow_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap.bca_interval

    def half(values: np.ndarray, weights: np.ndarray, level: float = 0.95) -> tuple[float, float]:
        low, high = whole(values, weights, level)
        middle = float(values.mean())
        return middle + (low - middle) / 2, middle + (high - middle) / 2

    monkeypatch.setattr(bootstrap, "bca_interval", half)
    cell = run_cell("clap_score", 40, QUICK)
    assert cell.covered.share < 0.85
    assert cell.within == "no"


def test_a_test_that_cries_wolf_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from clipsonic_eval.stats import paired

    monkeypatch.setattr(paired, "sign_flip_test", lambda differences, n, seed: (0.01, "always"))
    cell = run_cell("clap_score", 40, dataclasses.replace(QUICK, repeats=5, truth_repeats=2))
    assert cell.alarms.share == cell.family_alarms.share == 1.0


def test_whether_the_band_is_met_depends_on_how_much_is_known() -> None:
    base = run_cell("class_accuracy", 40, dataclasses.replace(QUICK, repeats=3))
    verdicts = {}
    for hits, repeats in ((95, 100), (90, 100), (900, 1000), (990, 1000)):
        rate = Rate.of([True] * hits + [False] * (repeats - hits))
        verdicts[hits] = dataclasses.replace(base, covered=rate).within
    assert verdicts == {95: "yes", 90: "cannot tell", 900: "no", 990: "no"}


@pytest.mark.parametrize("name", [n for n, m in SIMULATED.items() if m.card.min_n <= 60])
def test_every_metric_has_a_world_in_which_noise_makes_it_worse(name: str) -> None:
    metric = METRICS[name]
    ladder = draw(np.random.default_rng(0), 60, metric.card, (0.05, 3.0))
    first, last = (
        np.mean(list(metric.per_clip(x).values())) if isinstance(metric, ClipMetric) else metric.value(x)
        for x in ladder
    )
    if name in NOT_WORSE:
        assert first != last
    elif metric.card.higher_is_better:
        assert first > last
    else:
        assert first < last


def test_cells_are_those_at_which_a_metric_is_defined() -> None:
    assert names(CalibrateConfig(metrics=("kid_subsets", "fad"), n=(50, 100))) == [("fad", 50), ("fad", 100)]
    assert not any(METRICS[name].card.package for name, _ in names(CalibrateConfig()))
    with pytest.raises(UserError, match="fadd"):
        names(CalibrateConfig(metrics=("fadd",)))
    with pytest.raises(ConfigError, match="at least 2"):
        CalibrateConfig(repeats=1)


def test_what_is_there_is_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = dataclasses.replace(QUICK, metrics=("class_accuracy",), repeats=4)
    first = run(config, tmp_path)
    calls: list[str] = []

    def counting(name: str, n: int, settings: CalibrateConfig) -> Cell:
        calls.append(name)
        return cells.run_cell(name, n, settings)

    monkeypatch.setattr("clipsonic_eval.harness.calibration.run.run_cell", counting)
    assert run(config, tmp_path) == first
    assert not calls
    other = dataclasses.replace(config, seed=1)
    with pytest.raises(UserError, match=r"seed: 0 → 1.*--overwrite"):
        run(other, tmp_path)
    assert run(other, tmp_path, overwrite=True) != first  # other settings are other cells
    (tmp_path / "cells" / "class_accuracy-40.json").write_text("{")
    assert run(config, tmp_path, overwrite=True) == first
    assert calls == ["class_accuracy", "class_accuracy"]


def test_the_command_writes_table_picture_and_page(tmp_path: Path) -> None:
    asked = ["calibrate", "--metric", "class_accuracy", "--metric", "fad", "--n", "40", "--repeats", "5"]
    asked += ["--set", "n_bootstrap=50", "--set", "truth_repeats=5", "--set", "n_permutations=50"]
    done = CliRunner().invoke(main, [*asked, "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [row["metric"] for row in found] == ["class_accuracy", "fad"]
    with (tmp_path / "calibration.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["repeats"] for row in rows] == ["5", "5"]
    assert all(row["signature"] and row["version"] and row["seed"] == "0" for row in rows)
    page = (tmp_path / "README.md").read_text()
    assert "`clipsonic-eval calibrate --metric class_accuracy --metric fad --n 40 --repeats 5" in page
    assert "| fad | 40 |" in page
    assert (tmp_path / "coverage.png").stat().st_size > 5000
