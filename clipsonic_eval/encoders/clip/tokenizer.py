"""CLIP's tokenizer, read from a folder and compared with the network that reads its tokens."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval.encoders._base import TextNote
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.weight_files import COPY_FOLDER


def load_tokenizer(folder: Path, config: Any) -> Any:
    """Return the tokenizer of a folder, transformers' ``CLIPTokenizer``.

    Args:
        folder: as transformers writes it.
        config: of the network's text tower.

    Raises:
        WeightsError: its files are missing or damaged, or it belongs to another network. transformers gives an empty
            tokenizer where files are missing.
    """
    from transformers import CLIPTokenizer

    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        start, *_, end = tokenizer("a photo of a dog").input_ids
    except Exception as error:  # the tokenizers library raises bare exceptions
        line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{folder}: the tokenizer's files are missing or damaged ({line}); {COPY_FOLDER}") from error
    if len(tokenizer) != config.vocab_size:
        raise WeightsError(
            f"{folder}: the tokenizer knows {len(tokenizer)} tokens and the network {config.vocab_size}; are "
            f"tokenizer.json, or vocab.json and merges.txt, missing? {COPY_FOLDER.capitalize()}"
        )
    # The network reads a text at its end token: at this id, or (id 2, in older files) at the highest one.
    read_at = config.vocab_size - 1 if config.eos_token_id == 2 else config.eos_token_id
    if (start, end) != (tokenizer.bos_token_id, tokenizer.eos_token_id) or end != read_at:
        raise WeightsError(
            f"{folder}: texts end in token {end}, but the network reads them at {read_at}; {COPY_FOLDER}"
        )
    return tokenizer


def encode(tokenizer: Any, texts: Sequence[str], max_tokens: int) -> Any:
    """Return token ids and attention mask, (n, max_tokens) int64 each, padded and truncated.

    Always to ``max_tokens``, so that a text does not depend on its batch. The network gets no mask: its attention is
    causal, and nothing before the end token sees what follows it.
    """
    return tokenizer(list(texts), padding="max_length", truncation=True, max_length=max_tokens, return_tensors="pt")


def text_notes(tokenizer: Any, texts: Sequence[str], max_tokens: int) -> list[TextNote]:
    """Return for each text whether it is truncated."""
    return [TextNote(cut=len(ids) > max_tokens) for ids in tokenizer(list(texts)).input_ids] if texts else []


def signature(tokenizer: Any, max_tokens: int) -> str:
    """Return vocabulary and length of texts as a field of a signature."""
    vocabulary = json.dumps(sorted(tokenizer.get_vocab().items())).encode()
    digest = hashlib.sha256(vocabulary).hexdigest()[:8]
    return f"text:clip-bpe-{len(tokenizer)}+{digest},cut-{max_tokens}"
