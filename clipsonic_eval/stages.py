"""Stages of a request, marked where they happen and timed only while someone measures.

A system marks its stages; outside a measurement that costs a fraction of a microsecond::

    with stage("denoiser"):
        for t in timesteps:
            with stage("step"):
                ...

Stages nest: the step above is ``denoiser/step``. Names that tables know: ``condition``, ``prior``, ``denoiser`` (and
its ``step``), ``vocoder``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class StageRecorder(Protocol):
    """Receives the beginnings and ends of stages, properly nested."""

    def begin(self, name: str) -> None:
        """Note the beginning of a stage."""
        ...

    def end(self, name: str) -> None:
        """Note the end of a stage; called also where the stage raised."""
        ...


_recorder: ContextVar[StageRecorder | None] = ContextVar("stage_recorder", default=None)


class stage:  # noqa: N801 -- reads as a statement, and a class costs half of a generator
    """Context manager that marks a stage of a request."""

    __slots__ = ("_name", "_recorder")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._recorder = _recorder.get()
        if self._recorder is not None:
            self._recorder.begin(self._name)

    def __exit__(self, *exception: object) -> None:
        if self._recorder is not None:
            self._recorder.end(self._name)


@contextmanager
def recorded_by(recorder: StageRecorder) -> Iterator[None]:
    """Send the stages of the block to a recorder."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)
