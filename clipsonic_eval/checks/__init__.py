"""Checks: does something look wrong with audio, embeddings or scores?

Every check returns :class:`~clipsonic_eval.types.Finding` objects, one sentence each; no check changes a number.

- :mod:`~clipsonic_eval.checks.audio`: one clip: silence, clipping, DC offset, samples in another unit.
- :mod:`~clipsonic_eval.checks.embeddings`: sets of embeddings: few rows, duplicates, copies of training clips.
- :mod:`~clipsonic_eval.checks.leaks`: sets of clips that share videos or sounds.
- :mod:`~clipsonic_eval.checks.evaluation`: the sets, prompts and scores of one evaluation.
"""
