"""What a run goes on from: its own folder, or the weights of a finished model (``init_from``).

- A killed run goes on from its checkpoint, to the same result.
- A finished run goes on to a larger ``train.steps`` if its learning rate does not depend on that number
  (``train.final_lr_ratio`` 1: constant after the warm-up); N and then M steps are N + M steps, to the bit. Where the
  rate falls to its end at ``train.steps``, the first N steps of a longer run are others, and the wish is refused.
- ``init_from`` takes the weights of a finished model, and the scale of the data that belongs to them, into a new run
  with clips, steps and optimisation of its own; what decides the meaning of the weights must be the same.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clipsonic.training import checkpoint
from clipsonic_eval import outputs
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.files import read_json

_SPACE_KEYS = ("name", "weights_sha256", "dim")
# the same weights serve another length of clip, and dropout has none
_FREE_OPTIONS = ("frames", "dropout")


@contextlib.contextmanager
def claim(
    out: Path, identity: Mapping[str, Any], *, steps: int, parent: Mapping[str, Any] | None, overwrite: bool
) -> Iterator[bool]:
    """Take possession of a training's folder for the length of a ``with`` block.

    Args:
        out: the folder.
        identity: what decides the result of the run, ``init_from`` aside; holds the number of steps only where the
            learning rate depends on it.
        steps: of the run.
        parent: card of the finished model that it starts from, if there is one.
        overwrite: replace another training in the folder.

    Yields:
        Whether the folder holds the result already.

    Raises:
        UserError: the folder cannot be written, or holds something else.
    """
    if parent is not None:
        identity = {**identity, "init_from": parent["weights_sha256"]}
    if not overwrite:
        _refuse_other_steps(out, identity)
    with outputs.claim(out, "train", identity, overwrite=overwrite):
        yield _finished(out, steps)


def _finished(out: Path, steps: int) -> bool:
    """Return whether a model's folder, which was claimed for a run, holds its result.

    Args:
        out: the folder.
        steps: of the run.

    Raises:
        UserError: it holds the result of more steps, or of fewer and no checkpoint to go on from.
    """
    if not (out / "model_index.json").is_file():
        return False
    done = int(read_json(out / "card.json")["steps"])
    if done > steps:
        raise UserError(f"{out}: holds a model of {done} steps, and {steps} are asked for; name another --out")
    if done < steps and not checkpoint.is_there(out):
        raise UserError(
            f"{out}: holds a model of {done} steps, but no {checkpoint.FOLDER}/ to take more steps from; start a "
            f"new run in another --out with init_from={out}"
        )
    return done == steps


def _refuse_other_steps(out: Path, identity: Mapping[str, Any]) -> None:
    """Refuse a folder whose run differs from this one in nothing but the steps, and say why that matters."""
    changed = outputs.changes(out, "train", identity)
    if len(changed) == 1 and changed[0].startswith("train.steps: "):
        raise UserError(
            f"{out}: holds a run with {changed[0]}, whose learning rate falls to its end at the old number, so that no "
            "step would be the same; start a new run in another --out (with init_from, from these weights), or replace "
            "this one with --overwrite (runs with train.final_lr_ratio=1 can be made longer)"
        )


def network_tree(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides which weights a network has, of its registry name and its configuration."""
    kept = {k: v for k, v in options.items() if k not in _FREE_OPTIONS and not k.startswith("_")}
    return {"name": name, **kept}


def space_tree(space: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the meaning of embeddings, of an encoder card as JSON."""
    return {key: space.get(key) for key in _SPACE_KEYS}


def check_fits(folder: Path, parent: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """Refuse a parent whose weights mean something else than the run's would.

    Args:
        folder: of the parent.
        parent: what decides the meaning of its weights, as a tree.
        run: the same of the run.

    Raises:
        ConfigError: they differ; the message says in what.
    """
    before, after = (json.loads(json.dumps(as_tree(tree))) for tree in (parent, run))
    changed = outputs.differences(before, after)
    if changed:
        raise ConfigError(
            f"init_from {folder}: its weights do not fit this run (theirs → this run's: {outputs.listing(changed)}); "
            "configure what they were trained with, or start without init_from"
        )


def lineage(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run's card says of its parent: the hash of the weights, and where those came from."""
    named = ("weights_sha256", "identity", "steps", "clips", "data", "init_from")
    return {key: card[key] for key in named if key in card}
