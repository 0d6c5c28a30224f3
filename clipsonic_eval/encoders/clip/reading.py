"""A folder of transformers, read with suspicion: network, tokenizer and picture processor that belong together."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsonic_eval.encoders._transformers import AGAIN, read_network, tensors_in, tensors_sha256
from clipsonic_eval.encoders.clip.models import Model
from clipsonic_eval.errors import WeightsError


@dataclass(frozen=True, slots=True)
class Parts:
    """What a folder holds.

    Attributes:
        network: transformers' ``CLIPModel``, float32, on the CPU.
        tokenizer: its ``CLIPTokenizer``.
        processor: its ``CLIPImageProcessorPil``; the one for torchvision gives other numbers.
        sha256: of the network's tensors, see :func:`~clipsonic_eval.encoders._transformers.tensors_sha256`.
        vocabulary: first eight digits of the hash of the tokenizer's vocabulary.
    """

    network: Any
    tokenizer: Any
    processor: Any
    sha256: str
    vocabulary: str

    @property
    def places(self) -> int:
        """Tokens that the text tower has room for, start and end included."""
        return int(self.network.config.text_config.max_position_embeddings)


def read(folder: Path, expected: Model | None = None) -> Parts:
    """Read a folder; nothing in it is executed and nothing is fetched.

    Args:
        folder: as transformers writes it.
        expected: refuse a network of other sizes.

    Raises:
        WeightsError: a file is missing, damaged or unsafe, or they do not belong together.
    """
    from transformers import CLIPConfig, CLIPModel

    if not tensors_in(folder):
        raise WeightsError(f"{folder}: holds neither model.safetensors nor pytorch_model.bin; {AGAIN}")
    if not (folder / "preprocessor_config.json").is_file():
        raise WeightsError(f"{folder}: preprocessor_config.json is missing; {AGAIN}")
    network = read_network(folder, CLIPConfig, CLIPModel, extra=("position_ids",))
    if expected is not None:
        _check_sizes(folder, network.config, expected)
    tokenizer = _tokenizer(folder, network.config.text_config)
    processor = _processor(folder, int(network.config.vision_config.image_size))
    words = json.dumps(sorted(tokenizer.get_vocab().items())).encode()
    vocabulary = hashlib.sha256(words).hexdigest()[:8]
    return Parts(network, tokenizer, processor, tensors_sha256(network.state_dict()), vocabulary)


def _check_sizes(folder: Path, config: Any, expected: Model) -> None:
    found = (config.projection_dim, config.vision_config.patch_size, config.vision_config.num_hidden_layers)
    wanted = (expected.dim, expected.patch, expected.layers)
    if found != wanted:
        raise WeightsError(
            f"{folder}: a CLIP of {found[0]} dimensions, patch {found[1]}, {found[2]} layers, but "
            f"{expected.repository} has {wanted[0]}, {wanted[1]}, {wanted[2]}; load others as 'clip-transformers'"
        )


def _tokenizer(folder: Path, config: Any) -> Any:
    """Return the tokenizer after checking that it is one: transformers gives an empty one where files are missing."""
    from transformers import CLIPTokenizer

    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        start, *_, end = tokenizer("a photo of a dog").input_ids
    except Exception as error:  # the tokenizers library raises bare exceptions
        line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{folder}: the tokenizer's files are missing or damaged ({line}); {AGAIN}") from error
    if len(tokenizer) != config.vocab_size:
        raise WeightsError(
            f"{folder}: the tokenizer knows {len(tokenizer)} tokens and the network {config.vocab_size}; are "
            f"tokenizer.json, or vocab.json and merges.txt, missing? {AGAIN.capitalize()}"
        )
    # The network reads a text at its end token: at this number, or (number 2, as older files say) at the highest one.
    read_at = config.vocab_size - 1 if config.eos_token_id == 2 else config.eos_token_id
    if (start, end) != (tokenizer.bos_token_id, tokenizer.eos_token_id) or end != read_at:
        raise WeightsError(f"{folder}: texts end in token {end}, but the network reads them at {read_at}; {AGAIN}")
    return tokenizer


def _processor(folder: Path, side: int) -> Any:
    from transformers import CLIPImageProcessorPil

    try:
        processor = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)
        size = processor.crop_size if processor.do_center_crop else processor.size
        found = (size["height"], size["width"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{folder}: preprocessor_config.json is not readable ({line}); {AGAIN}") from error
    if found != (side, side):
        raise WeightsError(
            f"{folder}: preprocessor_config.json makes pictures of {found[0]} x {found[1]} pixels, the network takes "
            f"{side} x {side}; {AGAIN}"
        )
    return processor
