"""Energy by counters: exact differences, wraps, and no number wherever there is no trustworthy one."""

from __future__ import annotations

from pathlib import Path

import fake_nvml
import pytest
import torch
from fake_device import FakeDevice

from clipsonic_eval.bench import energy
from clipsonic_eval.bench.energy import EnergyMeter, above_idle

CPU = torch.device("cpu")
SECOND = 1_000_000_000


def package(folder: Path, number: int, joules: float, name: str = "package") -> Path:
    """Write a counter as Linux shows it."""
    zone = folder / f"intel-rapl:{number}"
    zone.mkdir(exist_ok=True)
    (zone / "name").write_text(f"{name}-{number}\n", encoding="ascii")
    (zone / "energy_uj").write_text(f"{round(joules * 1e6)}\n", encoding="ascii")
    (zone / "max_energy_range_uj").write_text(f"{1000 * 10**6}\n", encoding="ascii")
    return zone


@pytest.fixture
def powercap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(energy, "_POWERCAP", tmp_path)
    return tmp_path


def meter_with_clock(device: torch.device) -> tuple[EnergyMeter, FakeDevice]:
    clock = FakeDevice()
    return EnergyMeter(EnergyMeter.of(device).counters, clock.now), clock


def test_a_machine_without_a_counter_has_no_energy_and_not_zero(powercap: Path) -> None:
    meter, clock = meter_with_clock(CPU)
    end = meter.begin()
    clock.work(60 * SECOND)
    assert end() == {}


def test_packages_are_summed_and_their_parts_are_not_counted_twice(powercap: Path) -> None:
    for number in (0, 1):
        package(powercap, number, 100.0)
    package(powercap, 2, 100.0, name="psys")
    part = powercap / "intel-rapl:0:0"
    part.mkdir()
    (part / "name").write_text("core\n", encoding="ascii")
    (part / "energy_uj").write_text("5\n", encoding="ascii")
    meter, clock = meter_with_clock(CPU)
    end = meter.begin()
    clock.work(10 * SECOND)
    package(powercap, 0, 130.0)
    package(powercap, 1, 112.5)
    package(powercap, 2, 900.0, name="psys")
    assert end() == {"cpu": 42.5, "seconds": 10.0}


def test_a_counter_that_began_again_is_carried_over(powercap: Path) -> None:
    package(powercap, 0, 990.0)
    meter, clock = meter_with_clock(CPU)
    end = meter.begin()
    clock.work(6 * SECOND)
    package(powercap, 0, 20.0)
    assert end()["cpu"] == pytest.approx(30.0)


@pytest.mark.parametrize(("seconds", "told"), [(4.99, False), (5.0, True)])
def test_a_window_of_less_than_five_seconds_has_no_energy(powercap: Path, seconds: float, told: bool) -> None:
    package(powercap, 0, 1.0)
    meter, clock = meter_with_clock(CPU)
    end = meter.begin()
    clock.work(round(seconds * SECOND))
    assert bool(end()) is told


def test_a_counter_that_may_not_be_read_is_absent(powercap: Path) -> None:
    (package(powercap, 0, 1.0) / "energy_uj").unlink()
    assert dict(EnergyMeter.of(CPU).counters) == {}


def test_a_counter_that_fails_in_between_is_left_out(powercap: Path) -> None:
    zone = package(powercap, 0, 1.0)
    meter, clock = meter_with_clock(CPU)
    end = meter.begin()
    clock.work(9 * SECOND)
    (zone / "energy_uj").write_text("broken", encoding="ascii")
    assert end() == {}


def test_a_gpus_counter_is_read_by_its_uuid_in_joules(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([1_000_000, 1_000_000, 1_900_000])  # mJ: found, begin, end
    library = fake_nvml.install(monkeypatch, TotalEnergyConsumption=lambda: next(readings))
    meter, clock = meter_with_clock(fake_nvml.CUDA)
    end = meter.begin()
    clock.work(6 * SECOND)
    assert end() == {"gpu": 900.0, "seconds": 6.0}
    assert library.asked_for == [f"GPU-{fake_nvml.UUID}"]


def test_a_gpus_counter_that_runs_backwards_gives_no_energy(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([500, 500, 3])
    fake_nvml.install(monkeypatch, TotalEnergyConsumption=lambda: next(readings))
    meter, clock = meter_with_clock(fake_nvml.CUDA)
    end = meter.begin()
    clock.work(6 * SECOND)
    assert end() == {}


def test_a_gpu_without_a_counter_gives_no_energy(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_nvml.install(monkeypatch)
    assert dict(EnergyMeter.of(fake_nvml.CUDA).counters) == {}


def test_idle_power_is_taken_off_for_the_same_time_and_only_where_both_were_measured() -> None:
    used = {"gpu": 1_000.0, "cpu": 80.0, "seconds": 8.0}
    assert above_idle(used, {"gpu": 300.0, "seconds": 6.0}) == {"gpu": 600.0}
