from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from frontier_grid import durations

from clipsonic_eval import records
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.reporting import bench, markup
from clipsonic_eval.reporting.build import build
from clipsonic_eval.types import Finding, Score, Skip

CARD = {"steps": 20, "bench": {"kind": "system", "audio_s": 4.0, "batch": 1, "device": "cpu"}}


def score(metric: str, label: str, value: float, ci: tuple[float, float] | None = None, **more: object) -> Score:
    signature = f"{metric}|num:1|machine:m1|batch:1|n:24"
    made = Score(metric, label, value, ci, "order-statistics", 24, 24, "s", False, signature)
    return replace(made, **more)  # type: ignore[arg-type]


def record(label: str = "ZS", seconds: float = 0.5) -> RunRecord:
    scores = (
        score("latency", label, seconds, (0.98 * seconds, 1.03 * seconds), per_clip=durations(seconds, 0)),
        score("first_call", label, 3 * seconds),
        score("real_time_factor", label, seconds / 4, details={"audio_s": 4.0}),
        score("memory_host", label, 812.4, unit="MiB"),
        score("stage_condition", label, 0.1 * seconds, details={"share": 0.1}),
        score("stage_denoiser", label, 0.8 * seconds, details={"share": 0.8}),
        score("stage_denoiser_step", label, 0.04 * seconds, details={"per_request": 20.0}),
        score("stage_host_and_gaps", label, 0.1 * seconds, details={"share": 0.1}),
    )
    return RunRecord(
        "bench", scores, systems={label: CARD}, provenance={"measured_on": {"cpu": {"name": "Example CPU 9"}}}
    )


def runs(*found: RunRecord) -> list[Run]:
    return [Run(f"bench-{i}", None, one) for i, one in enumerate(found)]


def test_a_case_is_a_row_with_latency_first_call_and_memory_in_their_units() -> None:
    shown, _ = bench.tables(runs(record()))
    table = markup.markdown(shown["cost"])
    assert (
        "| Case | Latency, median (s) ↓ | First call (s) ↓ | Real-time factor ↓ | Host memory, peak (MiB) ↓ | n |"
        in table
    )
    assert "| ZS | 0.500 [0.490, 0.515] | 1.50 | 0.125 | 812.4 | 24 |" in table
    assert "a percentile without an interval at this number of requests is left out" in table


def test_stages_have_a_table_of_their_own_with_shares_and_host_and_gaps_last() -> None:
    shown, _ = bench.tables(runs(record()))
    table = markup.markdown(shown["stages"])
    assert "| Case | Condition | Denoiser | Denoiser, per step | Host and gaps | n |" in table
    assert "| ZS | 0.0500 (10 %) | 0.400 (80 %) | 0.0200 × 20 | 0.0500 (10 %) | 24 |" in table


def test_the_csv_files_have_a_row_per_quantity_with_all_digits(tmp_path: Path) -> None:
    _, csv = bench.tables(runs(record("A", 0.1), record("B", 0.2)))
    for name, n in (("cost", 8), ("stages", 8)):
        (tmp_path / name).write_text(csv[name])
        frame = pd.read_csv(tmp_path / name)
        assert len(frame) == n
    assert set(frame[frame["quantity"] == "stage_denoiser"]["value"]) == {0.8 * 0.1, 0.8 * 0.2}


def test_machines_whose_times_do_not_compare_stand_in_sections_of_their_own() -> None:
    other = record("PD")
    moved = tuple(replace(s, signature=s.signature.replace("m1", "m2")) for s in other.scores)
    shown, _ = bench.tables(runs(record(), replace(other, scores=moved)))
    assert [title for title, _ in shown["cost"].sections()] == ["machine m1", "machine m2"]


def test_papers_convention_is_said_of_every_system() -> None:
    (line,) = bench.sentences(runs(record()))
    assert line == "ZS: 0.500 s for 4 s of audio (batch 1, 20 steps, Example CPU 9)."


def test_ratios_remarks_and_failed_cases_are_said() -> None:
    log = math.log(2)
    ratio = Comparison(
        "log_latency", "A", "B", log, (log - 0.1, log + 0.1), 0.0001, 0.0001, 30, "t over 3 pairs", False
    )
    made = replace(
        record(),
        comparisons=(ratio,),
        findings={"ZS": (Finding("bench", "warning", (), "did not become stable"),)},
        skipped={"PD": (Skip("case", "no such model"),)},
    )
    _, *lines = bench.sentences(runs(made))
    assert lines == [
        "A takes 2.000 times as long as B [1.810, 2.210], p < 0.001 (t over 3 pairs, 30 blocks).",
        "ZS: did not become stable.",
        "PD was not measured: no such model.",
    ]


def test_what_several_cases_share_is_said_once() -> None:
    found = [
        replace(record(label), findings={label: (Finding("bench", "warning", (), f"{n} % of a core was kept"),)})
        for label, n in (("A", 2), ("B", 31))
    ]
    assert bench.remarks(found) == ["A: 2 % of a core was kept (so or alike 2 of 2 cases)"]


def test_a_report_of_points_at_two_guidance_scales_draws_no_line_of_one_point(tmp_path: Path) -> None:
    found = []
    for scale in ("1", "8"):
        ends = (1.9, 2.1)
        fad = Score("fad", f"A@{scale}", 2.0, ends, "bootstrap", 50, 50, "", False, "fad|num:1|n:50")
        found.append(RunRecord("evaluate", (fad,), tags={"guidance": scale}))
    made = build(found, tmp_path / "report", select={"guidance": "1"})
    assert any(line.startswith("figure over guidance scales: no system at two") for line in made.left_out)


def test_no_record_makes_no_table() -> None:
    assert bench.tables([]) == ({}, {})
    assert bench.sentences([]) == []


def test_a_report_of_a_bench_alone_has_its_tables_and_can_be_remade(tmp_path: Path) -> None:
    records.write(record(), tmp_path_made(tmp_path / "bench"))
    first = build([tmp_path / "bench"], tmp_path / "report")
    page = (tmp_path / "report/README.md").read_text()
    assert "## What does it cost?" in page
    assert {"cost.md", "cost.csv", "cost.tex", "stages.md"} <= set(first.files)
    build([tmp_path / "report/records"], tmp_path / "again")
    assert (tmp_path / "again/cost.md").read_text() == (tmp_path / "report/cost.md").read_text()


def test_costs_stand_beside_the_quality_of_the_same_report(tmp_path: Path) -> None:
    fad = Score("fad", "ZS", 2.0, (1.9, 2.1), "bootstrap", 50, 50, "squared distance", False, "fad|num:1|n:50")
    evaluation = RunRecord("evaluate", (fad,))
    build([evaluation, record("ZS batch=4")], tmp_path / "report")
    page = (tmp_path / "report/README.md").read_text()
    assert page.index("FAD ↓") < page.index("## What does it cost?")
    assert "ZS batch=4" not in (tmp_path / "report/table.md").read_text()


def test_records_of_nothing_to_show_name_the_three_commands(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `evaluate`, `gap` or `bench` first"):
        build([RunRecord("pooled", ())], tmp_path / "report")


def tmp_path_made(folder: Path) -> Path:
    folder.mkdir()
    return folder
