"""OpenL3's published weights, HDF5 files of Keras: found, and read as tensors without TensorFlow.

A file of Keras names its layers in their order (attribute ``layer_names``), and each layer its arrays
(``weight_names``). The names of layers were counted up while the model was built and mean nothing.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import torch
from torch import Tensor

from clipsonic_eval.encoders.openl3.frontend import FRONT_ENDS
from clipsonic_eval.encoders.openl3.network import GRID, OpenL3Network
from clipsonic_eval.errors import UserError, WeightsError
from clipsonic_eval.tensors import SAFETENSORS, read_tensors
from clipsonic_eval.weight_files import PublishedWeights, fill_network, torch_hub, torch_hub_file

LICENCE: Final = "CC-BY-4.0"
_BRANCH: Final = "https://github.com/marl/openl3/raw/models"
_MOST_BYTES: Final = 1 << 28  # of a file when unpacked; the published ones have 19 MB
_ARRAYS: Final = {  # of Keras to those of torch
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def file_name(content: str, input_repr: str) -> str:
    """Return the name of a published file.

    Example:
        >>> file_name("music", "mel256")
        'openl3_audio_mel256_music-v0_4_0.h5.gz'
    """
    return f"openl3_audio_{input_repr}_{content}-v0_4_0.h5.gz"


def source(content: str, input_repr: str) -> str:
    """Return the address of a published file."""
    return f"{_BRANCH}/{file_name(content, input_repr)}"


PUBLISHED: Final = tuple(
    PublishedWeights(file_name(content, input_repr), f"openl3-{content}", LICENCE, source(content, input_repr))
    for content in ("music", "env")
    for input_repr in FRONT_ENDS
)


def find(weights: Path | None, content: str, input_repr: str) -> Path:
    """Return the weight file: the one given, or the published one or its unpacked copy in the folder given.

    Args:
        weights: file or folder; None: torch.hub's folder.
        content: ``music`` or ``env``.
        input_repr: ``mel256``, ``mel128`` or ``linear``.

    Raises:
        WeightsError: there is none, or its name says that it is another one: the files have the same arrays.
    """
    wanted = f"openl3_audio_{input_repr}_{content}"
    place = weights if weights is not None else torch_hub()
    unpacked = place / f"{wanted}.h5"  # where the package openl3 keeps it
    if unpacked.is_file():
        return unpacked
    name, address = file_name(content, input_repr), source(content, input_repr)
    path = torch_hub_file(weights, name, address, named="OpenL3")
    stated = re.match(r"openl3_(audio|image)_[a-z0-9]+_[a-z]+", path.name)
    if stated and stated[0] != wanted:
        raise WeightsError(
            f"{path}: its name says {stated[0]}, needed is {wanted}; fetch {name} from {address}, or choose the "
            "encoder and input_repr of this file"
        )
    return path


def load(path: Path, content: str, input_repr: str, embedding_size: int) -> OpenL3Network:
    """Build the network from a published file, or a safetensors file of its tensors; also a narrower one.

    Raises:
        WeightsError: not readable as tensors, or another network's.
        UserError: h5py is not installed.
    """
    fix = f"fetch {file_name(content, input_repr)} from {source(content, input_repr)}"
    tensors = read_tensors(path, fix=fix) if path.suffix == SAFETENSORS else _read_keras(path, fix)
    width = len(tensors.get("layers.1.bias", ()))
    if not width:
        raise WeightsError(f"{path}: these are not the tensors of OpenL3; {fix}")
    front = FRONT_ENDS[input_repr]
    named = "the tensors of OpenL3's network of sound"
    return fill_network(
        lambda: OpenL3Network(front.bands, front.frames, GRID[embedding_size], width),
        tensors,
        path,
        named=named,
        fix=fix,
    )


def _read_keras(path: Path, fix: str) -> dict[str, Tensor]:
    """Return the arrays of a file by our names, layers by number."""
    h5py = _require_h5py()
    try:
        data = _unpacked(path)
        with h5py.File(io.BytesIO(data), "r") as file:
            root = file.get("model_weights", file)  # of a whole model, or weights alone
            layers = [_arrays(root[_text(name)], len(data)) for name in root.attrs["layer_names"]]
    except (OSError, EOFError, zlib.error, KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        line = str(error).strip("'\"").partition("\n")[0][:160] or type(error).__name__
        raise WeightsError(f"{path}: not readable as weights of Keras ({line}); {fix}") from error
    found: dict[str, Tensor] = {}
    for number, arrays in enumerate(layer for layer in layers if layer):
        found |= {f"layers.{number}.{name}": value for name, value in arrays.items()}
        if "running_mean" in arrays:
            found[f"layers.{number}.num_batches_tracked"] = torch.tensor(0)
    return found


def _unpacked(path: Path) -> bytes:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        data = stream.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it is larger than {_MOST_BYTES >> 20} MiB")
    return data


def _arrays(layer: Any, size: int) -> dict[str, Tensor]:
    """Return the arrays of one layer by torch's names; the file has ``size`` bytes."""
    found = {}
    for name in map(_text, layer.attrs["weight_names"]):
        kind = name.rpartition("/")[2].partition(":")[0]
        if kind not in _ARRAYS:
            raise ValueError(f"it has an array {name}")
        array = layer[name]
        if array.nbytes > size:
            raise ValueError(f"{name} is larger than the file")
        value = torch.from_numpy(array[()])
        # Keras: (height, width, in, out); torch: (out, in, height, width)
        found[_ARRAYS[kind]] = value.permute(3, 2, 0, 1).contiguous() if kind == "kernel" else value
    return found


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _require_h5py() -> ModuleType:
    try:
        import h5py
    except ImportError:
        raise UserError("openl3: its weights need h5py; pip install 'clipsonic-eval[openl3]'") from None
    module: ModuleType = h5py
    return module
