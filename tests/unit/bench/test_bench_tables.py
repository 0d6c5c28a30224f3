from __future__ import annotations

import math

import numpy as np
import pytest
from bench_answers import MS, answer, measured

from clipsonic_eval.bench import tables
from clipsonic_eval.bench.cases import BenchConfig, Target
from clipsonic_eval.bench.records import Measured, record_of
from clipsonic_eval.records import Comparison, RunRecord


def record(*several: Measured, comparisons: tuple[Comparison, ...] = ()) -> RunRecord:
    config = BenchConfig(targets=tuple(one.case.target for one in several))
    provenance = {"processor": "P"}
    return record_of(config, several, seconds=1.0, provenance=provenance, comparisons=comparisons)


def cell(rows: list[list[str]], label: str, head: str) -> str:
    (row,) = (row for row in rows[1:] if row[0] == label)
    return row[rows[0].index(head)]


def test_a_percentile_without_an_interval_is_a_dash() -> None:
    rows = tables.costs(record(measured(answer(list(np.linspace(10, 20, 40))))))
    assert cell(rows, "ZS", "p50").startswith("15.0 ms [1")
    assert cell(rows, "ZS", "p90").startswith("19.0 ms [1")
    assert cell(rows, "ZS", "p95") == cell(rows, "ZS", "p99") == "–"
    assert cell(tables.costs(record(measured(answer([10.0] * 5)))), "ZS", "p50") == "–"


def test_real_time_is_told_both_ways_round() -> None:
    rows = tables.costs(record(measured(answer([500.0] * 6))))
    assert cell(rows, "ZS", "x real time") == "4.00x (0.250)"
    assert cell(rows, "ZS", "clips/s") == "2.00"


def test_columns_that_no_case_has_are_left_out() -> None:
    heads = tables.costs(record(measured(answer([10.0] * 6))))[0]
    assert "J/clip" not in heads
    assert "compile" not in heads
    assert "device MiB" not in heads
    on_gpu = answer([10.0] * 6, memory_device_allocated=2**20, memory_device_reserved=2**21, energy=3.0,
                    energy_above_idle=1.0, card={"compile": True})  # fmt: skip
    heads = tables.costs(record(measured(on_gpu)))[0]
    assert {"J/clip", "compile", "device MiB", "reserved MiB"} <= set(heads)


def test_stages_stand_beside_their_share_and_their_sum() -> None:
    rows = tables.stages(record(measured(answer([10.0] * 6))))
    assert rows[0] == ["mean of", "condition", "denoiser", "denoiser, per step", "host and gaps", "total"]
    assert rows[1] == ["ZS", "1.00 ms (10.0 %)", "5.00 ms (50.0 %)", "2.00 × 2.50 ms", "4.00 ms (40.0 %)", "10.0 ms"]


def test_without_marked_stages_there_is_no_table_of_them() -> None:
    assert tables.stages(record(measured(answer([10.0] * 6, stages_ns={}, entries={})))) == []


def test_the_sentence_of_papers_is_about_batch_1() -> None:
    one = answer([3700.0] * 6, audio_s=30.0)
    assert tables.conventions(record(measured(one))) == ["ZS: 3.70 s for 30 s of audio (batch 1, 2 steps, P)"]
    assert tables.conventions(record(measured({**one, "batch": 2}))) == []
    assert tables.conventions(record(measured({**one, "kind": "encoder"}))) == []


def test_a_log_ratio_is_told_as_a_ratio() -> None:
    found = Comparison("log_latency", "A", "B", math.log(2), (math.log(1.5), math.log(2.5)), 1e-4, 1e-4, 9, "t", False)
    run = record(
        measured(answer([2.0] * 6), target=Target("s:A", "A")),
        measured(answer([1.0] * 6), target=Target("s:B", "B")),
        comparisons=(found,),
    )
    assert tables.ratios(run) == ["A takes 2.000 times as long as B [1.500, 2.500], p < 0.001 (t, 9 blocks)"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.00 s"), (0.9999, "1000 ms"), (59.96, "60.0 s"), (1e-3, "1.00 ms"), (1e-6, "1.00 µs"), (0.0, "0 µs")],
)
def test_durations_have_three_digits_in_the_unit_that_suits_them(value: float, text: str) -> None:
    assert tables.seconds(value) == text


def test_nanoseconds_of_answers_become_seconds() -> None:
    assert record(measured(answer([10.0] * 6, load_ns=1234 * MS)))["ZS", "load"].value == pytest.approx(1.234)
