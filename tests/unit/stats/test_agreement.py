"""Krippendorff's alpha against the krippendorff package, the intraclass correlation against a published table."""

from __future__ import annotations

from typing import Any

import krippendorff
import numpy as np
import pytest

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.agreement import intraclass_correlation, krippendorff_alpha
from clipsonic_eval.stats.crossed import variance_components


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("seed", range(3))
def test_alpha_is_that_of_krippendorffs_package_with_answers_missing(scale: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = np.clip(np.round(rng.normal(3, 1, 30)[None] + rng.normal(0, 0.8, (6, 30))), 1, 5)
    table[rng.random(table.shape) < 0.4] = np.nan
    who, what = np.nonzero(np.isfinite(table))
    alpha, (low, high) = krippendorff_alpha(table[who, what], what, scale, n_boot=200)
    assert alpha == pytest.approx(krippendorff.alpha(table, level_of_measurement=scale), abs=1e-12)
    assert low < alpha < high


def test_alpha_is_one_where_all_agree_and_near_zero_where_answers_are_random() -> None:
    items = np.repeat(np.arange(200), 3)
    assert krippendorff_alpha((items % 5).astype(float), items, "interval", n_boot=10)[0] == 1
    random = np.random.default_rng(0).integers(1, 6, len(items)).astype(float)
    assert abs(krippendorff_alpha(random, items, "ordinal", n_boot=10)[0]) < 0.1


def test_agreement_that_cannot_be_told_is_refused() -> None:
    with pytest.raises(ShapeError, match="agreement needs items with several answers"):
        krippendorff_alpha(np.arange(4.0), np.arange(4), "ordinal")


def test_the_intraclass_correlation_is_that_of_shrout_and_fleiss() -> None:
    """Their table 2: six targets, four judges; ICC(2, 1) = 0.29, ICC(2, 4) = 0.62."""
    table = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
    items, judges = (a.ravel() for a in np.meshgrid(np.arange(6), np.arange(4), indexing="ij"))
    single, mean = intraclass_correlation(variance_components(table.ravel(), judges, items), 4)
    assert (round(single, 2), round(mean, 2)) == (0.29, 0.62)
