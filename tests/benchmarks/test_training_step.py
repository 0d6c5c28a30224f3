"""A training step beside plain loops of PyTorch and accelerate: same network, batch, noise, precision, optimiser."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from benchmarks.paired_loops import in_turns, running
from benchmarks.training_loops import OURS, SIZES
from benchmarks.training_step import LOOPS

ROUNDS = 12
CLOSE = {"fp32": 1e-4, "bf16": 2e-3}  # of the losses of six steps


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_training_step(precision: str, add_pairs: Callable[..., None]) -> None:
    """Every loop takes the same steps, by their losses; then they take turns, and ratios go on the page."""
    with running(LOOPS, "benchmark", precision) as loops:
        losses = {loop.who: [loop.first, *loop.ask("losses")] for loop in loops}
        for who in LOOPS:
            np.testing.assert_allclose(losses[who], losses[OURS], rtol=CLOSE[precision], err_msg=who)
        assert losses[OURS][0] != losses[OURS][-1]
        times = in_turns(loops, ROUNDS)
    size = SIZES["benchmark"]
    add_pairs(f"training step, unet2d, batch {size.batch}, {precision}", times.seconds)
