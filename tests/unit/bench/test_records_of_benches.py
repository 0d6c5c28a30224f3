from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_answers import MACHINE, MS, answer, measured
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval import records
from clipsonic_eval.bench.cases import BenchConfig, Target
from clipsonic_eval.bench.quantities import STAGE, quantity
from clipsonic_eval.bench.records import Measured, labels_of, record_of
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord
from clipsonic_eval.signature import comparable, explain_difference, parse
from clipsonic_eval.stats.order_statistics import least

TIMES = [10.0 + i for i in range(20)]


def record(*several: Measured) -> RunRecord:
    config = BenchConfig(targets=tuple(one.case.target for one in several))
    return record_of(config, several, seconds=1.0, provenance={"processor": "P"})


def test_the_latency_is_the_median_over_all_processes_with_the_ends_of_order_statistics() -> None:
    run = record(measured(answer(TIMES), answer([x + 1 for x in TIMES])))
    score = run["ZS", "latency"]
    pooled = np.array(TIMES + [x + 1 for x in TIMES]) / 1e3
    assert score.value == pytest.approx(float(np.median(pooled)))
    assert score.n == 40
    assert score.ci is not None
    assert {round(end * 1e3) for end in score.ci} <= {round(x * 1e3) for x in pooled}
    assert score.details["lowest_process"] == pytest.approx(0.0195)
    assert score.details["highest_process"] == pytest.approx(0.0205)
    assert list(score.per_clip)[:2] == ["p0/000000", "p0/000001"]
    assert list(score.per_clip)[-1] == "p1/000019"


@pytest.mark.parametrize("n", [5, 6, 35, 36, 71, 72, 367, 368])
def test_a_percentile_stands_in_the_record_only_where_it_has_an_interval(n: int) -> None:
    run = record(measured(answer(list(np.linspace(10, 20, n)))))
    for name, p in (("latency_p90", 0.9), ("latency_p95", 0.95), ("latency_p99", 0.99)):
        assert (run.score(name, "ZS") is not None) == (n >= least(p))
    assert (run["ZS", "latency"].ci is not None) == (n >= 6)


@given(st.lists(st.floats(5.0, 500.0), min_size=1, max_size=40), st.integers(1, 3))
def test_stages_and_the_rest_add_up_to_the_mean_request(times: list[float], processes: int) -> None:
    run = record(measured(*[answer(times) for _ in range(processes)]))
    outermost = ["stage_condition", "stage_denoiser", "stage_host_and_gaps"]
    total = run["ZS", "latency"].details["mean"]
    assert sum(run["ZS", name].value for name in outermost) == pytest.approx(total, rel=1e-9)
    assert sum(run["ZS", name].details["share"] for name in outermost) == pytest.approx(1)


def test_a_stage_within_another_is_told_per_entry() -> None:
    run = record(measured(answer([10.0] * 6)))
    step = run["ZS", "stage_denoiser_step"]
    assert step.value == pytest.approx(0.0025)
    assert step.details["per_request"] == 2


def test_a_stage_that_one_process_did_not_enter_counts_as_zero_there() -> None:
    without = answer([10.0] * 6, stages_ns={"denoiser": [5 * MS] * 6}, entries={"denoiser": [1] * 6})
    run = record(measured(answer([10.0] * 6), without))
    assert run["ZS", "stage_condition"].value == pytest.approx(0.0005)


def test_rates_are_the_median_latency_in_other_units() -> None:
    run = record(measured(answer([40.0] * 5 + [60.0] * 6, batch=4)))
    latency = run["ZS", "latency"]
    assert run["ZS", "clips_per_s"].value == pytest.approx(4 / 0.06)
    assert run["ZS", "real_time_factor"].value == pytest.approx(0.06 / 8)
    assert run["ZS", "real_time_factor"].details["x_real_time"] == pytest.approx(8 / 0.06)
    low, high = run["ZS", "clips_per_s"].ci or (0, 0)
    assert latency.ci is not None
    assert (4 / high, 4 / low) == pytest.approx(latency.ci)


def test_compile_is_the_first_call_beyond_a_steady_one_and_only_of_what_was_compiled() -> None:
    assert record(measured(answer([10.0] * 6))).score("compile", "ZS") is None
    compiled = answer([10.0] * 6, card={"compile": True}, first_ns=5010 * MS)
    assert record(measured(compiled))["ZS", "compile"].value == pytest.approx(5.0)


def test_memory_is_the_highest_of_the_processes() -> None:
    run = record(measured(answer(TIMES), answer(TIMES, memory_host=150 * 2**20)))
    assert run["ZS", "memory_host"].value == 150
    assert run["ZS", "memory_host"].details == {"above_model": 25}
    assert run["ZS", "memory_host"].per_clip == {"p0": 100, "p1": 150}
    assert run.score("memory_device_allocated", "ZS") is None


def test_energy_is_absent_where_a_process_has_no_counter() -> None:
    joules = {"energy": 2.0, "energy_above_idle": 0.5}
    both = record(measured(answer(TIMES, **joules), answer(TIMES, **joules)))
    assert (both["ZS", "energy"].value, both["ZS", "energy"].details) == (2.0, {"above_idle": 0.5})
    assert record(measured(answer(TIMES, **joules), answer(TIMES))).score("energy", "ZS") is None


def test_units_and_directions_are_those_of_the_table() -> None:
    for score in record(measured(answer(TIMES))).scores:
        what = quantity(score.metric)
        assert (score.unit, score.higher_is_better) == (what.unit, what.higher_is_better)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"batch": 2}, "clips per request"),
        ({"audio_s": 4.0}, "audio per clip"),
        ({"threads": 2}, "threads"),
        ({"queries": "11223344"}, "queries"),
        ({"machine": {**MACHINE, "fingerprint": "f" * 12}}, "machine"),
        ({"device": "cuda"}, "device"),
    ],
)
def test_latencies_compare_only_where_request_and_machine_are_the_same(
    changes: dict[str, Any], difference: str
) -> None:
    a = record(measured(answer(TIMES)))["ZS", "latency"].signature
    b = record(measured(answer(TIMES, **changes)))["ZS", "latency"].signature
    assert not comparable(a, b)
    assert explain_difference(a, b, compared_only=True).startswith(difference)
    assert comparable(a, record(measured(answer(TIMES[:7])))["ZS", "latency"].signature)
    assert parse(a).get("num") == "1"


def test_a_record_comes_back_from_its_file_with_all_durations(tmp_path: Path) -> None:
    run = record(measured(answer(TIMES)))
    records.write(run, tmp_path)
    again = records.read(tmp_path)
    assert again["ZS", "latency"].per_clip == run["ZS", "latency"].per_clip
    assert again.systems["ZS"]["bench"]["audio_s"] == 2.0
    assert again.systems["ZS"]["kind"] == "ZeroShot"


def test_a_case_that_failed_is_listed_with_its_reason_and_has_no_score() -> None:
    target = Target("s:Z", "ZS", grid={"steps": (1, 2)})
    failed = measured(target=target, steps=2)
    failed.failure = "out of memory"
    run = record(measured(answer(TIMES), target=target, steps=1), failed)
    assert run.system_names == ("ZS steps=1",)
    assert {name: skips[0].reason for name, skips in run.skipped.items()} == {"ZS steps=2": "out of memory"}


def test_names_come_from_the_command_line_or_the_system_and_are_never_twice_the_same() -> None:
    one, other = Target("s:Z"), Target("s:Y")
    assert labels_of([measured(answer([1.0]), target=one), measured(answer([1.0]), target=other)]) == ["ZS", "ZS #2"]
    assert labels_of([measured(target=Target("my.py:Mine"))]) == ["Mine"]
    assert labels_of([measured(answer([1.0]), target=Target("s:Z", "mine"))]) == ["mine"]


def test_a_target_whose_first_case_failed_still_has_its_systems_name() -> None:
    target = Target("s:Z", grid={"steps": (1, 2)})
    found = labels_of([measured(target=target, steps=1), measured(answer([1.0]), target=target, steps=2)])
    assert found == ["ZS steps=1", "ZS steps=2"]


def test_cases_of_two_machines_are_not_put_into_one_record() -> None:
    other = {**MACHINE, "fingerprint": "f" * 12, "compared": {"processor": "Q", "cores": 2}}
    with pytest.raises(UserError, match=r"another machine.*processor: P against Q.*--overwrite"):
        record(measured(answer(TIMES), answer(TIMES, machine=other)))


def test_processes_that_differ_and_remarks_of_workers_become_findings() -> None:
    steady = record(measured(answer(TIMES), answer(TIMES)))
    assert steady.findings == {}
    apart = record(measured(answer([10.0] * 6, remarks=["busy 5 times"]), answer([12.0] * 6, remarks=["busy 7 times"])))
    sentences = [finding.sentence for finding in apart.findings["ZS"]]
    assert sentences[0] == "busy 5 times"
    assert "lie between 0.01 and 0.012 s" in sentences[1]
    assert len(sentences) == 2


def test_the_machine_stands_in_the_provenance() -> None:
    found = record(measured(answer(TIMES))).provenance["measured_on"]
    assert found == {"cpu": {"name": "P", "fingerprint": "0123456789ab", "compared": MACHINE["compared"]}}


def test_stages_that_systems_name_themselves_are_quantities() -> None:
    times = {"upsample": [2 * MS] * 6}
    run = record(measured(answer([10.0] * 6, stages_ns=times, entries={"upsample": [1] * 6})))
    assert run["ZS", STAGE + "upsample"].value == pytest.approx(0.002)
    assert run["ZS", "stage_host_and_gaps"].value == pytest.approx(0.008)
