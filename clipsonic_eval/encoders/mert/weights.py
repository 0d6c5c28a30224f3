"""MERT's published folders: found, and read without executing the code that lies in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple, get_type_hints

from torch import Tensor

from clipsonic_eval.encoders.mert.network import Mert, MertSettings
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.files import read_json
from clipsonic_eval.tensors import read_tensors
from clipsonic_eval.weight_files import (
    COPY_FOLDER,
    HubModel,
    check_hash_in_name,
    fill_network,
    tensors_in,
    tensors_sha256,
)

RATE: Final = 24000  # Hz
_POSITIONS: Final = "encoder.pos_conv_embed.conv"
_LENGTH, _DIRECTION = f"{_POSITIONS}.weight_g", f"{_POSITIONS}.weight_v"
_RENAMED: Final = {  # of later transformers to those of the published files
    f"{_POSITIONS}.parametrizations.weight.original0": _LENGTH,
    f"{_POSITIONS}.parametrizations.weight.original1": _DIRECTION,
}


class MertModel(NamedTuple):
    """A published model.

    Attributes:
        hub: where it is published.
        dim: of its hidden states.
        layers: of its transformer.
    """

    hub: HubModel
    dim: int
    layers: int


MODELS: Final = {
    "mert-v1-95m": MertModel(HubModel("m-a-p/MERT-v1-95M"), 768, 12),
    "mert-v1-330m": MertModel(HubModel("m-a-p/MERT-v1-330M"), 1024, 24),
}
PUBLISHED: Final = tuple(model.hub.published(name, "CC-BY-NC-4.0") for name, model in MODELS.items())


def read_settings(folder: Path) -> MertSettings:
    """Read ``config.json`` and ``preprocessor_config.json`` of a folder.

    Raises:
        WeightsError: one is missing or damaged, or says what this network or its front end does not do.
    """
    written = read_json(folder / "config.json", WeightsError, fix=COPY_FOLDER)
    if not isinstance(written, dict) or written.get("model_type") != "mert_model":
        raise WeightsError(f"{folder}: config.json is not that of a MERT ('model_type' must be 'mert_model')")
    wanted = {
        "feature_extractor_cqt": False,  # a constant-Q transform beside the convolutions
        "hidden_act": "gelu",
        "feat_extract_activation": "gelu",
        "sample_rate": RATE,
    }
    for key, value in wanted.items():
        if written.get(key, value) != value:
            raise WeightsError(f"{folder}: a MERT with {key} {written[key]!r} cannot be read, only with {value!r}")
    if (folder / "preprocessor_config.json").is_file():
        front = read_json(folder / "preprocessor_config.json", WeightsError, fix=COPY_FOLDER)
        if not isinstance(front, dict) or not front.get("do_normalize", True) or front.get("sampling_rate") != RATE:
            raise WeightsError(f"{folder}: preprocessor_config.json must normalise audio at {RATE} Hz; {COPY_FOLDER}")
    return MertSettings(**{name: _read(folder, written, name, kind) for name, kind in _KINDS.items()})


_KINDS: Final[dict[str, Any]] = get_type_hints(MertSettings)


def _read(folder: Path, written: dict[str, Any], name: str, kind: Any) -> Any:
    value: Any = written.get(name)
    if kind == tuple[int, ...]:
        fits = isinstance(value, list) and bool(value) and all(type(v) is int and v > 0 for v in value)
        value = tuple(value) if fits else None
    elif kind is float:
        value = float(value) if isinstance(value, (int, float)) and value > 0 else None
    elif type(value) is not kind or (kind is int and value < 1):
        value = None
    if value is None:
        raise WeightsError(f"{folder}: config.json says {name} {written.get(name)!r}; {COPY_FOLDER}")
    return value


def load(folder: Path, model: MertModel) -> tuple[Mert, MertSettings, str]:
    """Return the network of a folder, float32 on the CPU, for inference, its settings and the SHA-256 of its tensors.

    Raises:
        WeightsError: a file is missing, damaged or unsafe, or of a network of other sizes.
    """
    settings = read_settings(folder)
    found = (settings.hidden_size, settings.num_hidden_layers)
    if found != (model.dim, model.layers):
        raise WeightsError(
            f"{folder}: a MERT of {found[0]} dimensions and {found[1]} layers, but {model.hub.repository} has "
            f"{model.dim} and {model.layers}; take the encoder of its size"
        )
    path = folder / ("model.safetensors" if tensors_in(folder) == "safetensors" else "pytorch_model.bin")
    check_hash_in_name(path, COPY_FOLDER)
    tensors = {_RENAMED.get(name, name): value for name, value in read_tensors(path, fix=COPY_FOLDER).items()}
    tensors.pop("masked_spec_embed", None)  # used in training only
    named = "the tensors of its config.json"
    try:
        network = fill_network(lambda: Mert(settings), _one_kernel(path, tensors), path, named=named, fix=COPY_FOLDER)
    except (ValueError, RuntimeError) as error:  # sizes that do not go together
        raise WeightsError(f"{folder}: config.json describes no network ({error}); {COPY_FOLDER}") from error
    return network, settings, tensors_sha256(tensors)


def _one_kernel(path: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of any shape with the kernel of the positions in place of its length and direction."""
    found = dict(tensors)
    g, v = found.pop(_LENGTH, None), found.pop(_DIRECTION, None)
    if g is None or v is None or v.ndim != 3 or g.shape != (1, 1, v.shape[2]):
        raise WeightsError(f"{path}: '{_LENGTH}' and '{_DIRECTION}' are missing or no pair; {COPY_FOLDER}")
    g, v = g.float(), v.float()
    found[f"{_POSITIONS}.weight"] = g * v / v.norm(dim=(0, 1), keepdim=True)  # g v / |v|
    return found
