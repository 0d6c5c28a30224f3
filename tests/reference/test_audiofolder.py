"""What ``sample`` writes, read by the package that defines the AudioFolder layout."""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from clipsonic_eval.harness.sample import sample
from clipsonic_eval.types import Query


class _Hum:
    name = "hum"
    sample_rate = 16000

    def card(self) -> dict[str, Any]:
        return {}

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Any]:
        del seeds
        return [np.full(1600, 0.1, np.float32) for _ in queries]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves a table open
def test_a_folder_of_samples_loads_with_its_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = {"b-1": 'rain, "far"', "-a": "dog", "none": "NA", "line": "two\nlines"}
    queries = [Query(key, prompt, label="dog" if key == "-a" else None) for key, prompt in prompts.items()]
    sample(_Hum(), queries, tmp_path / "wavs")
    for name in ("torchcodec", "torchcodec.encoders"):  # it decodes; here only paths are read
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setattr(sys.modules["torchcodec.encoders"], "AudioEncoder", object, raising=False)
    read = datasets.load_dataset("audiofolder", data_dir=str(tmp_path / "wavs"), cache_dir=str(tmp_path / "cache"))
    rows = read["train"].cast_column("audio", datasets.Audio(decode=False))
    assert {row["key"]: Path(row["audio"]["path"]).name for row in rows} == {key: f"{key}.wav" for key in prompts}
    found = {row["key"]: row["prompt"] for row in rows}
    assert {key: found[key] for key in ("b-1", "-a", "line")} == {key: prompts[key] for key in ("b-1", "-a", "line")}
    assert {row["key"]: row["label"] for row in rows}["-a"] == "dog"
    del read, rows
    gc.collect()  # closes the table while the warning is expected
