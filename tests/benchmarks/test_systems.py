"""Systems from query to wav, on a GPU where there is one; untrained, which does not change what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from unit.systems.tiny_systems import write_model, write_prior

from clipsonic_eval.bench.targets import default_queries
from clipsonic_eval.systems import resolve

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
QUERIES = default_queries()
STEPS = 10


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "video", "image")
    write_prior(folder / "prior")
    return folder


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("name", ["ZeroShot", "PriorGuided"])
def test_a_request(benchmark: Any, models: Path, name: str, batch: int) -> None:
    settings = {"model": str(models / "video"), "steps": STEPS, "device": DEVICE}
    if name == "PriorGuided":
        settings["prior"] = str(models / "prior")
    system = resolve(f"clipsonic.systems:{name}", settings)
    benchmark.group = f"{name}, {batch} queries, {STEPS} steps, on {DEVICE}"
    benchmark.extra_info["who"] = "ours"
    benchmark.extra_info["units"] = batch

    def run() -> list[np.ndarray[Any, Any]]:
        system.forget()  # type: ignore[attr-defined]
        return system.generate(QUERIES[:batch], range(batch))  # waits for the device: the wavs are on the host

    found = benchmark.pedantic(run, rounds=5, warmup_rounds=2)
    assert len(found) == batch
    assert all(np.isfinite(wav).all() and wav.dtype == np.float32 for wav in found)
