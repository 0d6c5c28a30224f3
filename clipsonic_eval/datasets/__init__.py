"""Data sets: layouts of folders and lists of videos. One file each; the folder is scanned.

A file registers a :class:`Dataset` under its name::

    DATASETS.add("my-layout", Dataset("what it is", items=my_items))

``items`` only lists; nothing is decoded here. A file that a list names and that is missing is a skip, not an error.
"""

from clipsonic_eval.datasets._base import DATASETS, Dataset, Listing, SourceItem, TarMember
from clipsonic_eval.datasets._files import (
    AUDIO_SUFFIXES,
    MEDIA_SUFFIXES,
    by_suffix,
    count_suffixes,
    key_of,
    refuse_duplicates,
    without_suffix,
)
from clipsonic_eval.datasets._matching import near_matches, why_none

__all__ = [
    "AUDIO_SUFFIXES",
    "DATASETS",
    "MEDIA_SUFFIXES",
    "Dataset",
    "Listing",
    "SourceItem",
    "TarMember",
    "by_suffix",
    "count_suffixes",
    "key_of",
    "near_matches",
    "refuse_duplicates",
    "why_none",
    "without_suffix",
]
