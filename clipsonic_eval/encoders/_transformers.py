"""Networks from folders of transformers, read with suspicion: nothing is executed, fetched or filled up at random."""

from __future__ import annotations

import contextlib
import hashlib
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch

from clipsonic_eval.encoders._files import check_promise
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.files import read_text

AGAIN: Final = "copy or fetch the whole folder again"


def tensors_in(folder: Path) -> str:
    """Return how a folder holds its tensors: ``safetensors``, ``bin`` or "" for not at all."""
    if any((folder / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json")):
        return "safetensors"
    return "bin" if (folder / "pytorch_model.bin").is_file() else ""


def read_network(
    folder: Path, config_class: Any, model_class: Any, *, extra: tuple[str, ...], missing: tuple[str, ...] = ()
) -> Any:
    """Return the network of a folder that has config.json and tensors, in float32, for inference.

    Args:
        folder: as transformers writes it.
        config_class: e.g. ``CLIPConfig``; its ``model_type`` must be that of config.json.
        model_class: e.g. ``CLIPModel``.
        extra: how names of tensors end that may be there beside the network's.
        missing: how names of buffers end that may be missing, since the network makes them itself.

    Raises:
        WeightsError: not readable, of another type, or tensors that are not those of its configuration.
    """
    from safetensors import SafetensorError

    wanted = config_class.model_type
    for file in sorted({*folder.glob("*.safetensors"), *folder.glob("*.bin")}):
        check_promise(file, AGAIN)
    try:
        written = json.loads(read_text(folder / "config.json", WeightsError, fix=AGAIN))
        if written.get("model_type") != wanted:
            raise WeightsError(
                f"{folder}: config.json is of model type {written.get('model_type')!r}, needed is '{wanted}'"
            )
        with _quiet():
            network, report = model_class.from_pretrained(
                folder,
                config=config_class.from_dict(written),
                dtype=torch.float32,
                use_safetensors=tensors_in(folder) == "safetensors",
                weights_only=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, RuntimeError, ValueError, AttributeError, SafetensorError, pickle.UnpicklingError) as error:
        line = str(error).strip().partition("\n")[0]
        kind = wanted.upper()
        raise WeightsError(f"{folder}: not readable as a {kind} of transformers ({line}); {AGAIN}") from error
    # transformers fills what is missing with random numbers and says so in its log only
    lacking = sorted(k for k in report["missing_keys"] if not (missing and k.endswith(missing)))
    strange = sorted(k for k in report["unexpected_keys"] if not k.endswith(extra))
    wrong = [*lacking, *strange, *sorted(map(str, report["mismatched_keys"]))]
    if wrong:
        raise WeightsError(f"{folder}: the tensors are not those of its config.json ('{wrong[0]}' first); {AGAIN}")
    return network.eval().requires_grad_(requires_grad=False)


def tensors_sha256(tensors: dict[str, torch.Tensor]) -> str:
    """Return the SHA-256 of names, shapes and float32 values, sorted by name.

    It is the same for one file, for shards, and for the pickled form of the same tensors; a hash of files is not.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().float().contiguous()
        digest.update(f"{name}{list(value.shape)}\0".encode())
        digest.update(value.numpy().data)
    return digest.hexdigest()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bar and load report off the screen; what they say is checked here."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
