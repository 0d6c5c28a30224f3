"""The published weights, read as tensors only."""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval.encoders._files import check_promise, filled, torch_hub
from clipsonic_eval.encoders.vggish.network import Vggish
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.tensors import read_tensors

FILE = "vggish-10086976.pth"
SOURCE = f"https://github.com/harritaylor/torchvggish/releases/download/v0.1/{FILE}"


def find(weights: Path | None) -> Path:
    """Return the weight file: the one given, or torch.hub's copy.

    Raises:
        WeightsError: there is none, or its bytes are not the ones that its name promises.
    """
    path = weights if weights is not None else torch_hub() / FILE
    if not path.is_file():
        raise WeightsError(
            f"{path}: no VGGish weights here; fetch {FILE} (sha256 begins with 10086976) from {SOURCE} and name it as "
            "the encoder's weights"
        )
    check_promise(path, "fetch it again")
    return path


def load(path: Path) -> Vggish:
    """Build the network from the published ``.pth`` or a safetensors file.

    Raises:
        WeightsError: not readable without executing anything, or other tensors than VGGish's 18.
    """
    again = f"fetch {FILE} from {SOURCE}"
    return filled(Vggish, read_tensors(path, fix=again), path, named="VGGish's 18 tensors", again=again)
