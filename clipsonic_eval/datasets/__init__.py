"""Data sets: layouts of folders and lists of videos. One file each; the folder is scanned.

A file registers a :class:`Dataset` under its name::

    DATASETS.add("my-layout", Dataset("what it is", items=my_items))

``items`` only lists; nothing is decoded here. A file that a list names and that is missing is a skip, not an error.
"""

from clipsonic_eval.datasets._base import DATASETS, Dataset, Listing, Member, SourceItem
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
from clipsonic_eval.datasets._tars import compression, opened_tar

__all__ = [
    "AUDIO_SUFFIXES",
    "DATASETS",
    "MEDIA_SUFFIXES",
    "Dataset",
    "Listing",
    "Member",
    "SourceItem",
    "by_suffix",
    "compression",
    "count_suffixes",
    "key_of",
    "near_matches",
    "opened_tar",
    "refuse_duplicates",
    "why_none",
    "without_suffix",
]
