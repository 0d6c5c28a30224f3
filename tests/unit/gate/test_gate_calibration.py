"""Simulations of the gate: they run through the gate itself, their spreads are measured, and they resume."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from clipsonic_eval import records
from clipsonic_eval.cli import main
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.gate.calibration import pieces
from clipsonic_eval.gate.calibration.influence import InfluenceCase, influence_row, simulate_influence
from clipsonic_eval.gate.calibration.pieces import GateCalibrationConfig, simulate_gate
from clipsonic_eval.gate.calibration.power import SPREADS, power_rows
from clipsonic_eval.gate.calibration.simulated_records import same_noise, sides
from clipsonic_eval.gate.calibration.verdicts import SCENARIOS, Scenario, simulate_verdicts, verdict_rows
from clipsonic_eval.reporting import gate_simulations

THREE_SEEDS = Path(__file__).parents[3] / "reports" / "gate" / "spreads"
TRAINED = ("IQ", "ZS", "PD", "SD", "mean-shift", "CLIP-TTA", "CLAP-TTA")
TINY = GateCalibrationConfig(repeats=2, power_repeats=2, influence_repeats=2)


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.train_seeds < 5], ids=lambda s: s.name)
def test_simulated_records_pose_the_question_of_their_scenario(scenario: Scenario) -> None:
    (told,) = simulate_verdicts(scenario, range(1), seed=0)
    assert {v["question"] for v in told["verdicts"]} == {scenario.question}
    assert len(told["verdicts"]) + len(told["refused"]) == 8  # two systems by four metrics


def test_other_code_is_found_where_it_moves_numbers_and_only_there() -> None:
    same, moved = SCENARIOS[:2]
    for scenario, outcome in ((same, 0.0), (moved, 1.0)):
        whole = next(verdict_rows(scenario, simulate_verdicts(scenario, range(3), seed=0)))
        assert whole["worse"] == outcome


def test_a_much_noisier_candidate_is_called_worse_and_a_quieter_one_is_not() -> None:
    for factor, expected in ((3.0, 1.0), (0.3, 0.0)):
        scenario = Scenario("same queries", "noise", 60, factor=factor)
        rows = list(verdict_rows(scenario, simulate_verdicts(scenario, range(2), seed=0)))
        assert rows[0]["worse"] == expected
        by_metric = {row["metric"]: row for row in rows[1:]}
        assert by_metric["kl"]["not_worse"] == 1 - expected


def test_shares_of_a_scenario_are_counted_by_comparison_and_by_verdict() -> None:
    def verdict(metric: str, outcome: str, upper: float) -> dict[str, object]:
        return {"metric": metric, "outcome": outcome, "harm": 1.0, "lower": 0.0, "upper": upper}

    told = [
        {"verdicts": [verdict("fad", "worse", 2.0), verdict("fad", "not worse", 0.5)], "refused": []},
        {"verdicts": [verdict("fad", "not worse", 2.0)], "refused": ["fad"]},
    ]
    whole, fad, *_ = verdict_rows(Scenario("same queries", "noise", 10, factor=2.0), told)
    assert (whole["repeats"], whole["worse"], whole["not_worse"]) == (2, 0.5, 0.0)  # refused is no pass
    assert (fad["repeats"], fad["worse"], fad["refused"]) == (3, pytest.approx(1 / 3), 0.25)
    assert (fad["upper_covers"], fad["lower_covers"]) == (pytest.approx(2 / 3), 1.0)  # of the mean harm, 1
    unchanged = list(verdict_rows(Scenario("same queries", "none", 10), told))[1]
    assert (unchanged["upper_covers"], unchanged["lower_covers"]) == (1.0, 1.0)  # of no harm


@pytest.mark.parametrize(("covers", "said"), [(0.85, "`kl<+3%` in 85.0 % (recipe, more noise, 3 × 100)"), (0.94, "")])
def test_the_page_names_limits_that_hold_too_rarely(covers: float, said: str) -> None:
    told = simulate_verdicts(scenario := SCENARIOS[6], range(1), seed=0)
    rows = [{**row, "not_worse": 0.0, "cannot_tell": 0.0} for row in verdict_rows(scenario, told)]
    rows = [{**row, "repeats": 300, "upper_covers": covers if row["metric"] == "kl" else 0.95} for row in rows]
    rows = [{**row, "command": "it", "lower_covers": 0.95} for row in rows]
    page = gate_simulations.verdicts([{k: str(v) for k, v in row.items()} for row in rows])  # as a CSV file has them
    assert said in page
    assert ("No upper limit holds less often" in page) == (not said)


def test_systems_of_both_sides_answer_the_same_queries() -> None:
    baseline, candidate = sides(same_noise(), same_noise(2.0), 20, stream="x", seed=0, n_boot=0)
    old, new = baseline[0]["a", "clap_score"], candidate[0]["a", "clap_score"]
    assert old.per_clip.keys() == new.per_clip.keys()
    assert old.value > new.value
    assert baseline[0]["a", "fad"].reference_influence.keys() == candidate[0]["a", "fad"].reference_influence.keys()


def test_influences_are_counted_beside_resamples_and_refused_with_too_few_clips() -> None:
    few = influence_row(case := InfluenceCase(12, 16, (0.4, 0.4), 0.1), simulate_influence(case, range(2), seed=0))
    assert few["refused"] == 1.0
    assert few["same"] == ""
    case = InfluenceCase(60, 2, (1.0, 3.0), 0.1)
    many = influence_row(case, simulate_influence(case, range(2), seed=0))
    assert many["same"] == many["share_worse"] == 1.0
    assert many["opposite"] == 0


@pytest.mark.parametrize("name", ["fad", "clap_score", "class_accuracy"])
def test_the_spreads_behind_the_power_table_are_those_of_a_study_with_three_seeds(name: str) -> None:
    runs = [records.read(THREE_SEEDS / f"test-seed-{seed}") for seed in range(3)]
    (spread,) = (s for s in SPREADS if s.metric == name)
    by_clip = [
        (c.ci[1] - c.ci[0]) / (2 * 1.959964) * np.sqrt(c.n)
        for run in runs
        for c in run.comparisons
        if c.metric == name and c.ci and c.ci[1] > c.ci[0]
    ]
    assert spread.of_clips == pytest.approx(np.median(by_clip), rel=1e-3)
    values = np.array([[run[system, name].value for run in runs] for system in TRAINED])
    assert spread.of_seeds == pytest.approx(np.sqrt((values.std(axis=1, ddof=1) ** 2).mean()), rel=1e-2)
    assert spread.value == pytest.approx(values.mean(), rel=1e-2)


def test_a_tighter_limit_takes_more_and_gets_its_power() -> None:
    accuracy = next(s for s in SPREADS if s.metric == "class_accuracy")
    rows = [row for row in power_rows(accuracy, 60, seed=0) if row["question"] == "recipe"]
    tight, loose = rows
    assert tight["needed"] > loose["needed"]  # type: ignore[operator]
    assert tight["found_with_few"] < tight["found_with_many"] < loose["found_with_many"]  # type: ignore[operator]
    assert tight["not_worse"] == pytest.approx(0.8, abs=0.2)


def test_pieces_that_are_there_are_not_simulated_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "SCENARIOS", SCENARIOS[:1])
    monkeypatch.setattr(pieces, "CASES", (InfluenceCase(12, 4, (0.4, 0.4), 0.1),))
    monkeypatch.setattr(pieces, "SPREADS", ())
    first = simulate_gate(TINY, tmp_path / "gate")
    monkeypatch.setattr(pieces, "simulate_verdicts", lambda *args, **options: pytest.fail("simulated again"))
    assert simulate_gate(TINY, tmp_path / "gate") == first
    with pytest.raises(UserError, match=r"repeats: 2 → 3.*--overwrite"):
        simulate_gate(GateCalibrationConfig(3, 2, 2), tmp_path / "gate")
    (piece,) = (tmp_path / "gate").glob("same-weights*.json")
    piece.write_text("{")
    monkeypatch.setattr(pieces, "simulate_verdicts", simulate_verdicts)
    assert simulate_gate(TINY, tmp_path / "gate") == first
    with pytest.raises(ConfigError, match="must be at least 2"):
        GateCalibrationConfig(repeats=1)


def test_the_command_writes_tables_figure_and_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "SCENARIOS", (SCENARIOS[0], SCENARIOS[4]))
    monkeypatch.setattr(pieces, "CASES", (InfluenceCase(12, 4, (0.4, 0.4), 0.1),))
    monkeypatch.setattr(pieces, "SPREADS", SPREADS[2:3])
    asked = ["calibrate", "gate", "--repeats", "2", "--set", "power_repeats=3", "--set", "influence_repeats=2"]
    done = CliRunner().invoke(main, [*asked, "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert list(found) == ["verdicts", "power", "influence"]
    for name, rows in found.items():
        with (tmp_path / f"{name}.csv").open(newline="") as stream:
            assert len(list(csv.DictReader(stream))) == len(rows)
    page = (tmp_path / "README.md").read_text()
    assert page.index("## Verdicts") < page.index("## What a limit takes") < page.index("## Influences beside")
    assert "| same weights | none | 100 | 1 | 2 | 0.0 % [0.0, 65.8] | 100.0 % |" in page
    assert (tmp_path / "verdicts.png").stat().st_size > 5000
