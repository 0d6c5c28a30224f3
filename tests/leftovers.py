"""What a test leaves behind for those after it, and the sentence that names it."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_OURS = ("clipsonic_eval.", "clipsonic.", "paired_tta.")
_REGISTRIES = {
    "clipsonic.networks": "NETWORKS",
    "clipsonic.vocoders": "VOCODERS",
    "clipsonic_eval.conventions": "CONVENTIONS",
    "clipsonic_eval.datasets": "DATASETS",
    "clipsonic_eval.encoders": "ENCODERS",
    "clipsonic_eval.metrics": "METRICS",
    "clipsonic_eval.systems": "SYSTEMS",
}
# set up once by installed packages, for each test by pytest, and from a user's file under a name made of its content
_THEIR_VARIABLES = ("PYTEST_", "KMP_", "TORCHINDUCTOR_")
_THEIR_MODULES = ("cython", "_cython", "_remote_module_", "_clipsonic_user_")
_PATIENCE_S = 10.0  # for threads and processes that were told to end

State = Mapping[str, Mapping[str, Any]]


def state() -> State:
    """Return what tests share with each other in this process: a mapping of names to values by kind."""
    return {
        "environment variable": {k: v for k, v in os.environ.items() if not k.startswith(_THEIR_VARIABLES)},
        "setting": dict(_settings()),
        "module": {n: module for n, module in sys.modules.copy().items() if "." not in n or n.startswith(_OURS)},
        **dict(_registries()),
    }


def left(before: State) -> list[str]:
    """Return what is no longer as it was, a few words each.

    Packages that are imported for the first time are nobody's fault.

    Args:
        before: an earlier :func:`state`.
    """
    now = state()
    found = []
    for kind in before.keys() & now.keys():
        old, new = before[kind], now[kind]
        gone = [f"{kind} {name} is gone" for name in old.keys() - new.keys()]
        changed = [f"{kind} {name} is another" for name in old.keys() & new.keys() if not _same(old[name], new[name])]
        more = [f"{kind} {name} is new" for name in new.keys() - old.keys() if kind != "module"]
        found += gone + changed + more
    paths = tuple(filter(None, before["setting"]["sys.path"]))
    imported = {name: now["module"][name] for name in now["module"].keys() - before["module"].keys()}
    found += [f"module {name} is new" for name, module in imported.items() if _foreign(name, module, paths)]
    return sorted(found)


def at_work(before: set[int]) -> list[str]:
    """Return the threads and child processes that were not there before and do not end.

    Args:
        before: an earlier :func:`workers`.
    """
    if workers() <= before:
        return []
    gc.collect()  # pools of threads end with their last holder
    for worker in _workers():
        if worker.ident not in before and worker is not threading.current_thread():
            worker.join(_PATIENCE_S)
    return sorted(f"{type(w).__name__.lower()} '{w.name}' goes on" for w in _workers() if w.ident not in before)


def workers() -> set[int]:
    """Return the identifiers of threads that a process waits for at its end, and of child processes."""
    return {worker.ident for worker in _workers() if worker.ident is not None}


def _workers() -> list[Any]:
    return [*(t for t in threading.enumerate() if not t.daemon), *multiprocessing.active_children()]


def _settings() -> Iterator[tuple[str, Any]]:
    yield "working directory", Path.cwd()
    yield "sys.path", tuple(sys.path)
    yield "SIGINT", signal.getsignal(signal.SIGINT)
    yield "SIGTERM", signal.getsignal(signal.SIGTERM)


def _registries() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield those that have been filled: before, every import may add to them."""
    for module, name in _REGISTRIES.items():
        registry = getattr(sys.modules.get(module), name, None)
        if registry is not None and registry._scanned:
            yield f"entry of {name}", dict(registry._items)


def _foreign(name: str, module: object, paths: tuple[str, ...]) -> bool:
    """Whether a module is from nowhere or from a folder that a test has put into the way."""
    spec = getattr(module, "__spec__", None)
    origin = spec and spec.origin
    known = spec is not None and (origin in (None, "built-in", "frozen") or origin.startswith(paths))
    return not known and not name.startswith(_THEIR_MODULES)


def _same(old: object, new: object) -> bool:
    return old is new or (isinstance(old, (str, tuple, Path)) and old == new)
