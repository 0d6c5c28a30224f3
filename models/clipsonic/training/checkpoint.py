"""Checkpoints of a run: safetensors and JSON in one folder that is replaced whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from clipsonic_eval import atomic
from clipsonic_eval.errors import UserError

FOLDER = "checkpoint"


@dataclass(slots=True)
class State:
    """Where a run stands.

    Attributes:
        identity: hash of what decides the result.
        step: the next one's number.
        seconds: spent so far.
        log: the lines of the log so far.
        tensors: weights (``model.``), their average (``average.``), the optimiser's moments (``exp_avg.``,
            ``exp_avg_sq.``, ``opt_step.``) and the losses since the last log line (``window``).
    """

    identity: str
    step: int
    seconds: float
    log: list[dict[str, Any]]
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)


def _names(module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return list(module.named_parameters())


def write(
    folder: Path,
    state: State,
    module: nn.Module,
    average: dict[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
    window: torch.Tensor,
) -> None:
    """Write ``folder/checkpoint``; the old one stays until the new one is complete."""
    tensors = {"window": window}
    tensors |= {f"model.{name}": value for name, value in module.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.items()}
    for name, parameter in _names(module):
        moments = optimizer.state.get(parameter, {})
        tensors |= {f"opt.{key}.{name}": torch.as_tensor(value) for key, value in moments.items()}
    with atomic.replacing_folder(folder / FOLDER) as temporary:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary / "state.safetensors")
        tree = {k: v for k, v in asdict(state).items() if k != "tensors"}
        (temporary / "state.json").write_text(json.dumps(tree), encoding="utf-8")


def read(folder: Path, identity: str) -> State | None:
    """Return the folder's checkpoint, None if there is none.

    Raises:
        UserError: it belongs to a run of another configuration or other data, or is not readable.
    """
    path = folder / FOLDER
    if not (path / "state.json").is_file():
        return None
    try:
        state = State(**json.loads((path / "state.json").read_text(encoding="utf-8")))
        state.tensors = load_file(path / "state.safetensors")
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise UserError(f"{path}: not readable ({str(error).splitlines()[0]}); remove it to start again") from None
    if state.identity != identity:
        raise UserError(
            f"{path}: belongs to a run of another configuration or other clips ({state.identity}, now {identity}); "
            "give another --out, or remove it to start again"
        )
    return state


def apply(
    state: State,
    module: nn.Module,
    average: dict[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
    window: torch.Tensor,
) -> None:
    """Put a checkpoint's tensors where they belong."""
    tensors = state.tensors
    with torch.no_grad():
        window.copy_(tensors["window"])
        own = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        module.load_state_dict(own)
        for name, value in average.items():
            value.copy_(tensors[f"average.{name}"])
    for name, parameter in _names(module):
        if not parameter.requires_grad:  # a constant kept in the network, such as a prior's scale: the optimiser
            continue  # has no moments of it
        moments = {}
        for key in ("step", "exp_avg", "exp_avg_sq"):
            moments[key] = tensors[f"opt.{key}.{name}"].to(parameter.device)
        optimizer.state[parameter] = moments


def remove(folder: Path) -> None:
    """Remove the folder's checkpoint: the run is finished and its model written."""
    import shutil

    shutil.rmtree(folder / FOLDER, ignore_errors=True)
