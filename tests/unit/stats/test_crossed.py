"""Intervals over listeners and items: against statsmodels, closed forms and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.listening import design
from clipsonic_eval.stats import crossed
from clipsonic_eval.stats.interval_coverage import measure_coverage


def answers(rng: np.random.Generator, listeners: int, items: int, sd: tuple[float, float, float] = (0.5, 0.4, 0.9)):
    who, what = np.repeat(np.arange(listeners), items), np.tile(np.arange(items), listeners)
    noise = [rng.normal(0, s, n) for s, n in zip(sd, (listeners, items, len(who)), strict=True)]
    return 3.0 + noise[0][who] + noise[1][what] + noise[2], who, what


def mean_influence(y: np.ndarray) -> np.ndarray:
    return (y - y.mean()) / len(y)


@pytest.mark.parametrize("seed", [0, 2, 4])  # in which no sum of squares is below that of the cells
def test_the_variance_is_that_of_two_way_clustering_in_statsmodels(seed: int) -> None:
    from statsmodels.regression.linear_model import OLS

    y, who, what = answers(np.random.default_rng(seed), 8, 12, (1.0, 1.0, 0.5))
    keep = np.random.default_rng(seed).random(len(y)) < 0.6
    y, who, what = y[keep], who[keep], what[keep]
    theirs = OLS(y, np.ones(len(y))).fit(cov_type="cluster", cov_kwds={"groups": np.stack([who, what], axis=1)})
    ours, _ = crossed.two_way_variance(mean_influence(y), who, what)
    assert ours == pytest.approx(float(theirs.cov_params()[0, 0]), rel=1e-9)


def test_in_a_complete_table_the_variance_is_that_of_the_analysis_of_variance() -> None:
    y, who, what = answers(np.random.default_rng(4), 10, 15)
    table = y.reshape(10, 15)
    between = table.mean(axis=1).var(ddof=1) / 10 + table.mean(axis=0).var(ddof=1) / 15
    ours, df = crossed.two_way_variance(mean_influence(y), who, what)
    assert ours == pytest.approx(between - y.var(ddof=1) / 150, rel=1e-9)
    assert 9 <= df <= 60


def test_differences_of_a_complete_table_are_the_means_of_the_paired_differences() -> None:
    rng = np.random.default_rng(5)
    who, what, system = (a.ravel() for a in np.meshgrid(np.arange(6), np.arange(7), np.arange(3), indexing="ij"))
    y = rng.normal(size=len(who)) + system + rng.normal(size=6)[who]
    table = y.reshape(6, 7, 3)
    pairs = [(0, 1), (2, 0)]
    for (a, b), (difference, influence, fitted) in zip(
        pairs, crossed.adjusted_differences(y, system, who, what, pairs), strict=True
    ):
        assert difference == pytest.approx((table[..., a] - table[..., b]).mean(), abs=1e-12)
        assert abs(influence.sum()) < 1e-12
        assert fitted == 3 + 6 + 7 - 2


def test_differences_are_those_of_least_squares_in_statsmodels_where_answers_are_missing() -> None:
    import pandas as pd
    from statsmodels.formula.api import ols

    rng = np.random.default_rng(6)
    rows = np.array([(i, q, s) for i in range(9) for q, s in design.block(i, 4, 24, 2, 0)])
    who, what, system = rows.T
    y = rng.normal(size=len(who)) + 0.5 * system + rng.normal(size=9)[who] + rng.normal(size=24)[what]
    frame = pd.DataFrame({"y": y, "who": who, "what": what, "system": system})
    fit = ols("y ~ C(system) + C(who) + C(what)", frame).fit()
    found = crossed.adjusted_differences(y, system, who, what, [(1, 0), (3, 2)])
    assert found[0][0] == pytest.approx(fit.params["C(system)[T.1]"], abs=1e-9)
    expected = fit.params["C(system)[T.3]"] - fit.params["C(system)[T.2]"]
    assert found[1][0] == pytest.approx(expected, abs=1e-9)
    assert found[0][2] == int(fit.df_model) + 1


def test_systems_without_common_listeners_and_items_are_not_compared() -> None:
    y, who, what = answers(np.random.default_rng(7), 4, 6)
    two = np.concatenate([y, y]), np.concatenate([who, who + 4]), np.concatenate([what, what + 6])
    systems = np.repeat([0, 1], len(y))
    with pytest.raises(ShapeError, match="cannot be compared"):
        crossed.adjusted_differences(two[0], systems, two[1], two[2], [(0, 1)])


def test_components_of_a_complete_table_are_those_of_the_analysis_of_variance() -> None:
    y, who, what = answers(np.random.default_rng(8), 12, 9)
    table = y.reshape(12, 9)
    residuals = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    rest = (residuals**2).sum() / (11 * 8)
    listener = table.mean(axis=1).var(ddof=1) - rest / 9
    item = table.mean(axis=0).var(ddof=1) - rest / 12
    assert crossed.variance_components(y, who, what) == pytest.approx((listener, item, rest), rel=1e-9)


def test_components_come_back_from_incomplete_designs() -> None:
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rows = np.array([(i, q, s) for i in range(20) for q, s in design.block(i, 3, 40, 2, 0)])
        who, what, system = rows.T
        noise = rng.normal(0, 0.5, 20)[who] + rng.normal(0, 0.4, 40)[what] + rng.normal(0, 0.9, len(who))
        found.append(crossed.variance_components(noise + system, who, what, system))
    assert np.mean(found, axis=0) == pytest.approx((0.25, 0.16, 0.81), abs=0.04)


def test_components_need_overlap() -> None:
    with pytest.raises(ShapeError, match="cannot be told apart"):
        crossed.variance_components(np.arange(4.0), np.arange(4), np.arange(4))


@pytest.mark.parametrize("method", ["analytic", "bootstrap"])
def test_intervals_cover_the_truth_where_listeners_and_items_are_drawn_anew(method: str) -> None:
    def interval(drawn: tuple[np.ndarray, np.ndarray, np.ndarray], seed: int) -> tuple[float, float]:
        y, who, what = drawn
        if method == "analytic":
            return crossed.two_way_interval(float(y.mean()), mean_influence(y), who, what)
        return crossed.crossed_bootstrap_interval(float(y.mean()), mean_influence(y), who, what, n_boot=400, seed=seed)

    found = measure_coverage(lambda rng: answers(rng, 12, 20), interval, truth=3.0, repeats=300)
    assert 0.9 <= found.share <= 0.985


def test_more_listeners_make_a_shorter_interval_and_more_answers_of_one_listener_do_not() -> None:
    def width(listeners: int, items: int) -> float:
        y, who, what = answers(np.random.default_rng(9), listeners, items, (1.0, 0.0, 0.3))
        low, high = crossed.two_way_interval(0.0, mean_influence(y), who, what)
        return high - low

    assert width(40, 20) < 0.75 * width(10, 20)
    assert width(10, 200) > 0.75 * width(10, 20)


def test_the_bootstrap_interval_leans_to_the_side_of_the_long_tail() -> None:
    rng = np.random.default_rng(10)
    who, what = np.repeat(np.arange(12), 12), np.tile(np.arange(12), 12)
    y = rng.exponential(size=12)[who] * 2 + rng.exponential(size=12)[what]
    low, high = crossed.crossed_bootstrap_interval(float(y.mean()), mean_influence(y), who, what, seed=1)
    assert high - y.mean() > y.mean() - low
    assert crossed.crossed_bootstrap_interval(float(y.mean()), mean_influence(y), who, what, seed=1) == (low, high)


def test_p_values_are_uniform_where_nothing_differs() -> None:
    found = []
    for seed in range(200):
        y, who, what = answers(np.random.default_rng(seed), 15, 20)
        found.append(crossed.two_way_p(float(y.mean()) - 3.0, mean_influence(y), who, what))
    assert scipy_stats.kstest(found, "uniform").pvalue > 0.001


def test_answers_that_are_all_the_same_leave_no_interval_and_no_error() -> None:
    y, (who, what) = np.full(12, 4.0), (np.repeat(np.arange(3), 4), np.tile(np.arange(4), 3))
    assert crossed.crossed_bootstrap_interval(4.0, mean_influence(y), who, what) == (4.0, 4.0)
    assert crossed.two_way_p(0.0, mean_influence(y), who, what) == 1.0


def test_one_listener_is_refused() -> None:
    with pytest.raises(ShapeError, match="1 listeners and 3 items"):
        crossed.two_way_variance(np.zeros(3), np.zeros(3, int), np.arange(3))
