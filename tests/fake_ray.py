"""A module in place of ``ray``: tasks run in this process when waited for, and lose their workers on demand."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest


class RayError(Exception):
    """Of Ray itself: a worker or a node is gone."""


class LocalRayletDiedError(RayError):
    """Of the node that this process is connected to."""


class RayTaskError(RayError):
    """Of the work."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Reference:
    """Of a task, as Ray's: equal only to itself."""

    def __init__(self, work: Callable[[Any], Any], part: Any) -> None:
        self.work, self.part = work, part


class FakeRay(types.ModuleType):
    """The few functions of Ray that the engine calls.

    Args:
        cpus: of the cluster.
        gpus: of the cluster.
        lose: ``lose(part, attempt)`` says whether an attempt, counted from 1, loses its worker.
    """

    def __init__(
        self, cpus: float = 2.0, lose: Callable[[Any, int], bool] = lambda part, attempt: False, gpus: float = 0.0
    ) -> None:
        super().__init__("ray")
        self.exceptions = types.SimpleNamespace(
            RayError=RayError, RayTaskError=RayTaskError, LocalRayletDiedError=LocalRayletDiedError
        )
        self.settings: dict[str, Any] = {}
        self.options: dict[str, Any] = {}
        self.attempts: list[Any] = []
        self.in_flight = self.most_in_flight = 0
        self.cancelled: list[Any] = []
        self.down = self.node_is_lost = False
        self._cpus, self._gpus, self._lose = cpus, gpus, lose

    def init(self, **settings: Any) -> None:
        if settings["address"] == "ray-head:1":
            raise ConnectionError("nobody answers there")
        self.settings = settings

    def shutdown(self) -> None:
        self.down = True

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": self._cpus, "GPU": self._gpus}

    def remote(self, **options: Any) -> Callable[[Callable[[Any], Any]], Any]:
        self.options = options

        def task(work: Callable[[Any], Any]) -> Any:
            def submit(part: Any) -> Reference:
                self.attempts.append(part)
                self.in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
                return Reference(work, part)

            return types.SimpleNamespace(remote=submit)

        return task

    def wait(self, references: list[Any], *, num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        del timeout
        return references[-num_returns:], references[:-num_returns]  # the last first: order is not promised

    def get(self, reference: Reference) -> Any:
        work, part = reference.work, reference.part
        self.in_flight -= 1
        if self.node_is_lost:
            raise LocalRayletDiedError("The local raylet died.")
        if self._lose(part, self.attempts.count(part)):
            raise RayError("The node was lost.\nA long explanation.")
        try:
            return work(part)
        except Exception as error:
            raise RayTaskError(error) from None

    def cancel(self, reference: Reference, *, force: bool) -> None:
        assert force
        self.cancelled.append(reference.part)


def installed(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> FakeRay:
    """Put a :class:`FakeRay` in place of Ray.

    Args:
        monkeypatch: of the test.
        settings: of the stand-in.
    """
    ray = FakeRay(**settings)
    in_its_place(monkeypatch, ray)
    return ray


def in_its_place(monkeypatch: pytest.MonkeyPatch, module: types.ModuleType | None) -> None:
    """Put a module in place of Ray, or none; the variables that connecting sets end with the test."""
    monkeypatch.setitem(sys.modules, "ray", module)
    for name in ("RAY_ADDRESS", "RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        monkeypatch.setenv(name, "")  # so that the end of the test restores it
        monkeypatch.delenv(name)
