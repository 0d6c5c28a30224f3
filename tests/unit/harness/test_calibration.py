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
from clipsonic_eval.harness.calibration import simulation
from clipsonic_eval.harness.calibration.populations import draw
from clipsonic_eval.harness.calibration.simulation import CalibrateConfig, Calibration, Rate, planned, simulate
from clipsonic_eval.harness.calibration.table import calibrate
from clipsonic_eval.metrics import METRICS, ClipMetric
from clipsonic_eval.stats import bootstrap

NOT_WORSE = {  # in these populations noise is wide and sure of itself
    "diversity": "noise widens a set",
    "diversity_distance": "noise widens a set",
    "recall": "a wider set reaches all of the reference",
    "inception_score": "noise on logits makes answers certain and different",
    "inception_score_10_splits": "as inception_score",
}
QUICK = CalibrateConfig(n=(40,), repeats=60, truth_repeats=60, n_bootstrap=100, n_permutations=100)

SIMULATED = {n: METRICS[n] for n, _ in planned(CalibrateConfig(n=(5000,)))}


def test_means_cover_and_keep_their_level() -> None:
    found = simulate("clap_score", 40, QUICK)
    assert found.truth_kind == "population mean"
    assert found.covered.share >= 0.85
    assert found.covered.share + found.below + found.above == pytest.approx(1)
    assert found.alarms.share <= 0.15
    assert found.family_alarms.share <= 0.15
    assert found.power.share > found.alarms.share
    assert found.width > 0


def test_an_interval_that_is_too_narrow_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap.bca_interval

    def half(values: np.ndarray, weights: np.ndarray, level: float = 0.95) -> tuple[float, float]:
        low, high = whole(values, weights, level)
        middle = float(values.mean())
        return middle + (low - middle) / 2, middle + (high - middle) / 2

    monkeypatch.setattr(bootstrap, "bca_interval", half)
    found = simulate("clap_score", 40, QUICK)
    assert found.covered.share < 0.85
    assert found.within == "no"


def test_a_test_with_false_alarms_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from clipsonic_eval.stats import paired

    monkeypatch.setattr(paired, "sign_flip_test", lambda differences, n, seed: (0.01, "always"))
    found = simulate("clap_score", 40, dataclasses.replace(QUICK, repeats=5, truth_repeats=2))
    assert found.alarms.share == found.family_alarms.share == 1.0


def test_whether_the_band_is_met_depends_on_how_much_is_known() -> None:
    base = simulate("class_accuracy", 40, dataclasses.replace(QUICK, repeats=3))
    verdicts = {}
    for hits, repeats in ((95, 100), (90, 100), (900, 1000), (990, 1000)):
        rate = Rate.of([True] * hits + [False] * (repeats - hits))
        verdicts[hits] = dataclasses.replace(base, covered=rate).within
    assert verdicts == {95: "yes", 90: "cannot tell", 900: "no", 990: "no"}


@pytest.mark.parametrize("name", [n for n, m in SIMULATED.items() if m.card.min_n <= 60])
def test_every_metric_has_a_population_in_which_noise_makes_it_worse(name: str) -> None:
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


def test_a_metric_is_simulated_where_it_is_defined() -> None:
    assert planned(CalibrateConfig(metrics=("kid_subsets", "fad"), n=(50, 100))) == [("fad", 50), ("fad", 100)]
    assert not any(METRICS[name].card.package for name, _ in planned(CalibrateConfig()))
    with pytest.raises(UserError, match="fadd"):
        planned(CalibrateConfig(metrics=("fadd",)))
    with pytest.raises(ConfigError, match="separability: no population is simulated for metrics of role 'paired'"):
        planned(CalibrateConfig(metrics=("separability",)))
    with pytest.raises(ConfigError, match="at least 2"):
        CalibrateConfig(repeats=1)


def test_what_is_there_is_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = dataclasses.replace(QUICK, metrics=("class_accuracy",), repeats=4)
    first = calibrate(config, tmp_path)
    calls: list[str] = []

    def counting(name: str, n: int, settings: CalibrateConfig) -> Calibration:
        calls.append(name)
        return simulation.simulate(name, n, settings)

    monkeypatch.setattr("clipsonic_eval.harness.calibration.table.simulate", counting)
    assert calibrate(config, tmp_path) == first
    assert not calls
    other = dataclasses.replace(config, seed=1)
    with pytest.raises(UserError, match=r"seed: 0 → 1.*--overwrite"):
        calibrate(other, tmp_path)
    assert calibrate(other, tmp_path, overwrite=True) != first  # other settings, other results
    (tmp_path / "simulated" / "class_accuracy-40.json").write_text("{")
    assert calibrate(config, tmp_path, overwrite=True) == first
    assert calls == ["class_accuracy", "class_accuracy"]


def test_the_command_writes_table_picture_and_page(tmp_path: Path) -> None:
    asked = ["calibrate", "intervals", "--metric", "class_accuracy", "--metric", "fad", "--n", "40", "--repeats", "5"]
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
    assert "`clipsonic-eval calibrate intervals --metric class_accuracy --metric fad --n 40 --repeats 5" in page
    assert "| fad | 40 |" in page
    assert (tmp_path / "coverage.png").stat().st_size > 5000
