"""The life of a training in its folder: claimed, trained or resumed, finished, and perhaps extended.

- A killed run resumes from its checkpoint, to the same result.
- A finished run can be extended to a larger ``train.steps`` if its learning rate does not depend on that number
  (``train.final_lr_ratio`` 1: constant after the warm-up); N and then M steps are N + M steps, to the bit. Where the
  rate decays until ``train.steps``, the first N steps of a longer run differ, and an extension is refused.
- Fine-tuning is a new run from finished weights, see :mod:`clipsonic.training.fine_tuning`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from clipsonic.training import checkpoint, loop, trackers
from clipsonic.training.config import TrainConfig
from clipsonic.training.execution import described
from clipsonic.training.observers import Observer
from clipsonic.training.processes import main_first, one_writer
from clipsonic_eval import outputs, threads
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.progress import Progress


class _Model(Protocol):
    def save(self, folder: Path) -> Path: ...


def try_folder(out: Path) -> None:
    """Test that a folder can be made and written, before anything is read; UserError if not."""
    with main_first():
        outputs.try_folder(out)


@contextlib.contextmanager
def claim(
    out: Path, identity: Mapping[str, Any], *, steps: int, parent: Mapping[str, Any] | None, overwrite: bool
) -> Iterator[bool]:
    """Claim a training's folder for the length of a ``with`` block.

    Args:
        out: the folder.
        identity: everything that decides the result, ``init_from`` aside; holds the number of steps only where the
            learning rate depends on it.
        steps: of the run.
        parent: card of the finished model that the run starts from, if any.
        overwrite: replace another training in the folder.

    Yields:
        Whether the folder holds the result already.

    Raises:
        UserError: the folder cannot be written, or holds another training.
    """
    if parent is not None:
        identity = {**identity, "init_from": parent["weights_sha256"]}
    if not overwrite:
        _refuse_other_steps(out, identity)
    with contextlib.ExitStack() as stack:
        with main_first():  # to the others the folder then holds this run, which they do not replace again
            stack.enter_context(outputs.claim(out, "train", identity, overwrite=overwrite))
        stack.enter_context(threads.networks())
        yield _is_finished(out, steps)


def complete(
    task: loop.TrainingTask,
    config: TrainConfig,
    out: Path,
    make_model: Callable[[dict[str, Any]], _Model],
    *,
    identity: str,
    settings: Mapping[str, Any],
    progress: Progress,
    observers: Sequence[Observer] = (),
) -> None:
    """Train a task to its end and write the model into a claimed folder.

    Args:
        task: what is trained.
        config: the optimisation.
        out: the folder; holds checkpoints while training goes on.
        make_model: from the part of the card that every training has (steps, losses, seconds, precision) to the model.
        identity: hash of everything that decides the result.
        settings: the resolved configuration, for ``config.json``.
        progress: shows a bar over the steps, and notes.
        observers: of the run, beside its trackers.
    """
    device = next(task.module.parameters()).device
    with one_writer(device) as writes:
        if writes:
            write_json(out / "config.json", settings)
    with trackers.opened(config, out, settings, note=progress.note) as tracking:
        told = [*observers, *tracking]
        result = loop.run(task, config, out, identity=identity, progress=progress, label=task.label, observers=told)
    card = {"identity": identity, "seed": config.seed, **result, "precision": described(config.precision, device)}
    model = make_model(card)
    with one_writer(device) as writes:
        if writes:
            model.save(out)
            checkpoint.remove(out, keep_newest=config.constant_rate)


def _is_finished(out: Path, steps: int) -> bool:
    """Return whether a claimed folder holds the result of a run of so many steps.

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
    """Refuse a folder whose run differs from this one in the number of steps only, and say why that matters."""
    changed = outputs.changes(out, "train", identity)
    if len(changed) == 1 and changed[0].startswith("train.steps: "):
        raise UserError(
            f"{out}: holds a run with {changed[0]}, whose learning rate falls to its end at the old number, so that no "
            "step would be the same; start a new run in another --out (with init_from, from these weights), or replace "
            "this one with --overwrite (runs with train.final_lr_ratio=1 can be made longer)"
        )
