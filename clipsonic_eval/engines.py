"""Engines for large jobs: parts run in processes of this machine or as tasks of Ray Core.

A part is named by a small value, its work reads and writes files, and its answer is smaller than a kilobyte: no data
pass through an engine, and what is complete on the disk is complete whichever engine made it.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, Final, Literal, TypeVar

from clipsonic_eval import lifetime, threads
from clipsonic_eval.errors import ConfigError, UserError, listed

P = TypeVar("P")
A = TypeVar("A")
Engine = Literal["local", "ray"]

_ATTEMPTS: Final = 5  # of a part whose worker or node is lost
_PAUSE_S: Final = 1.0  # before the second attempt it is twice this, before the third four times
_AHEAD: Final = 2  # parts in flight for each that the cluster has room for; they also tell an autoscaler to grow
_STORE_BYTES: Final = 80 * 2**20  # of Ray's object store, which stays empty: about the least that Ray accepts


def in_processes(work: Callable[[P], A], parts: Iterable[P], processes: int) -> Iterator[tuple[P, A]]:
    """Run parts in some processes with one thread each; yield each part with its answer, in order.

    Args:
        work: a function of a module; it leaves nothing half done if it is killed.
        parts: small values that can be pickled.
        processes: at a time; 1: in this process.

    Raises:
        UserError: of the work, or a process was killed.
    """
    if processes == 1:
        yield from ((part, work(part)) for part in parts)
        return
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(processes, mp_context=context, initializer=begin_worker) as pool:
        named = list(parts)
        try:
            yield from zip(named, pool.map(work, named), strict=True)
        except BrokenProcessPool:
            raise UserError(
                "one of the processes was killed, or the machine is out of memory; run the same command again to "
                "continue, with fewer processes"
            ) from None


def begin_worker() -> None:
    """Begin a process of a pool: one thread, and an end with the process that the pool belongs to."""
    threads.keep_one()
    lifetime.end_with_parent()


def check_gpus(engine: Engine, device: str, gpus: float) -> None:
    """Refuse a share of a GPU that no task can get, or that nothing would use.

    Raises:
        ConfigError: it makes no sense.
    """
    if gpus < 0 or (gpus > 1 and gpus % 1):
        raise ConfigError(f"gpus_per_task {gpus:g}: a share of one GPU, or a whole number of them")
    if engine != "ray" and gpus:
        raise ConfigError(f"gpus_per_task {gpus:g}: is for engine ray; leave it out, or give --engine ray")
    if engine == "ray" and device == "cuda" and not gpus:
        raise ConfigError("engine ray with device cuda: say how much of a GPU a task gets, e.g. gpus_per_task=0.25")


def on_ray(
    work: Callable[[P], A], parts: Iterable[P], *, cpus: float = 1.0, gpus: float = 0.0
) -> Iterator[tuple[P, A]]:
    """Run parts as tasks of Ray Core; yield each part with its answer as it ends.

    The cluster is the one that ``RAY_ADDRESS`` names; without it, one is started on this machine. A part whose worker
    or node is lost runs again, five times in all; Ray itself retries nothing, since it would not stop where memory runs
    out. A few parts are in flight at a time, so the memory of this process does not grow with their number.

    Args:
        work: a function of a module that every node can import; it leaves nothing half done if it is killed.
        parts: small values that can be pickled.
        cpus: cores of a task.
        gpus: GPUs of a task, or the share of one.

    Raises:
        UserError: Ray is not installed or cannot be reached, of the work, or parts were lost five times; then all
            others are done.
    """
    with _connected() as ray:
        _refuse_what_never_fits(ray, cpus, gpus)
        task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(work)
        again = _Again()
        running: dict[Any, P] = {}
        source = iter(parts)
        try:
            while True:
                free = max(0, _room(ray, cpus, gpus) - len(running))
                new = again.due(free)
                new += islice(source, free - len(new))
                running |= {task.remote(part): part for part in new}
                if not running:
                    if not again.wait():
                        break
                    continue
                for reference in ray.wait(list(running), num_returns=1, timeout=5)[0]:
                    part = running.pop(reference)
                    try:
                        answer = ray.get(reference)
                    except ray.exceptions.RayTaskError as error:
                        raise (error.cause if isinstance(error.cause, (UserError, OSError)) else error) from None
                    except ray.exceptions.LocalRayletDiedError:  # of this process's own node: nothing can run
                        raise
                    except ray.exceptions.RayError as error:  # the worker, its node or its memory is gone
                        again.add(part, error)
                    else:
                        yield part, answer
        finally:
            with contextlib.suppress(ray.exceptions.RayError, RuntimeError):  # the cluster may be gone
                for reference in running:
                    ray.cancel(reference, force=True)
    if again.lost:
        raise UserError(
            f"{listed(again.lost)}: the worker was lost {_ATTEMPTS} times; the other parts are done, the same command "
            "tries these again"
        )


class _Again:
    """Parts that lost their worker, each to run again after a while that doubles: a cluster needs time to recover."""

    def __init__(self) -> None:
        self._attempts: collections.Counter[str] = collections.Counter()
        self._parts: list[tuple[float, Any]] = []
        self.lost: list[str] = []

    def add(self, part: Any, error: Exception) -> None:
        """Note that a part was lost, for the last time or not."""
        self._attempts[str(part)] += 1
        n = self._attempts[str(part)]
        if n < _ATTEMPTS:
            self._parts.append((time.monotonic() + _PAUSE_S * 2**n, part))
        else:
            self.lost.append(f"{part} ({_first_line(error)})")

    def due(self, most: int) -> list[Any]:
        """Take parts whose time has come, at most so many."""
        now = time.monotonic()
        ready = [entry for entry in self._parts if entry[0] <= now][:most]
        self._parts = [entry for entry in self._parts if entry not in ready]
        return [part for _, part in ready]

    def wait(self) -> bool:
        """Sleep until a part is due; return whether there is one."""
        if self._parts:
            time.sleep(max(0.0, min(due for due, _ in self._parts) - time.monotonic()))
        return bool(self._parts)


def _refuse_what_never_fits(ray: Any, cpus: float, gpus: float) -> None:
    """Refuse tasks too large for this machine; a cluster may have an autoscaler that adds nodes.

    Raises:
        UserError: a task asks for more than there is.
    """
    if os.environ.get("RAY_ADDRESS"):
        return
    there = ray.cluster_resources()
    for name, asked in (("CPU", cpus), ("GPU", gpus)):
        if asked > there.get(name, 0.0):
            raise UserError(
                f"engine ray: a task asks for {asked:g} {name}, and this machine has {there.get(name, 0.0):g}; set "
                "RAY_ADDRESS to a cluster that has them, or ask for less (--workers, gpus_per_task)"
            )


def _room(ray: Any, cpus: float, gpus: float) -> int:
    """Return how many parts to have in flight on the cluster as it is now."""
    there = ray.cluster_resources()
    rooms = [there.get(name, 0.0) / asked for name, asked in (("CPU", cpus), ("GPU", gpus)) if asked]
    return _AHEAD * max(1, int(min(rooms, default=1.0)))


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


@contextlib.contextmanager
def _connected() -> Iterator[Any]:
    """Yield the module ``ray``, connected to a cluster.

    Raises:
        UserError: it is not installed, or there is no cluster at ``RAY_ADDRESS``.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise UserError("engine ray: Ray is not installed; pip install 'clipsonic-eval[ray]'") from None
    address = os.environ.get("RAY_ADDRESS")
    settings: dict[str, Any] = {"address": address, "logging_level": logging.ERROR, "log_to_driver": False}
    if not address:
        own = {"num_cpus": threads.cores(), "object_store_memory": _STORE_BYTES, "include_dashboard": False}
        settings |= {**own, "address": "local"}
    try:
        ray.init(**settings)
    except Exception as error:  # of any kind: a node that did not start in time is a plain one
        where = f"RAY_ADDRESS={address}" if address else "this machine"
        again = "" if address else "; run the same command again to continue"
        raise UserError(f"engine ray: no cluster at {where} ({_first_line(error)}){again}") from None
    try:
        yield ray
    except ray.exceptions.RayTaskError:  # a fault of the work
        raise
    except ray.exceptions.RayError as error:
        raise UserError(
            f"engine ray: the connection to the cluster is lost ({_first_line(error)}); run the same command again to "
            "continue"
        ) from None
    finally:
        ray.shutdown()
