"""Prepared clips: audio at one rate and length with embeddings of frames, in shards that training maps into memory.

:func:`prepare` makes a folder of them from videos, :class:`ClipStore` reads it. The folder holds ``clips.json`` (what
it is; only there when it is finished), ``skipped.csv`` (what was left out, and why), ``shards/*.arrow`` and
``image_embeddings.npy``.
"""

from clipsonic_eval.clips.preparation import Prepared, prepare
from clipsonic_eval.clips.prepare_config import PrepareConfig
from clipsonic_eval.clips.source import Source
from clipsonic_eval.clips.store import ClipStore

__all__ = ["ClipStore", "PrepareConfig", "Prepared", "Source", "prepare"]
