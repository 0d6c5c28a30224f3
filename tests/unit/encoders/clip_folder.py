"""A small CLIP in the files of a published folder, and what it must answer, restated in NumPy at double precision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

SIDE, PATCH, WIDTH, HEADS, LAYERS, PLACES = 32, 16, 32, 4, 2, 77
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
MERGES = [("d", "o"), ("do", "g</w>"), ("c", "a"), ("ca", "t</w>"), ("p", "h"), ("o", "t"), ("ph", "ot")]


def byte_symbols() -> list[str]:
    """The printable stand-ins for bytes that byte-level vocabularies begin with."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in kept] + [chr(256 + k) for k in range(256 - len(kept))]


def vocabulary() -> dict[str, int]:
    symbols = byte_symbols()
    words = [*symbols, *(s + "</w>" for s in symbols), *(a + b for a, b in MERGES)]
    return {word: k for k, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}


def write(folder: Path, *, seed: int = 0, old_end: bool = False, projection: int = 24, **save: Any) -> Path:
    """Write config, safetensors, processor and tokenizer.

    Args:
        folder: receives them.
        seed: of the weights.
        old_end: as OpenAI's published folders have it: the config says end token 2, and texts are read at the highest.
        projection: dimension of the embeddings.
        save: for ``save_pretrained``.
    """
    import torch
    from transformers import CLIPConfig, CLIPModel

    size = len(vocabulary())
    shared = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
    }
    ends = {"bos_token_id": 0, "eos_token_id": 2} if old_end else {"bos_token_id": size - 2, "eos_token_id": size - 1}
    config = CLIPConfig(
        projection_dim=projection,
        text_config={**shared, **ends, "vocab_size": size, "pad_token_id": 1},
        vision_config={**shared, "image_size": SIDE, "patch_size": PATCH},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = CLIPModel(config)
        for parameter in net.parameters():  # as they come, all texts look alike
            parameter.data.add_(torch.randn_like(parameter) * 0.15)
    net.save_pretrained(folder, **save)
    if old_end:
        _age(folder / "config.json")
    write_processor(folder)
    write_tokenizer(folder)
    return folder


def _age(path: Path) -> None:
    """Add what transformers 4 wrote into the published files."""
    value = json.loads(path.read_text())
    old = {"_name_or_path": "", "bad_words_ids": None, "dropout": 0.0, "pruned_heads": {}, "torchscript": False}
    for tower in ("text_config", "vision_config"):
        value[tower] = {**old, "num_beams": 1, "output_attentions": False, "torch_dtype": None, **value[tower]}
    value |= {"text_config_dict": None, "vision_config_dict": None, "torch_dtype": "float32", "initializer_factor": 1.0}
    path.write_text(json.dumps(value))


def write_processor(folder: Path, side: int = SIDE) -> None:
    """The file as OpenAI's folders have it, sizes as bare numbers."""
    flags = {f"do_{step}": True for step in ("resize", "center_crop", "normalize")}
    value = {
        **flags,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "size": side,
        "crop_size": side,
        "resample": 3,
        "image_mean": MEAN,
        "image_std": STD,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(value))


def write_tokenizer(folder: Path) -> None:
    (folder / "vocab.json").write_text(json.dumps(vocabulary()))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in MERGES)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "__type": "AddedToken"}
    start, end = ({"content": content, **flags} for content in ("<|startoftext|>", "<|endoftext|>"))
    value = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": PLACES,
        "do_lower_case": True,
        "errors": "replace",
        "pad_token": "<|endoftext|>",
        **{"bos_token": start, "eos_token": end, "unk_token": end},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(value))


def tokens(text: str) -> list[int]:
    """Numbers of a text of plain lower-case words: byte-pair encoding by hand, start and end around it."""
    known = vocabulary()
    found = [known["<|startoftext|>"]]
    for word in text.split():
        parts = [*word[:-1], word[-1] + "</w>"]
        for pair in MERGES:
            k = 0
            while k < len(parts) - 1:
                if (parts[k], parts[k + 1]) == pair:
                    parts[k : k + 2] = ["".join(pair)]
                k += 1
        found += [known[part] for part in parts]
    return [*found[: PLACES - 1], known["<|endoftext|>"]]


def pixels(picture: np.ndarray) -> np.ndarray:
    """OpenAI's transform: short side bicubic, centre crop, mean and deviation -> (3, side, side)."""
    height, width = picture.shape[:2]
    short = min(height, width)
    size = (SIDE if width == short else SIDE * width // short, SIDE if height == short else SIDE * height // short)
    image = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    values = np.asarray(image.crop((left, top, left + SIDE, top + SIDE)), np.float64) / 255
    return ((values - MEAN) / STD).transpose(2, 0, 1)


class Restated:
    """CLIP from its tensors: A. Radford et al., 2021, section 2.4; both towers are pre-norm transformers."""

    def __init__(self, folder: Path) -> None:
        self._w = {k: v.astype(np.float64) for k, v in load_file(folder / "model.safetensors").items()}

    def image(self, picture: np.ndarray) -> np.ndarray:
        kernel = self._w["vision_model.embeddings.patch_embedding.weight"].reshape(WIDTH, -1)
        values = pixels(picture)
        steps = range(0, SIDE, PATCH)
        patches = [values[:, y : y + PATCH, x : x + PATCH].ravel() for y in steps for x in steps]
        rows = np.stack([self._w["vision_model.embeddings.class_embedding"], *(kernel @ p for p in patches)])
        x = rows + self._w["vision_model.embeddings.position_embedding.weight"]
        x = self._layers(self._norm(x, "vision_model.pre_layrnorm"), "vision_model", np.zeros((len(x), len(x))))
        return self._unit(self._w["visual_projection.weight"] @ self._norm(x[0], "vision_model.post_layernorm"))

    def states(self, numbers: list[int]) -> np.ndarray:
        """Hidden states of the text tower after the last normalisation, (tokens, width)."""
        n = len(numbers)
        x = self._w["text_model.embeddings.token_embedding.weight"][numbers]
        x = x + self._w["text_model.embeddings.position_embedding.weight"][:n]
        later = np.triu(np.full((n, n), -np.inf), 1)
        return self._norm(self._layers(x, "text_model", later), "text_model.final_layer_norm")

    def text(self, numbers: list[int]) -> np.ndarray:
        return self._unit(self._w["text_projection.weight"] @ self.states(numbers)[-1])

    def _layers(self, x: np.ndarray, tower: str, mask: np.ndarray) -> np.ndarray:
        for k in range(LAYERS):
            name = f"{tower}.encoder.layers.{k}"
            x = x + self._attention(self._norm(x, f"{name}.layer_norm1"), f"{name}.self_attn", mask)
            h = self._linear(self._norm(x, f"{name}.layer_norm2"), f"{name}.mlp.fc1")
            x = x + self._linear(h / (1 + np.exp(-1.702 * h)), f"{name}.mlp.fc2")
        return x

    def _attention(self, x: np.ndarray, name: str, mask: np.ndarray) -> np.ndarray:
        q, k, v = (self._linear(x, f"{name}.{p}_proj").reshape(len(x), HEADS, -1) for p in "qkv")
        scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(WIDTH // HEADS) + mask
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return self._linear(np.einsum("hij,jhd->ihd", weights, v).reshape(len(x), -1), f"{name}.out_proj")

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self._w[f"{name}.weight"].T + self._w[f"{name}.bias"]

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        return scaled * self._w[f"{name}.weight"] + self._w[f"{name}.bias"]

    @staticmethod
    def _unit(x: np.ndarray) -> np.ndarray:
        return x / np.linalg.norm(x)
