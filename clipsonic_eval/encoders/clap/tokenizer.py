"""RoBERTa's tokenizer, found with the weights or in the Hugging Face cache, and compared with what it should know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.encoders._base import TextNote
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.weight_files import hub_file

MAX_TOKENS: Final = 77
PAD: Final = 1
_REPOSITORIES: Final = ("FacebookAI/roberta-base", "roberta-base")
_FILES: Final = ("tokenizer.json", "vocab.json")
_ROBERTA: Final = 50265  # size of the published vocabulary
_SAMPLE: Final = ("Hello world", [0, 31414, 232, 2])  # a text and its tokens in the published vocabulary


def find(weights_dir: Path, folder: Path | None) -> Path | None:
    """Return a folder with a tokenizer: the one given, that of the weights, or the cache's; None if there is none."""
    place = weights_dir if folder is None else folder
    if any((place / name).is_file() for name in _FILES):
        return place
    if folder is None:
        for repository in _REPOSITORIES:
            for name in _FILES:
                if (path := hub_file(repository, name)) is not None:
                    return path.parent
    return None


def load(weights_dir: Path, folder: Path | None, vocab_size: int) -> Any:
    """Return the tokenizer, transformers' ``RobertaTokenizer``.

    Args:
        weights_dir: folder of the weights.
        folder: of the tokenizer; None: that of the weights, or the Hugging Face cache.
        vocab_size: tokens that the text tower knows.

    Raises:
        WeightsError: there is none, or it has another vocabulary. transformers gives an empty tokenizer where files
            are missing, which maps every text to the same tokens.
    """
    place = find(weights_dir, folder)
    if place is None:
        raise WeightsError(
            f"{folder or weights_dir}: texts need RoBERTa's tokenizer, which is neither there nor in the Hugging Face "
            f"cache; fetch it with 'hf download {_REPOSITORIES[0]} --include \"*.json\" --include merges.txt', or put "
            "its tokenizer.json into the folder of the weights"
        )
    from transformers import RobertaTokenizer

    try:
        tokenizer = RobertaTokenizer.from_pretrained(place, local_files_only=True)
        one, other = (tokenizer(text).input_ids for text in ("a dog barks", "rain on a roof"))
    except Exception as error:  # the tokenizers library raises bare exceptions
        line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{place}: the tokenizer's files are damaged ({line}); fetch them again") from error
    if len(tokenizer) != vocab_size or one == other or tokenizer.pad_token_id != PAD:
        raise WeightsError(
            f"{place}: the tokenizer knows {len(tokenizer)} tokens and the text tower {vocab_size}; it needs RoBERTa's "
            "tokenizer.json, or vocab.json and merges.txt"
        )
    if vocab_size == _ROBERTA and tokenizer(_SAMPLE[0]).input_ids != _SAMPLE[1]:
        raise WeightsError(f"{place}: the tokenizer has another vocabulary than RoBERTa's; fetch roberta-base's")
    return tokenizer


def text_notes(tokenizer: Any, texts: Sequence[str]) -> list[TextNote]:
    """Return for each text whether it is longer than 77 tokens and truncated."""
    return [TextNote(cut=len(ids) > MAX_TOKENS) for ids in tokenizer(list(texts)).input_ids] if texts else []


def encode(tokenizer: Any, texts: Sequence[str]) -> Any:
    """Return token ids, a tensor (n, 77) int64; always padded to 77, so that a text does not depend on its batch."""
    return tokenizer(
        list(texts), padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
    ).input_ids
