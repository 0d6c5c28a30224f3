"""Checkpoints of a training run: safetensors, JSON and their hashes, replaced as a whole; the last two are kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from clipsonic.training.weights import FlatWeights
from clipsonic_eval import atomic
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_text
from clipsonic_eval.hashing import check_sums, write_sums

FOLDER, EARLIER = "checkpoint", "checkpoint.earlier"
_TREE, _TENSORS = "state.json", "state.safetensors"


@dataclass(slots=True)
class Checkpoint:
    """State of a run after some steps.

    Attributes:
        identity: hash of everything that decides the result.
        step: number of the next step.
        seconds: spent so far.
        log: rows of the log so far.
        threads: of torch on the processor, on which sums depend by rounding; 0: not known.
        loss_scale: factor on the loss in fp16, and the steps since it last changed.
        tensors: weights (``model.``), their EMA (``average``), further averages (``profile.<number>``), the moments of
            the optimisers (``opt.<number>.``), and sum and number of the losses since the last log row (``window``).
    """

    identity: str
    step: int
    seconds: float
    log: list[dict[str, Any]]
    threads: int = 0
    loss_scale: tuple[float, int] = (1.0, 0)
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)


def write(
    folder: Path,
    state: Checkpoint,
    weights: FlatWeights,
    optimizers: Sequence[torch.optim.Optimizer],
    window: torch.Tensor,
    *,
    writes: bool = True,
) -> None:
    """Write ``folder/checkpoint``; the previous one is kept next to it, as ``checkpoint.earlier``.

    All processes call it, since each may keep a part of the state; the files do not depend on their number.

    Args:
        folder: of the run.
        state: all but the tensors.
        weights: of the network, and their average.
        optimizers: that share the weights.
        window: (2,) or (12,) float64, sum and number of the losses since the last log row, of all processes, and
            those by noise level.
        writes: whether this process is the one that writes.
    """
    tensors: dict[str, torch.Tensor] = {}

    def take(name: str, value: torch.Tensor) -> None:
        if writes:
            tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)

    take("window", window)
    for name, value in weights.state():
        take(f"model.{name}", value)
    take("average", weights.whole(weights.average))
    for number, profile in enumerate(weights.profiles.averages):
        take(f"profile.{number}", weights.whole(profile))
    for number, parameter, moments in _moments(optimizers):
        for key, value in moments.items():
            take(f"opt.{number}.{key}", weights.whole(torch.as_tensor(value), parameter))
    if writes:
        _replace(folder, state, tensors)


def _replace(folder: Path, state: Checkpoint, tensors: dict[str, torch.Tensor]) -> None:
    _sweep(folder)
    with atomic.replacing_folder(folder / FOLDER, kept=folder / EARLIER) as temporary:
        save_file(tensors, temporary / _TENSORS)
        tree = {k: v for k, v in asdict(state).items() if k != "tensors"}
        (temporary / _TREE).write_text(json.dumps(tree), encoding="utf-8")
        write_sums(temporary, (_TREE, _TENSORS))


def read(folder: Path, identity: str, *, note: Callable[[str], None] = lambda _: None) -> Checkpoint | None:
    """Return the last intact checkpoint of a folder, None if there is none.

    All files are checked against their hashes. If the newest checkpoint is damaged, that is noted and the one before it
    is returned.

    Args:
        folder: of the run.
        identity: hash of everything that decides the result.
        note: takes a sentence about a damaged checkpoint.

    Raises:
        UserError: the checkpoint belongs to a run of another configuration or other data, or all are damaged.
    """
    there = [path for path in (folder / FOLDER, folder / EARLIER) if path.is_dir()]
    problem = ""
    for path in there:
        try:
            state = _read(path)
        except UserError as error:
            problem = problem or str(error)
            continue
        if state.identity != identity:
            raise UserError(
                f"{path}: belongs to a run of another configuration or other clips ({state.identity}, now {identity}); "
                "give another --out, or remove it to start again"
            )
        if problem:
            note(f"{problem}: going on from the checkpoint before it, step {state.step}")
            shutil.rmtree(there[0], ignore_errors=True)  # or the next one written would push out the good one
        return state
    if problem:
        folders = " and ".join(str(path) for path in there)
        raise UserError(f"{problem}, and there is no other good checkpoint; remove {folders} to start again")
    return None


def _read(path: Path) -> Checkpoint:
    """Return one checkpoint; UserError if it is damaged."""
    check_sums(path, (_TREE, _TENSORS), UserError, fix="it is not used")
    try:
        state = Checkpoint(**json.loads(read_text(path / _TREE)))  # plain json: a loss in the log may be NaN
        state.tensors = load_file(path / _TENSORS)
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise UserError(f"{path}: not readable ({str(error).splitlines()[0]}), it is not used") from None
    return state


def apply(
    state: Checkpoint,
    weights: FlatWeights,
    optimizers: Sequence[torch.optim.Optimizer],
    window: torch.Tensor,
) -> None:
    """Load the tensors of a checkpoint into weights, optimisers and window (2,); as in :func:`write`."""
    tensors = state.tensors
    with torch.no_grad():
        window.copy_(tensors["window"])
        own = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        weights.load(own)
        weights.average.copy_(weights.kept(tensors["average"]))
        for number, profile in enumerate(weights.profiles.averages):
            profile.copy_(weights.kept(tensors[f"profile.{number}"]))
        weights.cast()
    for number, parameter, moments in _moments(optimizers):
        start = f"opt.{number}."
        found = {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
        device = weights.average.device
        moments.update({key: weights.kept(value, parameter).to(device, copy=True) for key, value in found.items()})


def _moments(optimizers: Sequence[torch.optim.Optimizer]) -> list[tuple[int, torch.nn.Parameter, dict[str, Any]]]:
    """Return number, parameter and state of every parameter of the optimisers, in their order."""
    parameters = [(o, p) for o in optimizers for group in o.param_groups for p in group["params"]]
    return [(number, p, optimizer.state[p]) for number, (optimizer, p) in enumerate(parameters)]


def is_there(folder: Path) -> bool:
    """Return whether the folder holds a checkpoint, intact or not."""
    return any((folder / name).is_dir() for name in (FOLDER, EARLIER))


def remove(folder: Path, *, keep_newest: bool = False) -> None:
    """Remove the checkpoints of a finished run.

    Args:
        folder: of the run.
        keep_newest: the run may be extended from there.
    """
    for name in (EARLIER,) if keep_newest else (FOLDER, EARLIER):
        shutil.rmtree(folder / name, ignore_errors=True)
    _sweep(folder)


def _sweep(folder: Path) -> None:
    """Remove temporary folders of a killed writer; there is one writer at a time."""
    for left in folder.glob(f".{FOLDER}.*"):
        shutil.rmtree(left, ignore_errors=True)
