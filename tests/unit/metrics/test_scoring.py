"""How scores are made: values, intervals by kind of metric, reasons for no score, signatures."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from unit.metrics.data import embeddings

from clipsonic_eval import metrics, signature
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics import METRICS, ClipInfluence, ClipMetric, Estimate, Inputs, MetricCard, SetMetric
from clipsonic_eval.metrics.scoring import make, score, score_systems
from clipsonic_eval.stats import bootstrap
from clipsonic_eval.stats.frechet import Gaussian
from clipsonic_eval.types import Skip, as_embeddings

RNG = np.random.default_rng

CARD = MetricCard(
    name="mean_of_first",
    title="Mean",
    description="mean of the first coordinate",
    unit="unit",
    higher_is_better=True,
    role="audio",
    needs=(),
    min_n=3,
    biased_in_n=False,
    signature="coordinate:0",
    source="here",
)


def first_coordinate(inputs: Inputs) -> dict[str, float]:
    return dict(zip(inputs.system.keys, inputs.system.vectors[:, 0].tolist(), strict=True))


def mean_estimate(inputs: Inputs) -> tuple[float, tuple[np.ndarray, None]]:
    """The same mean as a statistic of a set, with the influence of each clip, (x_i - mean) / n."""
    x = inputs.system.vectors[np.argsort(inputs.system.keys), 0].astype(float)
    return float(x.mean()), ((x - x.mean()) / len(x), None)


PER_CLIP = ClipMetric(CARD, first_coordinate)
OF_SET = SetMetric.from_estimate(CARD, mean_estimate)


@pytest.mark.parametrize("metric", [PER_CLIP, OF_SET])
def test_a_mean_has_the_same_value_and_nearly_the_same_interval_by_either_kind(metric: ClipMetric | SetMetric) -> None:
    x = RNG(0).standard_normal((200, 2)) + 3
    found = score_systems(metric, {"a": Inputs(embeddings(x))}, n_boot=2000, seed=0).scores["a"]
    error = x[:, 0].std(ddof=1) / np.sqrt(200)
    assert found.value == pytest.approx(x[:, 0].mean(), rel=1e-12)
    assert found.ci is not None
    assert found.ci == pytest.approx((found.value - 1.96 * error, found.value + 1.96 * error), abs=0.25 * error)


def test_means_have_values_per_clip_and_statistics_of_sets_influences() -> None:
    x = RNG(1).standard_normal((20, 2))
    mean, statistic = (
        score_systems(m, {"a": Inputs(embeddings(x))}, n_boot=50, seed=0).scores["a"] for m in (PER_CLIP, OF_SET)
    )
    assert list(mean.per_clip.values()) == x[:, 0].tolist()
    assert not mean.influence
    assert not statistic.per_clip
    deviations = (x[:, 0] - x[:, 0].mean()) / 20
    assert list(statistic.influence.values()) == pytest.approx(deviations.tolist())
    assert sum(v * v for v in statistic.influence.values()) ** 0.5 == pytest.approx(x[:, 0].std() / np.sqrt(20))


@pytest.mark.parametrize("metric", [PER_CLIP, OF_SET])
def test_a_system_of_too_few_clips_does_not_stop_the_others(metric: ClipMetric | SetMetric) -> None:
    x = RNG(2).standard_normal((9, 2))
    given = {"few": Inputs(embeddings(x[:2])), "enough": Inputs(embeddings(x))}
    found = score_systems(metric, given, n_boot=40, seed=0)
    assert list(found.scores) == ["enough"]
    assert found.unscored == {"few": "it needs at least 3 clips that can be scored, and there are 2"}


def test_a_function_says_itself_what_is_missing() -> None:
    with pytest.raises(ShapeError, match="mean_of_first: it needs at least 3 clips"):
        score(PER_CLIP, RNG(3).standard_normal((2, 2)), n_boot=0, seed=0)


@pytest.mark.parametrize("metric", [PER_CLIP, OF_SET])
def test_systems_with_equal_keys_share_their_resamples(metric: ClipMetric | SetMetric) -> None:
    x = RNG(4).standard_normal((30, 2))
    given = {"a": Inputs(embeddings(x)), "b": Inputs(embeddings(x + 1))}
    together = score_systems(metric, given, n_boot=60, seed=3)
    alone = score_systems(metric, {"b": given["b"]}, n_boot=60, seed=3)
    assert together.scores["b"] == alone.scores["b"]
    if together.replicates:
        assert together.replicates["b"] - together.replicates["a"] == pytest.approx(np.ones(60), rel=1e-12)


def test_an_interval_ends_where_no_value_can_lie() -> None:
    bounded = dataclasses.replace(OF_SET, lowest=0.0, highest=0.3)
    x = np.abs(RNG(5).standard_normal((5, 1))) * 0.2
    found = score_systems(bounded, {"a": Inputs(embeddings(x))}, n_boot=200, seed=0).scores["a"]
    assert found.ci is not None
    assert 0 <= found.ci[0] <= found.ci[1] <= 0.3


def test_a_reference_of_stored_statistics_is_named_in_the_method_and_kept_fixed() -> None:
    x, y = RNG(6).standard_normal((40, 3)), RNG(7).standard_normal((50, 3))
    fad = METRICS["fad"]
    assert isinstance(fad, SetMetric)
    rows = Inputs(embeddings(x), embeddings(y))
    stored = Inputs(embeddings(x), reference_moments=Gaussian.fit(y))
    of_rows, of_moments = (score_systems(fad, {"a": given}, n_boot=400, seed=0).scores["a"] for given in (rows, stored))
    assert of_moments.value == pytest.approx(of_rows.value, rel=1e-9)
    assert of_rows.ci_method == "bootstrap-clip-damped-400"
    assert of_moments.ci_method == "bootstrap-clip-damped-400-given-reference"
    assert of_rows.ci is not None
    assert of_moments.ci is not None
    assert of_moments.ci[1] - of_moments.ci[0] < of_rows.ci[1] - of_rows.ci[0]  # one side scatters, not two
    assert of_rows.details["n_reference"] == 50
    assert not of_moments.reference_influence


def test_the_bias_of_a_curved_statistic_is_estimated() -> None:
    """FAD of two samples of one population is nothing but bias."""
    x, y = RNG(8).standard_normal((60, 4)), RNG(9).standard_normal((2000, 4))
    found = metrics.fad(y, x)
    assert found.value > 0.1
    assert abs(found.details["debiased"]) < 0.4 * found.value
    assert found.details["debiased_low"] < found.details["debiased"] < found.details["debiased_high"]


def test_clips_of_too_few_rows_are_listed_with_the_reason() -> None:
    card = dataclasses.replace(CARD, min_rows=2)
    system = as_embeddings(np.zeros((3, 2)), keys=["a", "a", "b"])
    found = make(card, "s", system, Estimate(0.5, None, "none", {"a": 0.5}), seed=7, identity=[("ref", "12345678")])
    assert (found.n, found.n_rows, found.seed) == (1, 2, 7)
    assert found.skipped == (
        Skip("b", "mean_of_first needs at least 2 embedding rows per clip; the clip is too short for the encoder"),
    )
    parsed = signature.parse(found.signature)
    assert [parsed.get(key) for key in ("num", "coordinate", "ref", "n")] == ["1", "0", "12345678", "1"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_names_its_clip(value: float) -> None:
    broken = dataclasses.replace(PER_CLIP, per_clip=lambda _: {"a": 1.0, "b": value, "c": 2.0})
    with pytest.raises(ShapeError, match=r"mean_of_first of 'b' of mine is .*leave the file out"):
        score_systems(broken, {"mine": Inputs(embeddings(np.zeros((3, 2))))}, n_boot=0, seed=0)


def test_a_share_has_wilsons_interval_with_as_many_clips_as_would_scatter_as_much() -> None:
    """A mean of 0 and 1 scatters as a binomial of n, so the effective number of clips is n."""
    x = (np.arange(100) < 70).astype(float)[:, None]
    share = dataclasses.replace(OF_SET, proportion=True)
    found = score_systems(share, {"a": Inputs(embeddings(x))}, n_boot=4000, seed=0).scores["a"]
    assert found.ci == pytest.approx(bootstrap.wilson_interval(0.7, 100), abs=0.01)
    assert found.ci_method == "jackknife-clip-4000-wilson"


@pytest.mark.parametrize("change", [lambda x: x + 1, lambda x: x[:-1], lambda x: x[::-1]])
def test_another_reference_is_another_signature(change: Callable[[np.ndarray], np.ndarray]) -> None:
    x, y = RNG(10).standard_normal((2, 30, 3))
    mine, other = metrics.kad(y, x, n_boot=0), metrics.kad(change(y), x, n_boot=0)
    assert signature.parse(mine.signature).get("ref") != signature.parse(other.signature).get("ref")
    assert not signature.comparable(mine.signature, other.signature)
    assert metrics.kad(y, x, n_boot=0).signature == mine.signature


def test_several_captions_are_named_in_the_signature() -> None:
    audio = as_embeddings(np.eye(3), keys=["a", "b", "c"])
    one = as_embeddings(np.eye(3), modality="text", keys=["a", "b", "c"])
    two = as_embeddings(np.repeat(np.eye(3), 2, axis=0), modality="text", keys=["a", "a", "b", "b", "c", "c"])
    assert "captions" not in metrics.clap_score(audio, prompts=one).signature
    assert "|captions:mean|" in metrics.clap_score(audio, prompts=two).signature


def test_labels_are_names_by_key_or_numbers_of_columns() -> None:
    logs = np.log([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    named = as_embeddings(logs, keys=["x", "y", "z"], labels=["cat", "dog"])
    by_key = metrics.class_accuracy(named, labels={"x": "cat", "y": "cat", "z": "cat"})
    by_number = metrics.class_accuracy(logs, labels=[0, 0, 0])
    assert float(by_key) == float(by_number) == pytest.approx(2 / 3)
    some = metrics.class_accuracy(named, labels={"y": "dog"})  # clips without a label are left out
    assert (float(some), some.n) == (1.0, 1)
    with pytest.raises(ShapeError, match="labels: need one per clip, in the order of the clips; got 2 for 3 clips"):
        metrics.class_accuracy(logs, labels=[0, 1])


def test_an_influence_is_named_by_the_sorted_keys_of_each_side() -> None:
    system = as_embeddings(np.zeros((3, 1)), keys=["b", "a", "b"])
    reference = as_embeddings(np.zeros((2, 1)), keys=["z", "y"])
    both = ClipInfluence.of(Inputs(system, reference), (np.array([1.0, -1.0]), np.array([2.0, -2.0])))
    assert both == ClipInfluence({"a": 1.0, "b": -1.0}, {"y": 2.0, "z": -2.0})
    assert ClipInfluence.of(Inputs(system), (np.array([1.0, -1.0]), None)).reference == {}


def test_the_stub_for_editors_names_registered_metrics_only() -> None:
    stub = Path(metrics.__file__).with_suffix(".pyi")
    named = {
        alias.name
        for node in ast.parse(stub.read_text()).body
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("clipsonic_eval.metrics.")
        and not (node.module or "").endswith("._base")
        for alias in node.names
    }
    assert named <= set(METRICS)
    assert {"fad", "clap_score", "centroid_distance"} <= named
