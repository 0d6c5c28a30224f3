"""RoBERTa's tokenizer, found beside the weights or in the Hugging Face cache, and held against what it should know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.encoders._base import TextNote
from clipsonic_eval.encoders._hub import cached
from clipsonic_eval.errors import WeightsError

PLACES: Final = 77
PAD: Final = 1
_REPOSITORIES: Final = ("FacebookAI/roberta-base", "roberta-base")
_FILES: Final = ("tokenizer.json", "vocab.json")
_ROBERTA: Final = 50265
_KNOWN: Final = ("Hello world", [0, 31414, 232, 2])  # of the published vocabulary


def find(beside: Path, given: Path | None) -> Path | None:
    """Return the folder of a tokenizer: the one given, that of the weights, or the cache's; None: there is none."""
    for folder in [given] if given is not None else [beside]:
        if any((folder / name).is_file() for name in _FILES):
            return folder
    if given is None:
        for repository in _REPOSITORIES:
            for name in _FILES:
                if (path := cached(repository, name)) is not None:
                    return path.parent
    return None


def load(folder: Path | None, beside: Path, size: int) -> Any:
    """Return the tokenizer.

    Args:
        folder: see :func:`find`.
        beside: the folder of the weights, for the sentence.
        size: words that the text tower knows.

    Raises:
        WeightsError: there is none, or it is of another vocabulary. transformers gives an empty one where files are
            missing, which maps every text to the same tokens.
    """
    if folder is None:
        raise WeightsError(
            f"{beside}: texts need RoBERTa's tokenizer, which is neither there nor in the Hugging Face cache; fetch it "
            f"with 'hf download {_REPOSITORIES[0]} --include \"*.json\" --include merges.txt', or put its "
            "tokenizer.json beside the weights"
        )
    from transformers import RobertaTokenizer

    try:
        tokenizer = RobertaTokenizer.from_pretrained(folder, local_files_only=True)
        one, other = (tokenizer(text).input_ids for text in ("a dog barks", "rain on a roof"))
    except Exception as error:  # the tokenizers library raises bare exceptions
        line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{folder}: the tokenizer's files are damaged ({line}); fetch them again") from error
    if len(tokenizer) != size or one == other or tokenizer.pad_token_id != PAD:
        raise WeightsError(
            f"{folder}: the tokenizer knows {len(tokenizer)} words and the text tower {size}; it needs RoBERTa's "
            "tokenizer.json, or vocab.json and merges.txt"
        )
    if size == _ROBERTA and tokenizer(_KNOWN[0]).input_ids != _KNOWN[1]:
        raise WeightsError(f"{folder}: the tokenizer has another vocabulary than RoBERTa's; fetch roberta-base's")
    return tokenizer


def notes(tokenizer: Any, texts: Sequence[str]) -> list[TextNote]:
    """Return by text whether it is longer than 77 tokens."""
    return [TextNote(cut=len(ids) > PLACES) for ids in tokenizer(list(texts)).input_ids] if texts else []


def tokens(tokenizer: Any, texts: Sequence[str]) -> Any:
    """Return ids (n, 77) as a tensor; all places are filled, so that a text does not depend on its batch."""
    return tokenizer(
        list(texts), padding="max_length", truncation=True, max_length=PLACES, return_tensors="pt"
    ).input_ids
