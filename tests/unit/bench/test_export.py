"""Export to pytest-benchmark: its own statistics, and its own command that reads the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench_answers import answer, measured
from hypothesis import given
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats

from clipsonic_eval.bench.cases import BenchConfig
from clipsonic_eval.bench.export import statistics_of, to_pytest_benchmark, write_pytest_benchmark
from clipsonic_eval.bench.records import record_of
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord

PROVENANCE = {"processor": "P", "commit": "abc", "uncommitted_changes": True, "python": "3.11", "cpu_count": 2}


def record(*times: float) -> RunRecord:
    one = measured(answer(times))
    return record_of(BenchConfig(targets=(one.case.target,)), [one], seconds=1.0, provenance=PROVENANCE)


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=60))
def test_statistics_are_those_of_pytest_benchmark(times: list[float]) -> None:
    theirs = Stats()
    for time in times:
        theirs.update(time)
    ours = statistics_of(times)
    for name, value in theirs.as_dict().items():
        expected = value if isinstance(value, str) else pytest.approx(value, rel=1e-9, abs=1e-12)
        if "outliers" not in name:  # at a deviation of rounding they count rounding errors
            assert ours[name] == expected, name
    assert ours["data"] == times
    assert ours["iterations"] == 1


def test_outliers_are_those_of_pytest_benchmark() -> None:
    times = [1.0, 1.1, 1.2, 1.05, 1.15, 9.0, 0.1]
    theirs = Stats()
    for time in times:
        theirs.update(time)
    assert {k: v for k, v in statistics_of(times).items() if "outliers" in k} == {
        k: v for k, v in theirs.as_dict().items() if "outliers" in k
    }


def test_a_benchmark_holds_all_durations_and_the_signature() -> None:
    (benchmark,) = to_pytest_benchmark(record(10.0, 20.0, 30.0))["benchmarks"]
    assert benchmark["stats"]["data"] == pytest.approx([0.01, 0.02, 0.03])
    assert benchmark["name"] == "ZS"
    assert benchmark["extra_info"]["signature"].startswith("latency|num:1|machine:")


def test_pytest_benchmark_compares_two_exported_files(tmp_path: Path) -> None:
    write_pytest_benchmark(record(10.0, 11.0, 12.0), tmp_path / "old.json")
    write_pytest_benchmark(record(20.0, 21.0, 22.0), tmp_path / "new.json")
    script = "import sys; from pytest_benchmark.cli import main; sys.argv[0] = 'pytest-benchmark'; main()"
    words = ["compare", "old.json", "new.json", "--columns=median,rounds", "--csv=table.csv"]
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Failed to load" not in done.stdout + done.stderr
    assert done.stdout.count("ZS") >= 2
    rows = (tmp_path / "table.csv").read_text().splitlines()
    assert [round(float(row.split(",")[-2]), 6) for row in rows[1:]] == [0.011, 0.021]


def test_a_record_of_another_kind_or_without_durations_is_refused() -> None:
    with pytest.raises(UserError, match="kind 'evaluate' has no durations"):
        to_pytest_benchmark(RunRecord("evaluate", ()))
    import dataclasses

    found = record(1.0)
    bare = tuple(dataclasses.replace(score, per_clip={}) for score in found.scores)
    with pytest.raises(UserError, match="'ZS': its durations are missing"):
        to_pytest_benchmark(dataclasses.replace(found, scores=bare))


def test_what_is_exported_is_json_without_a_host_name() -> None:
    text = json.dumps(to_pytest_benchmark(record(1.0, 2.0)), allow_nan=False)
    assert json.loads(text)["machine_info"]["node"] == ""
    assert json.loads(text)["commit_info"] == {"id": "abc", "dirty": True, "project": "clipsonic-eval"}
