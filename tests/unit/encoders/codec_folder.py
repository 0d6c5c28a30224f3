"""Small codecs in the files of their published folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders._frames import FrameEncoder
from clipsonic_eval.encoders.codec import weights

DIMS = {"encodec-24k": 16, "encodec-48k": 16, "dac-44k": 32}
SIZES: dict[str, dict[str, Any]] = {
    "encodec-24k": {"num_filters": 2, "hidden_size": 16, "num_lstm_layers": 1},
    "encodec-48k": {
        "num_filters": 2,
        "hidden_size": 16,
        "num_lstm_layers": 1,
        "sampling_rate": 48000,
        "audio_channels": 2,
        "normalize": True,
        "chunk_length_s": 1.0,
        "overlap": 0.01,
        "use_causal_conv": False,
        "norm_type": "time_group_norm",
        "target_bandwidths": [3.0, 6.0, 12.0, 24.0],
    },
    "dac-44k": {
        "encoder_hidden_size": 4,
        "decoder_hidden_size": 32,
        "downsampling_ratios": [8, 8, 8],
        "sampling_rate": 44100,
        "codebook_size": 16,
        "n_codebooks": 1,
    },
}


def network(name: str) -> Any:
    """transformers' network of small sizes, with weights of a size that keeps sounds apart."""
    from transformers import DacConfig, DacModel, EncodecConfig, EncodecModel

    sizes, gain = SIZES[name], 0.3 if name == "dac-44k" else 1.0  # Snake adds to what it gets
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = DacModel(DacConfig(**sizes)) if name == "dac-44k" else EncodecModel(EncodecConfig(**sizes))
        for value in net.encoder.parameters():
            if value.ndim > 1 and value[0].numel() > 1:
                torch.nn.init.normal_(value, std=float((gain / value[0].numel()) ** 0.5))
    return net.eval().requires_grad_(requires_grad=False)


def write(folder: Path, name: str, *, net: Any = None) -> Path:
    """Write a folder; EnCodec's tensors have the names of weight normalisation that the published file has."""
    (network(name) if net is None else net).save_pretrained(folder)
    path = folder / "model.safetensors"
    renamed = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): value
        for key, value in load_file(path).items()
    }
    save_file(renamed, path, metadata={"format": "pt"})
    return folder


def load(name: str, folder: Path, **options: Any) -> FrameEncoder:
    """Load it by its registry name, whose sizes are checked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(weights.MODELS, name, weights.MODELS[name]._replace(dim=DIMS[name]))
        encoder: FrameEncoder = ENCODERS[name](folder, **options)
    return encoder
