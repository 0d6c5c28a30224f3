"""The package's metric without the package: one sentence. Its numbers are compared in tests/reference."""

from __future__ import annotations

import numpy as np
import pytest
from unit.metrics.data import embeddings

from clipsonic_eval.errors import ConfigError
from clipsonic_eval.metrics import METRICS, fad_package


def test_without_the_package_it_says_how_to_get_it() -> None:
    sets = [embeddings(np.random.default_rng(i).standard_normal((9, 2))) for i in range(2)]
    with pytest.raises(ConfigError, match=r"needs the frechet-audio-distance package .*clipsonic-eval\[reference\]"):
        fad_package(*sets)
    assert METRICS["fad_package"].card.package
    assert not METRICS["fad_package"].card.by_default
