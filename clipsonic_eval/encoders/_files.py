"""Weight files: where torch.hub keeps them, what their names promise, and networks filled from them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from clipsonic_eval.errors import WeightsError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.tensors import missing_and_strange

Net = TypeVar("Net", bound=nn.Module)


def torch_hub() -> Path:
    """Return the folder in which torch.hub keeps downloaded weights."""
    return Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch")) / "hub" / "checkpoints"


def check_promise(path: Path, again: str) -> None:
    """Hold a file against the SHA-256 that its name promises, if it does.

    torch.hub's names end with the first eight digits, ``<name>-<digits>.pth``; the hub's cache links to files in
    ``blobs`` that are called by all digits. Cost: one reading of the file.

    Raises:
        WeightsError: it has another one.
    """
    blob = path.resolve()
    kept = re.fullmatch(r"([0-9a-f]{64})", blob.name) if blob.parent.name == "blobs" else None
    promised = kept or re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    if promised and not file_sha256(path).startswith(promised.group(1)):
        raise WeightsError(f"{path}: its sha256 does not begin with {promised.group(1)[:8]} as its name says; {again}")


def filled(make: Callable[[], Net], tensors: dict[str, Tensor], path: Path, *, named: str, again: str) -> Net:
    """Return a network with the tensors of a file, in float32, for inference.

    Args:
        make: gives the network without weights.
        tensors: all of its tensors, by name.
        path: of the file, for the sentence.
        named: what the tensors should be, e.g. "VGGish's 18 tensors".
        again: what to do about other ones.

    Raises:
        WeightsError: a tensor is missing, too many, or of another shape.
    """
    with torch.device("meta"):
        network = make()
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    wrong = list(missing_and_strange(tensors, wanted))
    if wrong:
        raise WeightsError(f"{path}: these are not {named} ({', '.join(wrong[:3])}); {again}")
    network.load_state_dict({name: value.float() for name, value in tensors.items()}, assign=True)
    return network.eval().requires_grad_(requires_grad=False)
