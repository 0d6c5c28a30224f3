"""Whole cases: on a GPU where there is one, and the command of ``tox -e bench-gpu`` at a small size without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmarks import gpu
from click.testing import CliRunner

from clipsonic_eval import records
from clipsonic_eval.bench.cases import BenchConfig, Target, cases
from clipsonic_eval.bench.run import measure_in_a_process
from clipsonic_eval.cli import main
from clipsonic_eval.config import read_yaml

TINY = {
    "name": "unet2d",
    "options": {"patch": 1, "channels": [8, 16], "attention": 1, "head_dim": 8, "embedding": 16, "groups": 4},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gpu.write_untrained(tmp_path_factory.mktemp("model") / "m", TINY, frames=32)


def measured(model: Path, **settings: Any) -> dict[str, Any]:
    target = Target("clipsonic.systems:ZeroShot", settings={"model": str(model), "steps": 3, **settings})
    config = BenchConfig(targets=(target,), processes=1, calls=6)
    return measure_in_a_process(cases(config)[0].request(config, 0))


def test_the_command_of_the_gpu_environment_measures_a_2d_network(model: Path, tmp_path: Path) -> None:
    options = ["--grid", "channels_last=false,true", "--set", "steps=2", "--processes", "1", "--calls", "6"]
    done = CliRunner().invoke(main, gpu.command(model, tmp_path / "out", options, device="cpu"))
    assert done.exit_code == 0, done.output
    record = records.read(tmp_path / "out")
    assert record.system_names == ("paper-scale channels_last=false", "paper-scale channels_last=true")
    assert record.systems["paper-scale channels_last=true"]["channels_last"] is True
    assert record.systems["paper-scale channels_last=false"]["bench"]["clock"] == "wall clock"


def test_the_network_of_the_gpu_environment_is_the_papers() -> None:
    network = read_yaml(gpu.PAPER)["network"]
    assert network["name"] == "unet2d"
    assert network["options"]["channels"] == [128, 256, 512, 640]


def test_stages_and_the_rest_are_the_whole_request(model: Path) -> None:
    told = measured(model, device="cpu")
    outermost = [times for path, times in told["stages_ns"].items() if "/" not in path]
    assert [path for path in told["stages_ns"] if "/" not in path] == ["condition", "denoiser", "vocoder"]
    for total, *parts in zip(told["requests_ns"], *outermost, strict=True):
        assert 0 <= total - sum(parts) < 0.25 * total
    assert told["memory_host"] > 0
    assert "memory_device_allocated" not in told


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")
def test_a_compiled_case_pays_for_its_compilation_in_the_first_call(model: Path) -> None:
    plain, compiled = (measured(model, device="cpu", compile=compile) for compile in (False, True))
    assert compiled["first_ns"] > 5 * plain["first_ns"]
    assert compiled["first_ns"] > 5 * max(compiled["requests_ns"])


@pytest.mark.gpu
def test_a_case_on_a_gpu_is_read_from_events_and_tells_the_devices_memory(model: Path) -> None:
    told = measured(model, device="cuda")
    assert (told["device"], told["clock"]) == ("cuda", "CUDA events")
    assert told["memory_device_reserved"] >= told["memory_device_allocated"] > 0
    assert told["machine"]["compared"]["gpu"]["name"]
    outermost = sum(sum(times) for path, times in told["stages_ns"].items() if "/" not in path)
    assert outermost <= 1.01 * sum(told["requests_ns"])


@pytest.mark.gpu
def test_a_batch_that_does_not_fit_is_told_as_a_sentence(model: Path) -> None:
    from clipsonic_eval.bench.process import WorkerError

    with pytest.raises(WorkerError, match="out of memory"):
        measured(model, device="cuda", batch=64, length=40.96 * 100)
