"""Text-to-audio systems: what generates a waveform for each query. The harness imports none; it locates them by name.

A name is ``package.module:Class`` or ``path/to/file.py:Class``, a folder of wavs named ``<key>.wav``, or an entry point
of the group ``clipsonic_eval.systems`` in another distribution. A system is any class of this form::

    class MySystem:
        name = "mine"
        sample_rate = 16000  # Hz

        def generate(self, queries, seeds):  # -> one (n,) float32 waveform in [-1, 1] per query
            return [my_model(query.prompt, seed) for query, seed in zip(queries, seeds)]

An optional ``card()`` returns everything its results depend on (hashes of weights, settings), JSON-serialisable.
"""

from clipsonic_eval.systems._base import SYSTEMS, System, resolve

__all__ = ["SYSTEMS", "System", "resolve"]
