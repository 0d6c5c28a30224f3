"""Conventions: what published toolkits compute under a metric's name. One file each; the package is scanned.

A convention states how audio is preprocessed, which encoder with which options embeds it, which of our metrics is
computed, and the factor by which the tool multiplies it. It reproduces a tool's numbers where the tool is right; where
a tool is wrong (files that it drops silently, pairs that it mixes up) it does not, and ``not_reproduced`` says so.

A file adds one or more to :data:`CONVENTIONS`.
"""

from clipsonic_eval.conventions._base import CONVENTIONS, Convention

__all__ = ["CONVENTIONS", "Convention"]
