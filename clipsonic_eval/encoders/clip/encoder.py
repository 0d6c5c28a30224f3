"""CLIP as an encoder: unit vectors of images and texts, and the hidden states that a diffusion prior takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from clipsonic_eval.arraytypes import Bool, Float32, UInt8
from clipsonic_eval.bfloat16 import chosen
from clipsonic_eval.encoders._base import EncoderBase, TextNote, check_image
from clipsonic_eval.encoders._batches import in_batches
from clipsonic_eval.encoders.clip import frontend, tokenizer, weights
from clipsonic_eval.media.squares import Square
from clipsonic_eval.types import EncoderCard
from clipsonic_eval.weight_files import tensors_sha256

Precision = Literal["fp32", "bf16"]


class ClipEncoder(EncoderBase):
    """Both towers of a CLIP, frozen, in batches of one size.

    Args:
        network: transformers' ``CLIPModel``.
        tokenizer: its ``CLIPTokenizer``.
        processor: its ``CLIPImageProcessorPil``.
        card: its identity.
        device: of the towers.
        precision: ``bf16`` runs the towers in bfloat16 (another space, as the card says); vectors are normalised in
            float32 either way.
        batch_size: images or texts per batch, filled up to it; None: 4 on a CPU, 32 on a GPU. Another size changes
            results by rounding.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        processor: Any,
        card: EncoderCard,
        device: str = "cpu",
        precision: Precision = "fp32",
        batch_size: int | None = None,
    ) -> None:
        super().__init__(card)
        self._dtype = torch.bfloat16 if chosen(precision, device, card.name) == "bf16" else torch.float32
        self._network = network.to(device, self._dtype)
        self._tokenizer, self._processor, self._device = tokenizer, processor, device
        self._max_tokens = _max_tokens(network)
        self._batch_size = batch_size or (4 if device == "cpu" else 32)

    @property
    def image_square(self) -> Square | None:
        """The square that the front end begins with."""
        return frontend.square(self._processor)

    def image(self, images: Sequence[UInt8]) -> Float32:
        """Embed RGB images, each (height, width, 3) uint8 of any size -> (n, d) float32 unit vectors.

        Raises:
            ShapeError: an image has another shape or type.
        """
        for image in images:
            check_image(image)
        return self._vectors(images, lambda part: frontend.pixels(self._processor, part), self._image_features)

    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts -> (n, d) float32 unit vectors; texts beyond the tower's tokens are truncated."""
        return self._vectors(texts, lambda part: self._encode(part).input_ids, self._text_features)

    def text_projected(self, texts: Sequence[str]) -> Float32:
        """Embed texts -> (n, d) float32 as they leave the projection, of any norm; unCLIP priors take these."""
        return self._vectors(texts, lambda part: self._encode(part).input_ids, self._text_features, unit=False)

    def text_notes(self, texts: Sequence[str]) -> list[TextNote]:
        """Return for each text whether it is truncated."""
        return tokenizer.text_notes(self._tokenizer, texts, self._max_tokens)

    @torch.inference_mode()
    def text_tokens(self, texts: Sequence[str]) -> tuple[Float32, Bool]:
        """Return hidden states of the text tower for diffusion priors.

        Of the last layer after its normalisation, before the projection; unCLIP priors were trained with these.

        Returns:
            (n, 77, width) float32, and (n, 77) bool, true from the start to the end token; mask the rest.
        """
        width = self._network.config.text_config.hidden_size
        hidden = np.zeros((len(texts), self._max_tokens, width), np.float32)
        mask = np.zeros(hidden.shape[:2], np.bool_)
        for start in range(0, len(texts), self._batch_size):
            part = slice(start, start + self._batch_size)
            tokens = self._encode(texts[part])
            flat = in_batches(
                self._states, tokens.input_ids, size=self._batch_size, device=self._device, dim=hidden[0].size
            )
            hidden[part] = flat.reshape(-1, *hidden.shape[1:])
            mask[part] = tokens.attention_mask.numpy() > 0
        return hidden, mask

    @torch.inference_mode()
    def _vectors(
        self,
        items: Sequence[Any],
        prepare: Callable[[Sequence[Any]], torch.Tensor],
        tower: Callable[[torch.Tensor], torch.Tensor],
        *,
        unit: bool = True,
    ) -> Float32:
        result = np.zeros((len(items), self._card.dim), np.float32)
        for start in range(0, len(items), self._batch_size):
            part = slice(start, start + self._batch_size)
            inputs = prepare(items[part])
            found = in_batches(tower, inputs, size=self._batch_size, device=self._device, dim=self._card.dim)
            if not unit:
                result[part] = found
                continue
            # in float64, row by row: the order of the sum does not depend on the number of rows
            norms = np.sqrt(np.square(found, dtype=np.float64).sum(axis=1, keepdims=True))
            result[part] = found / np.maximum(norms, 1e-12)  # x / |x|
        return result

    def _encode(self, texts: Sequence[str]) -> Any:
        return tokenizer.encode(self._tokenizer, texts, self._max_tokens)

    def _states(self, ids: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self._network.text_model(input_ids=ids).last_hidden_state
        return states.flatten(1)

    def _image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        return _vectors(self._network.get_image_features(pixel_values=pixels.to(self._dtype)))

    def _text_features(self, ids: torch.Tensor) -> torch.Tensor:
        return _vectors(self._network.get_text_features(input_ids=ids))


def _vectors(output: Any) -> torch.Tensor:
    """Return the projected vectors, which transformers 5 wraps."""
    vectors: torch.Tensor = getattr(output, "pooler_output", output)
    return vectors


def _max_tokens(network: Any) -> int:
    """Return how many tokens the text tower takes, start and end included."""
    return int(network.config.text_config.max_position_embeddings)


def load_clip(
    name: str,
    folder: Path | None,
    device: str,
    *,
    precision: Precision = "fp32",
    batch_size: int | None = None,
    download: bool | None = None,
) -> ClipEncoder:
    """Load a CLIP by its registry name; arguments as of :class:`ClipEncoder`, weights as of the package.

    Raises:
        WeightsError: its folder is missing, incomplete, unsafe or of another model.
    """
    model = weights.MODELS.get(name)
    folder = weights.find(name, folder, download=download)
    network = weights.load(folder, model)
    read = tokenizer.load_tokenizer(folder, network.config.text_config)
    processor = frontend.load_processor(folder, int(network.config.vision_config.image_size))
    fields = [
        frontend.signature(processor),
        tokenizer.signature(read, _max_tokens(network)),
        f"layer:projection,l2|dtype:{precision}",
        *([] if batch_size is None else [f"batch:{batch_size}"]),  # results differ by rounding: another space
    ]
    card = EncoderCard(
        name,
        weights_sha256=tensors_sha256(network.state_dict()),
        dim=int(network.config.projection_dim),
        modalities=("image", "text"),
        preprocessing="|".join(fields),
        licence="MIT" if model else "",
        source=model.hub.url if model else folder.name,
    )
    return ClipEncoder(network, read, processor, card, device, precision, batch_size)
