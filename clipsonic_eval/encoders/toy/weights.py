"""Weight files of the toy encoders: safetensors that describe their network, and a JSON card with their hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.atomic import replacing
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import file_sha256

SHIPPED: Final = Path(__file__).parent / "shipped"
_ENTRY: Final = "clipsonic_eval.toy"


def as_stored(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state dict rounded to float16 as in a weight file, in float32: what is measured is what ships."""
    return {k: (v.half().float() if v.is_floating_point() else v) for k, v in tensors.items()}


def save(path: Path, tensors: Mapping[str, Any], network: Mapping[str, Any], card: Mapping[str, Any]) -> str:
    """Write ``<path>`` (floating-point tensors as float16) and its card ``<path stem>.json``.

    Args:
        path: ends in .safetensors.
        tensors: a state dict.
        network: JSON: kind, sizes and vocabulary, all that is needed to build the network again.
        card: JSON for readers: training command, seeds, measurements.

    Returns:
        The SHA-256 of the weight file, which the card also holds.
    """
    import torch
    from safetensors.torch import save_file

    half = {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in tensors.items()}
    assert all(torch.isfinite(v).all() for v in half.values())
    with replacing(path) as temporary:
        save_file(half, temporary, metadata={_ENTRY: json.dumps(network, sort_keys=True)})
        temporary.chmod(0o644)  # safetensors makes files that only their owner may read
    digest = file_sha256(path)
    write_json(path.with_suffix(".json"), {"weights": path.name, "weights_sha256": digest, **card})
    return digest


def find(weights: Path | None, name: str) -> Path:
    """Return the weight file that a loader's ``weights`` argument means: the shipped one, a file, or a folder's.

    Raises:
        WeightsError: there is none.
    """
    path = SHIPPED / f"{name}.safetensors" if weights is None else weights
    if path.is_dir():
        path = path / f"{name}.safetensors"
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such weight file; train it with 'clipsonic-eval toy-encoders train --out FOLDER'"
        )
    return path


def read_card(path: Path) -> dict[str, Any]:
    """Return the card of a weight file.

    Raises:
        WeightsError: it is missing or damaged.
    """
    card = path.with_suffix(".json")
    value = read_json(card, WeightsError, fix="copy both files, the weights and their card")
    if not isinstance(value, dict) or not isinstance(value.get("weights_sha256"), str):
        raise WeightsError(f"{card}: the card must hold 'weights_sha256'; copy it again from where the weights came")
    return value


def load(path: Path, name: str, kind: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Read a weight file, after comparing its hash with the card's.

    Args:
        path: see :func:`find`.
        name: the encoder's name, for error messages.
        kind: of the network that the caller builds.

    Returns:
        Tensors by name, in float32; kind, sizes and vocabulary of the network as written when it was saved (covered by
        the hash); the SHA-256 of the file.

    Raises:
        WeightsError: the card is missing, the hash differs, not safetensors, or another kind of network.
    """
    from safetensors import SafetensorError, safe_open

    digest, expected = file_sha256(path), read_card(path)["weights_sha256"]
    if digest != expected:
        raise WeightsError(
            f"{path}: the file's SHA-256 {digest[:12]}… is not the card's {expected[:12]}…; it is damaged or was "
            "replaced, so take both files again from one place"
        )
    try:
        with safe_open(path, framework="pt") as file:
            network = json.loads((file.metadata() or {}).get(_ENTRY, "{}"))
            tensors = {k: _single(file.get_tensor(k)) for k in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"{path}: not readable as safetensors ({error}); copy the file again") from error
    if network.get("kind") != kind:
        raise WeightsError(f"{path}: holds a network of kind {network.get('kind')!r}, '{name}' needs {kind!r}")
    return tensors, network, digest


def _single(tensor: Any) -> Any:
    return tensor.float() if tensor.is_floating_point() else tensor
