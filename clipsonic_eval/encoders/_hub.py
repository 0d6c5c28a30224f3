"""Files of the Hugging Face hub: in the user's cache, or fetched where the user asked for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clipsonic_eval.errors import WeightsError

DOWNLOAD: Final = "CLIPSONIC_EVAL_DOWNLOAD"


def may_download(asked: bool | None) -> bool:
    """Return what the caller says; None: whether the environment variable CLIPSONIC_EVAL_DOWNLOAD is 1."""
    return os.environ.get(DOWNLOAD) == "1" if asked is None else asked


def cached(repository: str, name: str) -> Path | None:
    """Return a file of a repository if it lies in the cache; no network is touched."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, name)
    return Path(found) if isinstance(found, str) else None


def fetched(repository: str, names: Sequence[str], *, command: str) -> Path:
    """Return the folder with these files of a repository, after fetching what the cache lacks.

    Args:
        repository: on the hub.
        names: of files, or patterns of names.
        command: of the shell that does the same, for the sentence.

    Raises:
        WeightsError: no network, or no such file.
    """
    import huggingface_hub

    try:
        return Path(huggingface_hub.snapshot_download(repository, allow_patterns=list(names)))
    except (OSError, RuntimeError, ValueError) as error:  # no network, no such repository, offline mode
        line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{repository} could not be fetched ({line}); try {command}") from error
