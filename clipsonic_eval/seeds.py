"""Random streams by name: results do not depend on batch size, worker count, order or resume point.

No library code seeds a global generator. Every item draws from a stream of its own, made from the run's seed, the
item's key and the purpose.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, key: str, purpose: str) -> int:
    """Return the 63-bit seed of one stream, equal on every machine.

    Args:
        seed: the run's seed.
        key: the item's key ("" where the stream belongs to the whole run).
        purpose: what is drawn, e.g. ``sample`` or ``bootstrap``.
    """
    digest = hashlib.blake2b(f"{seed}\0{purpose}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def stream(seed: int, key: str, purpose: str) -> np.random.Generator:
    """Return the NumPy generator of one stream (PCG64)."""
    return np.random.Generator(np.random.PCG64(derive(seed, key, purpose)))
