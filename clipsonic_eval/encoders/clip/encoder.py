"""CLIP as the harness sees it: unit vectors of pictures and texts, and the hidden states that a prior takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from clipsonic_eval.arraytypes import Bool, Float32, UInt8
from clipsonic_eval.bfloat16 import chosen
from clipsonic_eval.encoders._base import EncoderBase, TextNote
from clipsonic_eval.encoders._batches import in_batches
from clipsonic_eval.encoders.clip.models import MODELS, folder_of
from clipsonic_eval.encoders.clip.reading import Parts, read
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.types import EncoderCard

Precision = Literal["fp32", "bf16"]


class ClipEncoder(EncoderBase):
    """Both towers of a CLIP, frozen, in batches.

    Args:
        parts: what its folder holds.
        card: its identity.
        device: where the towers lie.
        precision: ``bf16`` runs the towers in bfloat16 (another space, as the card says); vectors are normalised in
            float32 either way.
        batch_size: pictures or texts at a time, batches are filled up to it; None: 4 on a CPU, 32 on a GPU. Another
            size changes results by rounding.
    """

    def __init__(
        self,
        parts: Parts,
        card: EncoderCard,
        device: str = "cpu",
        precision: Precision = "fp32",
        batch_size: int | None = None,
    ) -> None:
        super().__init__(card)
        self._dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[chosen(precision, device, card.name)]
        self._parts = parts
        self._network = parts.network.to(device, self._dtype)
        self._device = device
        self._batch_size = batch_size or (4 if device == "cpu" else 32)

    def image(self, images: Sequence[UInt8]) -> Float32:
        """Embed RGB pictures, each (height, width, 3) uint8 of any size -> (n, d) unit vectors.

        Raises:
            ShapeError: a picture has another shape or type.
        """
        for picture in images:
            if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape:
                raise ShapeError(
                    f"pictures must be uint8 of shape (height, width, 3), got {picture.dtype} {picture.shape}"
                )
        return self._embedded(images, self._pixels, self._see)

    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts -> (n, d) unit vectors; what does not fit into the tower's places is cut off."""
        return self._embedded(texts, self._ids, self._read)

    @torch.inference_mode()
    def text_tokens(self, texts: Sequence[str]) -> tuple[Float32, Bool]:
        """Return hidden states of the text tower for diffusion priors.

        Of the last layer after its normalisation, before the projection; this is what unCLIP priors were trained with.

        Returns:
            (n, 77, width) float32, and (n, 77) true from the start to the end token; what stands beyond is to be
            masked.
        """
        width = self._network.config.text_config.hidden_size
        hidden = np.zeros((len(texts), self._parts.places, width), np.float32)
        mask = np.zeros(hidden.shape[:2], np.bool_)
        for start in range(0, len(texts), self._batch_size):
            part = slice(start, start + self._batch_size)
            tokens = self._tokens(texts[part])
            flat = in_batches(
                self._states, tokens.input_ids, size=self._batch_size, device=self._device, dim=hidden[0].size
            )
            hidden[part] = flat.reshape(-1, *hidden.shape[1:])
            mask[part] = tokens.attention_mask.numpy() > 0
        return hidden, mask

    def _states(self, ids: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self._network.text_model(input_ids=ids).last_hidden_state
        return states.flatten(1)

    @torch.inference_mode()
    def _embedded(
        self,
        items: Sequence[Any],
        read: Callable[[Sequence[Any]], torch.Tensor],
        tower: Callable[[torch.Tensor], torch.Tensor],
    ) -> Float32:
        result = np.zeros((len(items), self._card.dim), np.float32)
        for start in range(0, len(items), self._batch_size):
            part = slice(start, start + self._batch_size)
            given = read(items[part])
            found = in_batches(tower, given, size=self._batch_size, device=self._device, dim=self._card.dim)
            # in float64, row by row: what is added in which order does not hang on the number of rows
            norms = np.sqrt(np.square(found, dtype=np.float64).sum(axis=1, keepdims=True))
            result[part] = found / np.maximum(norms, 1e-12)
        return result

    def _pixels(self, pictures: Sequence[UInt8]) -> torch.Tensor:
        from PIL import Image

        # As images, not arrays: of an array the processor guesses which axis holds the colours, and may guess wrong.
        images = [Image.fromarray(picture) for picture in pictures]
        pixels: torch.Tensor = self._parts.processor(images=images, return_tensors="pt")["pixel_values"]
        return pixels

    def _see(self, pixels: torch.Tensor) -> torch.Tensor:
        return _pooled(self._network.get_image_features(pixel_values=pixels.to(self._dtype)))

    def _ids(self, texts: Sequence[str]) -> torch.Tensor:
        ids: torch.Tensor = self._tokens(texts).input_ids
        return ids

    def text_notes(self, texts: Sequence[str]) -> list[TextNote]:
        """Return by text whether it is cut off."""
        if not texts:
            return []
        return [TextNote(cut=len(ids) > self._parts.places) for ids in self._parts.tokenizer(list(texts)).input_ids]

    def _read(self, ids: torch.Tensor) -> torch.Tensor:
        return _pooled(self._network.get_text_features(input_ids=ids))

    def _tokens(self, texts: Sequence[str]) -> Any:
        # Always all places, so that a text does not depend on its batch. No mask goes to the network: its attention is
        # causal, so that nothing before the end token sees what stands behind it.
        return self._parts.tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=self._parts.places,
            return_tensors="pt",
        )


def _pooled(output: Any) -> torch.Tensor:
    """Return the projected vectors: transformers 5 wraps them."""
    vectors: torch.Tensor = getattr(output, "pooler_output", output)
    return vectors


def preprocessing(parts: Parts, precision: str) -> str:
    """Return everything that is done to pictures and texts, and to the vectors, as a signature fragment."""
    p = parts.processor
    steps = ["rgb"]
    if p.do_resize:
        filters = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
        short = p.size.get("shortest_edge")
        size = f"short-side-{short}" if short else f"{p.size['height']}x{p.size['width']}"
        steps.append(f"{size}-{filters[int(p.resample)]}-pil")
    if p.do_center_crop:
        steps.append(f"centre-{p.crop_size['height']}x{p.crop_size['width']}-floor")
    if p.do_rescale:
        steps.append(f"times-{p.rescale_factor:.6g}")
    if p.do_normalize:
        steps += [f"{name}-{'/'.join(f'{v:.8g}' for v in values)}" for name, values in _moments(p)]
    text = f"clip-bpe-{len(parts.tokenizer)}+{parts.vocabulary},cut-{parts.places}"
    return f"image:{','.join(steps)}|text:{text}|layer:projection,l2|dtype:{precision}"


def _moments(processor: Any) -> list[tuple[str, Sequence[float]]]:
    return [("mean", processor.image_mean), ("std", processor.image_std)]


def load_clip(
    name: str,
    weights: Path | None,
    device: str,
    *,
    precision: Precision = "fp32",
    batch_size: int | None = None,
    download: bool | None = None,
) -> ClipEncoder:
    """Load a CLIP by its registered name; see :mod:`clipsonic_eval.encoders.clip`.

    Raises:
        WeightsError: its folder is missing, incomplete, unsafe or of another model.
    """
    model = MODELS.get(name)
    folder = folder_of(name, weights, download=download)
    parts = read(folder, model)
    card = EncoderCard(
        name,
        parts.sha256,
        int(parts.network.config.projection_dim),
        ("image", "text"),
        # results of another batch size differ by rounding: another space
        preprocessing(parts, precision) + (f"|batch:{batch_size}" if batch_size is not None else ""),
        licence="MIT" if model else "",
        source=f"https://huggingface.co/{model.repository}" if model else str(folder.name),
    )
    return ClipEncoder(parts, card, device, precision, batch_size)
