"""Conventions: what a published tool really computes under a metric's name. One file each; the folder is scanned.

A convention says how sound is loaded, which encoder with which options embeds it, which of our metrics is taken and
what it is multiplied with. It reproduces the numbers of a tool where the tool is right; where a tool is wrong (files
that it swallows, pairs that it mixes up) ours is not, and ``not_reproduced`` says so.

A file adds one or more to :data:`CONVENTIONS`.
"""

from clipsonic_eval.conventions._base import CONVENTIONS, Convention

__all__ = ["CONVENTIONS", "Convention"]
