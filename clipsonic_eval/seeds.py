"""Named random streams: results do not depend on batch size, number of workers, order or resume point.

No library code seeds a global generator. Every clip draws from a stream of its own, derived from the run's seed, the
clip's key and the purpose.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, key: str, purpose: str) -> int:
    """Return the 63-bit seed of one stream, equal on every machine.

    Args:
        seed: of the run.
        key: of the clip ("" where the stream belongs to the whole run).
        purpose: name of the stream, e.g. ``sample`` or ``bootstrap``.

    Example:
        >>> derive(0, "dog-1", "sample") == derive(0, "dog-2", "sample")
        False
    """
    digest = hashlib.blake2b(f"{seed}\0{purpose}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def stream(seed: int, key: str, purpose: str) -> np.random.Generator:
    """Return the NumPy generator of one stream (PCG64); arguments as in :func:`derive`.

    Example:
        >>> bool(stream(0, "dog-1", "sample").random() == stream(0, "dog-1", "sample").random())
        True
    """
    return np.random.Generator(np.random.PCG64(derive(seed, key, purpose)))
