"""The published weights, read as tensors only."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch

from clipsonic_eval.encoders._vggish.network import Vggish
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.tensors import missing_and_strange, read_tensors

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
    """Build the network from the published ``.pth`` or a safetensors file.

    Raises:
        WeightsError: not readable without executing anything, or other tensors than VGGish's 18.
    """
    again = f"fetch {FILE} from {SOURCE}"
    tensors = read_tensors(path, again=again)
    with torch.device("meta"):
        network = Vggish()
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    wrong = list(missing_and_strange(tensors, wanted))
    if wrong:
        raise WeightsError(f"{path}: these are not VGGish's 18 tensors ({', '.join(wrong[:3])}); {again}")
    network.load_state_dict({name: value.float() for name, value in tensors.items()}, assign=True)
    return network.eval().requires_grad_(False)
