"""EnCodec at its true sizes with equal random weights against the encodec package, through fadtk's and kadtk's code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_packages
import torch

from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.types import Clip

RATES = {"24k": 24000, "48k": 48000}


def _theirs(kind: str) -> Any:
    from encodec import EncodecModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        make = EncodecModel.encodec_model_24khz if kind == "24k" else EncodecModel.encodec_model_48khz
        return make(pretrained=False).eval()


def _folder(net: Any, kind: str, folder: Path) -> Path:
    """Write the package's encoder as transformers' published folder names it."""
    from safetensors.torch import load_file, save_file
    from transformers import EncodecConfig, EncodecModel

    settings: dict[str, Any] = {
        "sampling_rate": 48000, "audio_channels": 2, "normalize": True, "chunk_length_s": 1.0, "overlap": 0.01,
        "use_causal_conv": False, "norm_type": "time_group_norm", "target_bandwidths": [3.0, 6.0, 12.0, 24.0],
    }  # fmt: skip
    EncodecModel(EncodecConfig(**(settings if kind == "48k" else {}))).save_pretrained(folder)
    path = folder / "model.safetensors"
    tensors = {_old_name(name): value for name, value in load_file(path).items()}
    for name, value in net.encoder.state_dict().items():
        new = re.sub(r"conv\.(conv|norm)\.", r"\1.", f"encoder.layers.{name.removeprefix('model.')}")
        assert tensors[new].shape == value.shape
        tensors[new] = value.contiguous()
    save_file(tensors, path, metadata={"format": "pt"})
    return folder


def _old_name(name: str) -> str:
    return name.replace("parametrizations.weight.original0", "weight_g").replace(
        "parametrizations.weight.original1", "weight_v"
    )


@pytest.mark.filterwarnings("ignore::FutureWarning")  # the package's weight normalisation
@pytest.mark.parametrize("kind", RATES)
def test_frames_of_fadtk_and_seconds_of_kadtk(kind: str, tmp_path: Path) -> None:
    rate = RATES[kind]
    net = _theirs(kind)
    folder = _folder(net, kind, tmp_path)
    for tool, metric, seconds, names in (
        ("fadtk", "fad", 2.3, ("_get_embedding", "_get_frame")),
        ("kadtk", "kad", 2.0, ("_get_embedding", "_get_frame", "postprocess_resoultion")),  # a rest ends in an error
    ):
        mono = (0.3 * np.random.default_rng(0).standard_normal((1, round(seconds * rate)))).astype(np.float32)
        given = torch.from_numpy(np.repeat(mono, net.channels, axis=0))[None]
        wanted = _embedding(tool, names, net, given, rate)
        suffix = "" if kind == "24k" else "-48k"
        options = CONVENTIONS[f"{metric}/{tool}-encodec-emb{suffix}"].options
        found = ENCODERS[f"encodec-{kind}"](folder, **options).audio([Clip("a", mono, rate)])
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())


def _embedding(tool: str, names: tuple[str, ...], net: Any, given: torch.Tensor, rate: int) -> np.ndarray:
    """Run the methods of a tool's EncodecEmbModel on (1, channels, n) -> (rows, 128)."""
    import ast

    path = reference_packages.source(tool, "model_loader.py")
    (body,) = (
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and node.name == "EncodecEmbModel"
    )
    body.bases, body.body = [], [n for n in body.body if isinstance(n, ast.FunctionDef) and n.name in names]
    namespace: dict[str, Any] = {"np": np, "torch": torch}
    exec(compile(ast.fix_missing_locations(ast.Module([body], [])), str(path), "exec"), namespace)
    loader = namespace["EncodecEmbModel"]()
    loader.model, loader.sr, loader.device = net, rate, "cpu"
    with torch.no_grad():
        rows: np.ndarray = loader._get_embedding(given).numpy()
    return rows


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_frechet_audio_distance_at_48_khz_takes_the_whole_clip(tmp_path: Path) -> None:
    net = _theirs("48k")
    folder = _folder(net, "48k", tmp_path)
    both = (0.3 * np.random.default_rng(0).standard_normal((2, 60000))).astype(np.float32)
    with torch.no_grad():
        wanted = net.encoder(torch.from_numpy(both)[None])[0].T
    options = CONVENTIONS["fad/frechet-audio-distance-encodec-48k"].options
    found = ENCODERS["encodec-48k"](folder, **options).audio([Clip("a", both, 48000)])
    np.testing.assert_allclose(found, wanted, atol=1e-4 * float(wanted.abs().max()))
