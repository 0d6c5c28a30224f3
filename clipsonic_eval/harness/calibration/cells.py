"""Cells of a simulation, each kept in a file of its own, so that a stopped simulation goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clipsonic_eval import threads
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import seal, unsealed


def kept(path: Path, identity: str, simulate: Callable[[], Any]) -> Any:
    """Return the result of a cell: what its file holds, else what is simulated now and written there.

    Args:
        path: of the cell's file. One that is damaged or of another identity is replaced.
        identity: hash of everything that the result depends on.
        simulate: returns the result, JSON values; runs on one thread.
    """
    try:
        stored = unsealed(read_json(path))
        if stored.get("identity") == identity and "result" in stored:
            return stored["result"]
    except (UserError, ValueError):
        pass
    with threads.limited():
        result = simulate()
    write_json(path, seal({"identity": identity, "result": result}))
    return result
