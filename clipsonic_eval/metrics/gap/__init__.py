"""Statistics of the modality gap between paired embeddings of one space (image and text, audio and text).

Registered metrics like all others, each a function of arrays that are paired row by row, or of embeddings paired by
key: ``from clipsonic_eval.metrics import centroid_distance``. Cosines are never averaged over an item and itself, nor
over an item and its own pair unless the name says *matched*. Files of this folder are scanned; a new statistic is a new
file.

:func:`gap_scores` computes all of them for a text and some priors. Three give the share of the gap that a prior closes,
and are read together: ``gap_closed_centroid`` (moving the cloud as a whole gives nearly 1),
``gap_closed``, and ``gap_closed_centred`` (moving the cloud gives 0; only knowing more about the single image than the
text embedding does gives more).

Source: W. Liang et al., Mind the Gap, NeurIPS 2022 (centroid distance of L2-normalised features).
"""

from __future__ import annotations

import importlib
import pkgutil

from clipsonic_eval.metrics.gap._pairs import MIN_PAIRS, PairedVectors, paired
from clipsonic_eval.metrics.gap.scores import gap_scores, mean_shifted
from clipsonic_eval.metrics.gap.shift import mean_shift, shift_curve

__all__ = ["MIN_PAIRS", "PairedVectors", "gap_scores", "mean_shift", "mean_shifted", "paired", "shift_curve"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
