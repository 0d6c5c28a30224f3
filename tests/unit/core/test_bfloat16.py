from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from clipsonic_eval import bfloat16
from clipsonic_eval.bfloat16 import autocast
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders.vggish.network import Vggish

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _not_warned_yet() -> Iterator[None]:
    bfloat16._warn.cache_clear()
    yield
    bfloat16._warn.cache_clear()


def processor(monkeypatch: pytest.MonkeyPatch, **instructions: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions, raising=False)


def computed(configured: bfloat16.Precision) -> torch.dtype:
    with autocast(configured, CPU):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


@pytest.mark.parametrize("name", ["avx512_bf16", "amx_bf16", "bf16", "sve_bf16"])
def test_auto_takes_bf16_where_the_processor_has_instructions_for_it(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    processor(monkeypatch, **{name: True})
    assert computed("auto") == torch.bfloat16
    assert bfloat16.described("auto", "cpu") == bfloat16.described("bf16", CPU) == "bf16"


def test_auto_takes_fp32_where_the_processor_would_emulate_bf16(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    processor(monkeypatch, avx512_f=True, avx512_bf16=False, amx_tile=True, amx_bf16=False)
    assert computed("auto") == computed("fp32") == torch.float32
    assert bfloat16.described("auto", "cpu") == "fp32"
    assert not caplog.records


def test_bf16_by_name_is_taken_anywhere_and_its_cost_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    processor(monkeypatch)
    with caplog.at_level(logging.WARNING):
        assert computed("bf16") == computed("bf16") == torch.bfloat16
    assert [r.message.partition(",")[0] for r in caplog.records] == [
        "the network: this processor has no instructions for bf16 and emulates it"
    ]
    assert bfloat16.described("bf16", "cpu") == "bf16 (emulated)"


def test_a_gpu_that_emulates_bf16_has_it_not(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert bfloat16.chosen("auto", "cuda:1", "x") == "fp32"
    assert not caplog.records
    assert bfloat16.chosen("bf16", "cuda:1", "x") == "bf16"
    assert "x: this GPU has no instructions for bf16" in caplog.text


def test_encoders_say_it_too(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    save_file(Vggish().state_dict(), tmp_path / "weights.safetensors")
    processor(monkeypatch, avx512_bf16=True)
    ENCODERS["vggish"](tmp_path / "weights.safetensors", precision="bf16")
    assert not caplog.records
    processor(monkeypatch)
    ENCODERS["vggish"](tmp_path / "weights.safetensors", precision="fp32")
    assert not caplog.records
    ENCODERS["vggish"](tmp_path / "weights.safetensors", precision="bf16")
    assert "vggish: this processor has no instructions for bf16" in caplog.text
