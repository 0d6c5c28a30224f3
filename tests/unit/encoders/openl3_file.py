"""Random weights of OpenL3 in the layout of its published files, and the sounds of its reference vectors.

Needs NumPy (and h5py to write the files) only: ``tests/reference/openl3_vectors.py`` uses it beside TensorFlow.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

DEPTHS = (1, 1, 2, 2, 4, 4, 8, 8)
NARROW = 4  # channels of the first block; 64 in the published files
VECTORS = Path(__file__).with_name("openl3_vectors.npz")
# name of the vectors: input_repr, embedding size, hop in seconds, sample rate, seconds of sound
CASES = {
    "mel256": ("mel256", 512, 0.5, 48000, 0.7),
    "mel128": ("mel128", 512, 0.5, 48000, 0.3),
    "linear": ("linear", 512, 0.5, 48000, 0.3),
    "mel256, 6144": ("mel256", 6144, 0.5, 48000, 0.3),
    "mel256, 44.1 kHz": ("mel256", 512, 0.3, 44100, 0.7),
}


def layers(width: int = NARROW) -> list[tuple[str, dict[str, np.ndarray]]]:
    """The layers in Keras's order: kind, and arrays by Keras's names in the order of ``get_weights``."""
    rng = np.random.default_rng(0)

    def norm(channels: int, mean: float = 0.0, scale: float = 1.0) -> tuple[str, dict[str, np.ndarray]]:
        arrays = {
            "gamma": 1 + 0.1 * rng.standard_normal(channels),
            "beta": 0.1 * rng.standard_normal(channels),
            "moving_mean": mean + 0.3 * rng.standard_normal(channels),
            "moving_variance": scale * (1 + 0.2 * rng.random(channels)),
        }
        return "batch_normalization", arrays

    found = [norm(1, -50.0, 300.0)]
    before = 1
    for number, depth in enumerate(DEPTHS, 1):
        after = depth * width
        kernel = rng.standard_normal((3, 3, before, after)) * np.sqrt(2 / (9 * before))
        found.append(("conv2d", {"kernel": kernel, "bias": 0.1 * rng.standard_normal(after)}))
        if number < len(DEPTHS):
            found.append(norm(after))
        before = after
    return [(kind, {name: value.astype(np.float32) for name, value in arrays.items()}) for kind, arrays in found]


def write(path: Path, width: int = NARROW, *, within: str = "", text: bool = False) -> Path:
    """Write a file as Keras does: layers without weights too, names counted up, attributes as bytes or text.

    Args:
        path: ends in ``.h5``.
        width: channels of the first block.
        within: group of the weights, as in files of a whole model.
        text: names as text instead of bytes.
    """
    import h5py

    def attribute(group: h5py.Group, name: str, names: list[str]) -> None:
        group.attrs[name] = np.array(names, dtype=h5py.string_dtype() if text and names else "S64")

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        root = file.create_group(within) if within else file
        root.attrs["backend"] = b"tensorflow"
        names = []
        for number, (kind, arrays) in enumerate([("input", {}), *layers(width), ("flatten", {})], 7):
            last = kind == "conv2d" and number == 7 + 2 * len(DEPTHS)
            name = "audio_embedding_layer" if last else f"{kind}_{number}"
            group = root.create_group(name)
            for array, value in arrays.items():
                group.create_dataset(f"{name}/{array}:0", data=value)
            attribute(group, "weight_names", [f"{name}/{array}:0" for array in arrays])
            names.append(name)
        attribute(root, "layer_names", names)
    return path


def write_tensors(path: Path, width: int = NARROW) -> Path:
    """Write the same weights by our names, as safetensors."""
    from safetensors.numpy import save_file

    ours = {"kernel": "weight", "gamma": "weight", "bias": "bias", "beta": "bias"}
    ours |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    found = {}
    for number, (_, arrays) in enumerate(layers(width)):
        for name, value in arrays.items():
            turned = value.transpose(3, 2, 0, 1) if name == "kernel" else value
            found[f"layers.{number}.{ours[name]}"] = np.ascontiguousarray(turned)
        if "gamma" in arrays:
            found[f"layers.{number}.num_batches_tracked"] = np.array(0)
    save_file(found, path)
    return path


def sound(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    """Two tones under noise, another mixture in each channel, (channels, n) float32."""
    rng = np.random.default_rng(channels)
    t = np.arange(round(seconds * rate)) / rate
    tones = np.stack([np.sin(2 * np.pi * hz * t) for hz in (330, 2750)])
    wave = rng.uniform(0.1, 0.3, (channels, 2)) @ tones + 0.02 * rng.standard_normal((channels, len(t)))
    return wave.astype(np.float32)
