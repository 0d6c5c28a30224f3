from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.files import read_csv
from clipsonic_eval.harness.calibration import change_points
from clipsonic_eval.harness.calibration.change_points import ChangePointConfig
from clipsonic_eval.stats.change_points import PENALTIES

SMALL = ChangePointConfig(points=(5, 10), repeats=30, power_repeats=8, sizes=(0.5, 8.0), after=(3, 5))


def test_false_ones_are_few_and_large_steps_are_found(tmp_path: Path) -> None:
    found = change_points.simulate(SMALL, tmp_path)
    false = [rate for rate in found if rate.what == "false"]
    assert {(rate.points, rate.noise) for rate in false} == {
        (n, noise) for n in (5, 10) for noise in change_points.NOISES
    }
    assert all(rate.low <= 0.05 and rate.low <= rate.share <= rate.high for rate in false)
    assert {rate.noise for rate in found if rate.what == "drifting"} == set(change_points.DRIFTS)
    power = {(rate.points, rate.after, rate.size): rate.share for rate in found if rate.what == "found"}
    assert power[10, 3, 8.0] == power[10, 5, 8.0] == power[5, 3, 8.0] == 1
    assert power[10, 5, 0.5] < 0.7
    assert (5, 5, 8.0) not in power  # all of the series is new


def test_a_simulation_that_was_stopped_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = change_points.simulate(SMALL, tmp_path)
    next(tmp_path.glob("[0-9a-f]*.json")).unlink()
    calls = []
    rate = change_points._rate
    monkeypatch.setattr(change_points, "_rate", lambda cell, config: calls.append(cell) or rate(cell, config))
    assert change_points.simulate(SMALL, tmp_path) == first
    assert len(calls) == 1


@pytest.mark.parametrize("n", [5, 10, 20])
def test_the_penalties_of_the_code_are_those_of_the_simulation(n: int) -> None:
    again = change_points.penalties(n, repeats=4000, seed=2)
    assert again == pytest.approx(
        PENALTIES[n], abs=0.45
    )  # four standard errors; those on ranks of few points are coarse


def test_noise_that_drifts_has_its_correlation_and_no_other_spread() -> None:
    rng = np.random.default_rng(0)
    for name, rho in (("correlation 0.2", 0.2), ("correlation 0.5", 0.5)):
        drawn = change_points.DRIFTS[name](rng, (4000, 30))
        assert np.mean(drawn[:, 1:] * drawn[:, :-1]) == pytest.approx(rho, abs=0.02)
        assert drawn.std(axis=0) == pytest.approx(np.ones(30), abs=0.05)


def test_settings_that_simulate_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="every number of points at least 5"):
        ChangePointConfig(points=(4,))


def test_the_command_writes_a_table_and_a_page(tmp_path: Path) -> None:
    asked = ["calibrate", "change-points", "--repeats", "4", "--set", "power_repeats=2", "--set", "points=[5, 10]"]
    done = CliRunner().invoke(main, [*asked, "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    rows = read_csv(tmp_path / "change_points.csv")
    assert len(rows) == len(json.loads(done.stdout))
    assert {row["repeats"] for row in rows} == {"4", "2"}
    page = (tmp_path / "README.md").read_text()
    assert "`clipsonic-eval calibrate change-points --repeats 4 --set power_repeats=2 --set 'points=[5, 10]'`" in page
    assert "| 10 | 5 |" in page
    penalties = CliRunner().invoke(main, ["calibrate", "change-points", "--penalties", "--repeats", "20", "--json"])
    assert set(json.loads(penalties.stdout)) == set(map(str, PENALTIES))
