"""A CLAP as transformers writes it: folder with config.json, tensors, preprocessor_config.json, perhaps a tokenizer."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import torch

from clipsonic_eval.encoders._clap.networks import front_end
from clipsonic_eval.encoders._clip.models import tensors_in
from clipsonic_eval.encoders._clip.reading import quiet, tensors_sha256
from clipsonic_eval.encoders._log_mel import BANDS, FrontEnd
from clipsonic_eval.errors import WeightsError

_AGAIN = "copy or fetch the whole folder again"


def read_folder(folder: Path) -> tuple[Any, FrontEnd, str]:
    """Read a folder; nothing in it is executed and nothing is fetched.

    Returns:
        transformers' ClapModel in float32, its front end, and the SHA-256 of its tensors.

    Raises:
        WeightsError: a file is missing, damaged or unsafe, or they do not belong together.
    """
    from safetensors import SafetensorError
    from transformers import ClapConfig, ClapModel

    kind = tensors_in(folder)
    if not kind or not (folder / "config.json").is_file():
        raise WeightsError(f"{folder}: no CLAP folder of transformers, config.json or tensors are missing; {_AGAIN}")
    try:
        written = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if written.get("model_type") != "clap":
            raise WeightsError(
                f"{folder}: config.json is of model type {written.get('model_type')!r}, needed is 'clap'"
            )
        config = ClapConfig.from_dict(written)
        with quiet():
            network, report = ClapModel.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                use_safetensors=kind == "safetensors",
                weights_only=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, RuntimeError, ValueError, SafetensorError, pickle.UnpicklingError) as error:
        line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{folder}: not readable as a CLAP of transformers ({line}); {_AGAIN}") from error
    strange = sorted(k for k in report["unexpected_keys"] if not k.endswith(("position_ids", "token_type_ids")))
    missing = sorted(k for k in report["missing_keys"] if not k.endswith(("position_ids", "token_type_ids")))
    wrong = [*missing, *strange, *sorted(map(str, report["mismatched_keys"]))]
    if wrong:
        raise WeightsError(f"{folder}: the tensors are not those of its config.json ('{wrong[0]}' first); {_AGAIN}")
    front = _front_end(folder, fusion=bool(config.audio_config.enable_fusion))
    return network, front, tensors_sha256(network.state_dict())


def _front_end(folder: Path, *, fusion: bool) -> FrontEnd:
    """Return the front end that the folder's extractor describes; where it says nothing, that of LAION's training."""
    path = folder / "preprocessor_config.json"
    try:
        said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        front = front_end(
            fusion=fusion, lowest=float(said.get("frequency_min", 50)), highest=float(said.get("frequency_max", 14000))
        )
        found = (said.get("sampling_rate", 48000), said.get("fft_window_size", 1024), said.get("hop_length", 480))
        bands, fused = said.get("feature_size", BANDS), said.get("truncation", "fusion" if fusion else "rand_trunc")
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{path}: not readable ({str(error).splitlines()[0]}); {_AGAIN}") from error
    if found != (48000, 1024, 480) or bands != BANDS or (fused == "fusion") != fusion:
        raise WeightsError(
            f"{path}: describes another front end than 48 kHz, window 1024, hop 480, {BANDS} bands, "
            f"{'with' if fusion else 'without'} fusion; {_AGAIN}"
        )
    return front
