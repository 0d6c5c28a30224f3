"""A CLAP as transformers writes it: folder with config.json, tensors, preprocessor_config.json, perhaps a tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clipsonic_eval.encoders._log_mel import BANDS, FrontEnd
from clipsonic_eval.encoders._transformers import AGAIN, read_network, tensors_in, tensors_sha256
from clipsonic_eval.encoders.clap.network import front_end
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.files import read_text


def read_folder(folder: Path) -> tuple[Any, FrontEnd, str]:
    """Read a folder; nothing in it is executed and nothing is fetched.

    Returns:
        transformers' ClapModel in float32, its front end, and the SHA-256 of its tensors.

    Raises:
        WeightsError: a file is missing, damaged or unsafe, or they do not belong together.
    """
    from transformers import ClapConfig, ClapModel

    if not tensors_in(folder) or not (folder / "config.json").is_file():
        raise WeightsError(f"{folder}: no CLAP folder of transformers, config.json or tensors are missing; {AGAIN}")
    buffers = ("position_ids", "token_type_ids")
    network = read_network(folder, ClapConfig, ClapModel, extra=buffers, missing=buffers)
    front = _front_end(folder, fusion=bool(network.config.audio_config.enable_fusion))
    return network, front, tensors_sha256(network.state_dict())


def _front_end(folder: Path, *, fusion: bool) -> FrontEnd:
    """Return the front end that the folder's extractor describes; where it says nothing, that of LAION's training."""
    path = folder / "preprocessor_config.json"
    try:
        said = json.loads(read_text(path, WeightsError, fix=AGAIN)) if path.exists() else {}
        front = front_end(
            fusion=fusion, lowest=float(said.get("frequency_min", 50)), highest=float(said.get("frequency_max", 14000))
        )
        found = (said.get("sampling_rate", 48000), said.get("fft_window_size", 1024), said.get("hop_length", 480))
        bands, fused = said.get("feature_size", BANDS), said.get("truncation", "fusion" if fusion else "rand_trunc")
    except (RecursionError, ValueError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: not readable ({str(error).splitlines()[0]}); {AGAIN}") from error
    if found != (48000, 1024, 480) or bands != BANDS or (fused == "fusion") != fusion:
        raise WeightsError(
            f"{path}: describes another front end than 48 kHz, window 1024, hop 480, {BANDS} bands, "
            f"{'with' if fusion else 'without'} fusion; {AGAIN}"
        )
    return front
