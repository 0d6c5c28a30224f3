"""Published checkpoints: found, read without running them, and held against our front end."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from clipsonic_eval.encoders._log_mel import FrontEnd
from clipsonic_eval.encoders.panns.frontend import published_matrices
from clipsonic_eval.encoders.panns.network import Cnn14, build
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.tensors import read_tensors

RECORD: Final = "https://zenodo.org/records/3987831"
# where panns_inference and audioldm_eval keep the same files
_PLACES: Final = ("panns_data", ".cache/audioldm_eval/ckpt")


def find(weights: Path | None, name: str) -> Path:
    """Return the file that a loader's ``weights`` argument means: a file, or the one of this name in a folder.

    None looks in ``~/panns_data`` and ``~/.cache/audioldm_eval/ckpt``.

    Raises:
        WeightsError: there is none.
    """
    places = [Path.home() / place for place in _PLACES] if weights is None else [weights]
    for place in places:
        for path in (place, place / name, (place / name).with_suffix(".safetensors")):
            if path.is_file():
                return path
    raise WeightsError(
        f"{' or '.join(map(str, places))}: no {name} there; fetch it from {RECORD} and name the file as the encoder's "
        "weights"
    )


def load(path: Path, front: FrontEnd) -> Cnn14:
    """Read a checkpoint: ``{"model": tensors, ...}`` or the tensors themselves, as .pth or .safetensors.

    Raises:
        WeightsError: not readable without executing it, not a Cnn14, or made for another front end.
    """
    # the published files also hold the state of their sampler
    tensors = read_tensors(path, fix=f"fetch the file again from {RECORD}", under=("model",))
    own = _network_tensors(path, tensors, front)
    try:
        return build(own)
    except (KeyError, RuntimeError, IndexError) as error:
        raise WeightsError(f"{path}: holds another network than Cnn14; fetch the file from {RECORD}") from error


def _network_tensors(path: Path, tensors: dict[str, Tensor], front: FrontEnd) -> dict[str, Tensor]:
    """Return the tensors of the network, after those of the front end have been compared with ours."""
    own = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    for name, expected in published_matrices(front).items():
        found = own.pop(name, None)
        if found is None or found.shape != expected.shape or not torch.allclose(found, expected, rtol=1e-4, atol=1e-5):
            raise WeightsError(
                f"{path}: its front end is not that of Cnn14 at {front.rate} Hz ({name} is missing or differs); take "
                "the encoder for the rate of the file"
            )
    return own
