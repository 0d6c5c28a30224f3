"""A stand-in for NVIDIA's management library and for the part of torch.cuda that names a GPU."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
import torch

UUID = "4b2f6a1e-0000-1111-2222-333344445555"
CUDA = torch.device("cuda", 0)


class NVMLError(Exception):
    """Not supported."""


class FakeNvml(types.ModuleType):
    """Answers from a dictionary; a function that is not listed is not supported."""

    NVMLError = NVMLError

    def __init__(self, **answers: Any) -> None:
        super().__init__("pynvml")
        self.answers = answers
        self.asked_for: list[str] = []

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        self.asked_for.append(uuid)
        if uuid != f"GPU-{UUID}":
            raise NVMLError("not found")
        return "handle"

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("nvmlDeviceGet"):
            raise AttributeError(name)

        def ask(handle: str, *arguments: int) -> Any:
            assert handle == "handle"
            key = "_".join([name.removeprefix("nvmlDeviceGet"), *map(str, arguments)])
            if key not in self.answers:
                raise NVMLError("not supported")
            answer = self.answers[key]
            return answer() if callable(answer) else answer

        return ask


def install(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> FakeNvml:
    """Give this process a GPU's name and a management library that knows it."""
    library = FakeNvml(**answers)
    monkeypatch.setitem(sys.modules, "pynvml", library)
    card = types.SimpleNamespace(uuid=UUID, name="Fake GPU", total_memory=8 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    return library
