"""The proportional-odds model, against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.ordinal import proportional_odds


def drawn(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    systems = np.arange(n) % 4
    latent = rng.logistic(size=n) + np.array([0.0, 0.7, -0.5, 1.5])[systems]
    return np.digitize(latent, [-1.5, -0.3, 0.8, 2.0]) + 1, systems


@pytest.mark.parametrize("seed", range(3))
def test_effects_are_those_of_statsmodels(seed: int) -> None:
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    categories, systems = drawn(seed)
    dummies = (systems[:, None] == np.arange(1, 4)).astype(float)
    fit = OrderedModel(categories, dummies, distr="logit").fit(method="bfgs", disp=False, gtol=1e-8)
    effects, influence = proportional_odds(categories, systems)
    assert effects[0] == 0
    assert effects[1:] == pytest.approx(fit.params[:3], abs=1e-4)
    # independent answers: the sum of squared influences is the robust variance, near that of the model
    assert np.sqrt((influence[:, 1:] ** 2).sum(axis=0)) == pytest.approx(fit.bse[:3], rel=0.15)
    assert np.abs(influence.sum(axis=0)).max() < 1e-6


def test_influences_predict_what_leaving_answers_out_does() -> None:
    categories, systems = drawn(5)
    effects, influence = proportional_odds(categories, systems)
    kept = np.ones(len(systems), bool)
    kept[7] = False
    without, _ = proportional_odds(categories[kept], systems[kept])
    assert without - effects == pytest.approx(-influence[7], abs=3e-4)


def test_only_the_order_of_the_categories_matters() -> None:
    categories, systems = drawn(6)
    stretched = np.array([0, 1, 5, 6, 90, 91])[categories]
    assert proportional_odds(stretched, systems)[0] == pytest.approx(proportional_odds(categories, systems)[0])


def test_a_better_system_has_a_greater_effect() -> None:
    effects, _ = proportional_odds(*drawn(7, 2000))
    assert list(np.argsort(effects)) == [2, 0, 1, 3]


@pytest.mark.parametrize(
    ("categories", "why"),
    [([3, 3, 3, 3], "same category"), ([5, 5, 1, 2], "same extreme"), ([2, 2, 1, 3, 4, 5, 4, 5], "do not overlap")],
)
def test_effects_that_would_be_infinite_are_refused(categories: list[int], why: str) -> None:
    systems = np.repeat([0, 1], len(categories) // 2)
    with pytest.raises(ShapeError, match=why):
        proportional_odds(np.array(categories), systems)
