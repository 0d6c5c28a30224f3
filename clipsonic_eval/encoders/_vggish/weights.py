"""The published weights, read as tensors only."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from clipsonic_eval.encoders._vggish.network import Vggish
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.hashing import file_sha256

FILE = "vggish-10086976.pth"
SOURCE = f"https://github.com/harritaylor/torchvggish/releases/download/v0.1/{FILE}"


def find(weights: Path | None) -> Path:
    """Return the weight file: the one given, or torch.hub's copy.

    Raises:
        WeightsError: there is none, or its bytes are not the ones that its name promises.
    """
    hub = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch")) / "hub" / "checkpoints" / FILE
    path = weights if weights is not None else hub
    if not path.is_file():
        raise WeightsError(
            f"{path}: no VGGish weights here; fetch {FILE} (sha256 begins with 10086976) from {SOURCE} and name it as "
            "the encoder's weights"
        )
    promised = re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    if promised and not file_sha256(path).startswith(promised.group(1)):
        raise WeightsError(
            f"{path}: its sha256 does not begin with {promised.group(1)} as its name says; fetch it again"
        )
    return path


def load(path: Path) -> Vggish:
    """Build the network from a ``.pth`` of plain tensors or a safetensors file.

    Raises:
        WeightsError: not readable without executing anything, or other tensors than VGGish's 18.
    """
    tensors = _read(path)
    with torch.device("meta"):
        network = Vggish()
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items() if isinstance(value, torch.Tensor)}
    wrong = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    if wrong or len(found) != len(tensors):
        named = ", ".join(wrong[:3]) or "values that are no tensors"
        raise WeightsError(f"{path}: these are not VGGish's 18 tensors ({named}); fetch {FILE} from {SOURCE}")
    network.load_state_dict({name: value.float() for name, value in tensors.items()}, assign=True)
    return network.eval().requires_grad_(False)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, OSError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile, KeyError) as error:
        raise WeightsError(
            f"{path}: not readable as tensors alone ({str(error).splitlines()[0][:80]}); fetch {FILE} again"
        ) from None
    except Exception as error:
        if type(error).__name__ == "SafetensorError":
            raise WeightsError(f"{path}: not readable as safetensors ({error}); fetch it again") from None
        raise
    if not isinstance(loaded, dict):
        raise WeightsError(f"{path}: holds a {type(loaded).__name__}, not the tensors of a network; fetch {FILE} again")
    return loaded
