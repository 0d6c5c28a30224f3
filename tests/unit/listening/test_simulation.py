"""The simulation of listening tests: its truth, its rows, its page, and that it can be continued."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.listening import simulation
from clipsonic_eval.listening.simulation import ListeningSimulationConfig, expected_answer, simulate

SMALL = ListeningSimulationConfig((10,), (20,), repeats=120, difference_repeats=30, n_bootstrap=100)


def test_the_truth_is_the_mean_of_rounded_answers() -> None:
    rng = np.random.default_rng(0)
    config = ListeningSimulationConfig()
    drawn = np.clip(np.round(rng.normal(4.2, np.sqrt(0.5**2 + 0.4**2 + 0.9**2), 400_000)), 1, 5)
    assert expected_answer(4.2, config) == pytest.approx(drawn.mean(), abs=0.005)


def test_intervals_over_listeners_and_queries_cover_and_the_usual_one_does_not(tmp_path: Path) -> None:
    rows = {(r["design"], r["interval"]): r for r in simulate(SMALL, tmp_path / "cells")}
    assert rows[simulation.ONE, simulation.ANALYTIC]["covered"] > 0.88
    assert rows[simulation.ONE, simulation.BOOTSTRAP]["covered"] > 0.88
    assert rows[simulation.ONE, simulation.NAIVE]["covered"] < 0.75
    assert rows[simulation.SEVERAL, simulation.DIFFERENCE]["covered"] > 0.88
    assert rows[simulation.SEVERAL, simulation.ANALYTIC]["answers"] == 40


def test_a_stopped_simulation_continues_to_the_same_rows(tmp_path: Path) -> None:
    rows = simulate(SMALL, tmp_path / "cells")
    first = min((tmp_path / "cells").glob("*.json"))
    first.write_text("{")
    assert simulate(SMALL, tmp_path / "cells") == rows


def test_the_command_writes_a_page_with_every_cell(tmp_path: Path) -> None:
    sets = [
        w for s in ("listeners=[10]", "queries=[20]", "difference_repeats=20", "n_bootstrap=100") for w in ("--set", s)
    ]
    words = ["calibrate", "listening", "--repeats", "40", *sets, "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, [*words, "--json"])
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)) == 7
    page = (tmp_path / "out" / "README.md").read_text()
    assert "`clipsonic-eval calibrate listening --repeats 40 --set 'listeners=[10]'" in page
    assert "| 10 | 20 | 200 |" in page
    assert "| 10 | 20 | 40 |" in page


@pytest.mark.parametrize("values", [{"repeats": 1}, {"listeners": (2,)}, {"sd_rest": 0.0}, {"n_bootstrap": 10}])
def test_settings_that_simulate_nothing_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"at least|it takes"):
        ListeningSimulationConfig(**values)  # type: ignore[arg-type]
