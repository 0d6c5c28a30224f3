"""The guidance scale of a network, chosen on the validation split by the one-standard-error rule.

Systems that share a network differ in their condition only, and a comparison of conditions at different scales would
compare the scales. So the network has one scale: the smallest whose mean FAD over its systems is not worse than the
lowest by more than one standard error of the difference. Smaller scales are closer to what the network has learnt.

Source: L. Breiman et al., Classification and Regression Trees, 1984 (section 3.4.3, the one-standard-error rule).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clipsonic_eval.stats.evidence import evidence_from_influences
from clipsonic_eval.types import Score


def choose(fad: Mapping[float, Mapping[str, Score]]) -> dict[str, Any]:
    """Choose the scale of one network.

    Args:
        fad: by scale, then by system that uses the network: FAD with the influence of each of the same clips.

    Returns:
        ``scale``: the choice; ``lowest``: the scale of the lowest mean FAD; ``n``: number of clips; ``scales``: by
        scale ``mean_fad`` over the systems and ``se_of_difference`` to the lowest, over the clips.

    Raises:
        ShapeError: fewer than two clips, or a number that is not finite.
    """
    means = {scale: float(np.mean([score.value for score in scores.values()])) for scale, scores in fad.items()}
    lowest = min(means, key=lambda scale: (means[scale], scale))
    keys = sorted(next(iter(fad[lowest].values())).influence)
    influences = {  # of each clip on the mean of the systems' FADs: the mean of its influences, (n,)
        scale: np.mean([[score.influence[key] for key in keys] for score in scores.values()], axis=0)
        for scale, scores in fad.items()
    }
    errors = {}
    for scale, mean in means.items():
        of_difference = influences[scale] - influences[lowest]
        errors[scale] = evidence_from_influences(mean - means[lowest], of_difference, np.zeros(0)).se
    chosen = min(scale for scale, mean in means.items() if mean - means[lowest] <= errors[scale])
    scales = {s: {"mean_fad": mean, "se_of_difference": errors[s]} for s, mean in means.items()}
    return {"scale": chosen, "lowest": lowest, "n": len(keys), "scales": scales}
