"""The machine: what makes two incomparable, what is only noted, nothing private, and what went wrong in between."""

from __future__ import annotations

import getpass
import json
import platform
import time
from pathlib import Path
from typing import Any

import fake_nvml
import pytest
import torch

from clipsonic_eval import provenance, threads
from clipsonic_eval.bench import machine
from clipsonic_eval.bench.nvml import Gpu

CPU = torch.device("cpu")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what provenance says, to be changed by a test."""
    collected = provenance.machine()
    monkeypatch.setattr(provenance, "machine", lambda: collected)
    return collected


def test_the_same_machine_has_the_same_fingerprint_twice(found: dict[str, Any]) -> None:
    a, b = machine.identify(CPU), machine.identify(CPU)
    assert a["fingerprint"] == b["fingerprint"]
    assert machine.explain(a, b) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found["threads"].update(torch=33), "threads"),
        (lambda found: found.update(instructions=["avx9"]), "instructions"),
    ],
)
def test_another_setting_is_another_machine_and_is_named(found: dict[str, Any], change: Any, said: str) -> None:
    before = machine.identify(CPU)
    change(found)
    after = machine.identify(CPU)
    assert before["fingerprint"] != after["fingerprint"]
    (difference,) = machine.explain(before, after)
    assert difference.startswith(f"{said}: ")


def test_a_container_with_fewer_cores_is_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = machine.identify(CPU)
    monkeypatch.setattr(threads, "cores", lambda: 97)
    assert machine.explain(before, machine.identify(CPU)) == (f"cores: {before['compared']['cores']} against 97",)


def test_another_processor_is_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = machine.identify(CPU)
    monkeypatch.setattr(provenance, "processor", lambda: "Another CPU")
    assert machine.identify(CPU)["fingerprint"] != before["fingerprint"]


def test_the_software_is_not_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = machine.identify(CPU)
    monkeypatch.setattr(platform, "python_version", lambda: "3.99")
    monkeypatch.setattr(torch, "__version__", "99.0")
    assert machine.identify(CPU)["fingerprint"] == before["fingerprint"]


def test_more_memory_is_noted_but_does_not_make_another_machine(found: dict[str, Any]) -> None:
    before = json.loads(json.dumps(machine.identify(CPU)))
    found.update(memory_gib=1.5)
    after = machine.identify(CPU)
    assert before["fingerprint"] == after["fingerprint"]
    assert before["noted"] != after["noted"]


def test_the_machine_is_json_and_names_no_host_user_or_path() -> None:
    text = json.dumps(machine.identify(CPU), allow_nan=False)
    for private in (platform.node(), getpass.getuser(), str(Path.home()), str(Path(__file__).parents[3])):
        assert f'"{private}' not in text


def test_governor_and_boost_are_read_where_the_kernel_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cpu0" / "cpufreq").mkdir(parents=True)
    (tmp_path / "cpu0" / "cpufreq" / "scaling_governor").write_text("powersave\n", encoding="ascii")
    (tmp_path / "intel_pstate").mkdir()
    (tmp_path / "intel_pstate" / "no_turbo").write_text("1\n", encoding="ascii")
    monkeypatch.setattr(machine, "_CPU", tmp_path)
    compared = machine.identify(CPU)["compared"]
    assert compared["governor"] == "powersave"
    assert compared["boost"] is False


def test_clocks_of_the_processor_are_the_mean_over_its_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for core, khz in enumerate((2_000_000, 3_000_000)):
        (tmp_path / f"cpu{core}" / "cpufreq").mkdir(parents=True)
        (tmp_path / f"cpu{core}" / "cpufreq" / "scaling_cur_freq").write_text(f"{khz}\n", encoding="ascii")
        (tmp_path / f"cpu{core}" / "thermal_throttle").mkdir()
        (tmp_path / f"cpu{core}" / "thermal_throttle" / "core_throttle_count").write_text("4\n", encoding="ascii")
    monkeypatch.setattr(machine, "_CPU", tmp_path)
    now = machine.conditions(CPU)
    assert now["cpu_clock_mhz"] == 2_500
    assert now["cpu_throttled"] == 8


def test_without_the_kernels_clocks_those_of_cpuinfo_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\ncpu MHz\t\t: 2100.000\ncpu MHz\t: 2300.0\n", encoding="ascii")
    monkeypatch.setattr(machine, "_CPU", tmp_path)
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")
    assert machine.conditions(CPU)["cpu_clock_mhz"] == 2_200


def test_a_machine_that_tells_nothing_has_unknown_conditions_and_no_remarks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("_CPU", "_CPUINFO", "_STAT"):
        monkeypatch.setattr(machine, name, tmp_path / "absent")
    now = machine.conditions(CPU)
    assert now["cpu_clock_mhz"] is None
    assert now["stolen_s"] is None
    assert machine.changes(now, now, 1.0) == ()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"sm_clock_mhz": 1980}, {"sm_clock_mhz": 1700}, "the GPU's clock fell by 14 %, from 1980 to 1700 MHz"),
        ({"cpu_clock_mhz": 3000.0}, {"cpu_clock_mhz": 2400.0}, "the processor's clock fell by 20 %"),
        ({}, {"throttled_by": ["hardware thermal slowdown", "idle"]}, "throttled: hardware thermal slowdown"),
        ({"throttled_by": ["software power cap"]}, {"throttled_by": []}, "throttled: software power cap"),
        ({"cpu_throttled": 2}, {"cpu_throttled": 3}, "throttled for heat"),
        ({"preempted": 0}, {"preempted": 1000}, "other work took the processor 100 times a second"),
        ({"stolen_s": 0.0}, {"stolen_s": 2.5}, "kept 25 % of a core"),
    ],
)
def test_what_disturbed_a_measurement_is_said(before: dict[str, Any], after: dict[str, Any], said: str) -> None:
    (sentence,) = machine.changes(before, after, 10.0)
    assert said in sentence


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"sm_clock_mhz": 1980}, {"sm_clock_mhz": 1890}),
        ({"sm_clock_mhz": 1400}, {"sm_clock_mhz": 1980}),
        ({"sm_clock_mhz": None}, {"sm_clock_mhz": 1000}),
        ({"throttled_by": None}, {"throttled_by": ["idle", "application clocks"]}),
        ({"preempted": 0}, {"preempted": 100}),
        ({"stolen_s": 0.0}, {"stolen_s": 0.05}),
    ],
)
def test_what_is_usual_is_not_remarked(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert machine.changes(before, after, 10.0) == ()


def test_a_gpus_state_and_settings_are_read_in_plain_units(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_nvml.install(
        monkeypatch,
        ClockInfo_1=1980,
        ClockInfo_2=2619,
        Temperature_0=54,
        CurrentClocksThrottleReasons=0x44,
        EnforcedPowerLimit=700_000,
        EccMode=[1, 1],
        MigMode=[0, 0],
    )
    gpu = Gpu(fake_nvml.CUDA)
    assert gpu.settings() == {"power_limit_w": 700.0, "ecc": True, "mig": False}
    assert gpu.condition() == {
        "sm_clock_mhz": 1980,
        "memory_clock_mhz": 2619,
        "temperature_c": 54,
        "throttled_by": ["software power cap", "hardware thermal slowdown"],
    }
    assert gpu.uuid_hash is not None
    assert gpu.uuid_hash not in fake_nvml.UUID


def test_a_library_that_supports_nothing_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_nvml.install(monkeypatch)
    gpu = Gpu(fake_nvml.CUDA)
    assert set(gpu.settings().values()) == {None}
    assert set(gpu.condition().values()) == {None}


def test_a_card_that_the_library_does_not_know_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_nvml.install(monkeypatch, ClockInfo_1=1980)
    monkeypatch.setattr(fake_nvml, "UUID", "another")
    monkeypatch.setattr(fake_nvml.FakeNvml, "nvmlDeviceGetHandleByUUID", refused)
    assert Gpu(fake_nvml.CUDA).condition()["sm_clock_mhz"] is None


def refused(self: object, uuid: str) -> str:
    raise fake_nvml.NVMLError("not found")


def test_without_the_library_a_gpu_keeps_the_hash_of_its_uuid_only(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_nvml.install(monkeypatch)
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)  # as if it were not installed
    gpu = Gpu(fake_nvml.CUDA)
    assert gpu.energy_uj() is None
    assert gpu.uuid_hash is not None


def test_a_cpu_asks_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    library = fake_nvml.install(monkeypatch)
    assert Gpu(CPU).uuid_hash is None
    assert library.asked_for == []


def test_real_conditions_are_read_in_a_moment() -> None:
    start = time.thread_time()
    before = machine.conditions(CPU)
    after = machine.conditions(CPU)
    assert time.thread_time() - start < 1.0
    assert after["preempted"] >= before["preempted"]
