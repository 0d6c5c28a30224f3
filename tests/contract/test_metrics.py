"""What every metric must do: a new file in ``clipsonic_eval/metrics`` is tested here by itself."""

from __future__ import annotations

import dataclasses
import doctest
import functools
import inspect
import re
from collections.abc import Mapping

import fake_encoders
import numpy as np
import pytest

from clipsonic_eval import metrics, signature
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.errors import ShapeError, SpaceError
from clipsonic_eval.harness.calibration import populations
from clipsonic_eval.metrics import METRICS, ClipMetric, Inputs, Metric, PairMetric, SetMetric
from clipsonic_eval.metrics.scoring import score_systems
from clipsonic_eval.types import Clip, Embeddings

PITCHES = np.geomspace(200, 6000, 36)
KEYS = tuple(f"q{i:02d}" for i in range(36))
LADDER_DB = (60, 20, 5, -20)  # signal over noise
NOT_AT_EVERY_STEP = {
    "diversity": "some noise makes clips more different, much makes all alike",
    "diversity_distance": "as diversity",
    "kad_kadtk": "its ruler is the evaluated set's own spread: the fault that kad fixes",
    "kad_kadtk_iq": "as kad_kadtk",
    "kad_kadtk_imq": "as kad_kadtk",
    "retrieval_audio_to_text_r1": "36 prompts that lie offset from their sounds: a little noise moves some nearer",
    "retrieval_audio_to_text_r5": "as r1",
}
EVERY = {name: METRICS[name] for name in METRICS}
OURS = {  # metrics of packages: tests/reference
    n: m for n, m in EVERY.items() if not isinstance(m, PairMetric) and not m.card.package
}
MANY = 400  # metrics that need more clips than this are tested with the slow ones
PARAMS = [pytest.param(n, marks=pytest.mark.slow) if m.card.min_n > MANY else n for n, m in OURS.items()]
SETS = [
    pytest.param(m, marks=pytest.mark.slow) if m.card.min_n > MANY else m
    for m in OURS.values()
    if isinstance(m, SetMetric)
]


def clips(db: float, seed: int = 0, *, numbered: int = 1000) -> list[Clip]:
    level = 0.5 / np.sqrt(2) * 10 ** (-db / 20)
    waves = [fake_encoders.tone(p, seed=i + seed * numbered, noise=level) for i, p in enumerate(PITCHES)]
    return [Clip(key, w[None] / max(1, np.abs(w).max()), 16000) for key, w in zip(KEYS, waves, strict=True)]


@functools.cache
def embedded(role: str, db: float, seed: int, rows: int) -> Embeddings:
    """Embed each clip, cut into so many rows."""
    encoder = fake_encoders.encoders()[role]
    given = clips(db, seed)
    if rows > 1:
        parts = [(c, p) for c in given for p in np.array_split(c.samples, rows, axis=1)]
        given = [dataclasses.replace(c, samples=p) for c, p in parts]
    return Embeddings(encoder.audio(given), tuple(encoder.audio_rows(given)), "audio", encoder.card)


def embed(metric: Metric, db: float, seed: int = 0) -> Embeddings:
    return repeated(embedded(metric.card.role, db, seed, metric.card.min_rows), metric.card.min_n)


def repeated(embeddings: Embeddings, n: int) -> Embeddings:
    """Return at least n clips: what there is, again and again under other keys, each time a little moved."""
    times = -(-n // len(KEYS))
    if times == 1:
        return embeddings
    rng = np.random.default_rng(0)
    vectors = np.tile(embeddings.vectors, (times, 1))
    vectors += 0.01 * rng.standard_normal(vectors.shape).astype(np.float32)
    keys = tuple(f"{key}-{i}" for i in range(times) for key in embeddings.keys)
    return dataclasses.replace(embeddings, vectors=vectors, keys=keys)


def inputs(metric: Metric, db: float) -> Inputs:
    encoder = fake_encoders.encoders()[metric.card.role]
    prompts = None
    if "prompts" in metric.card.needs:
        prompts = Embeddings(encoder.text([f"tone {p}" for p in PITCHES]), KEYS, "text", encoder.card)
    images = None
    if "images" in metric.card.needs:
        images = Embeddings(encoder.text([f"tone {p}" for p in PITCHES]), KEYS, "image", encoder.card)
    labels = {k: "low" if p < 1000 else "high" for k, p in zip(KEYS, PITCHES, strict=True)}
    if metric.card.attribute == "size":
        labels = {k: f"{p / 8000:.3f}" for k, p in zip(KEYS, PITCHES, strict=True)}  # see FakeSize
    real = embed(metric, 60, seed=1)
    return Inputs(embed(metric, db), real, prompts, labels, real, images=images)


def value(metric: Metric, given: Inputs) -> float:
    if isinstance(metric, ClipMetric):
        return float(np.mean(list(metric.per_clip(given).values())))
    return metric.value(given)


def shuffled(embeddings: Embeddings) -> Embeddings:
    return embeddings.take(np.random.default_rng(0).permutation(len(embeddings)))


def as_type(given: Inputs, dtype: type) -> Inputs:
    changed: Mapping[str, Embeddings] = {
        f.name: dataclasses.replace(v, vectors=v.vectors.astype(dtype))
        for f in dataclasses.fields(given)
        if isinstance(v := getattr(given, f.name), Embeddings)
    }
    return dataclasses.replace(given, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", EVERY)
def test_its_card_is_complete(name: str) -> None:
    card = EVERY[name].card
    assert card.name == name
    for text in (card.title, card.description, card.unit, card.role, card.source):
        assert text
        assert text == text.strip()
    assert card.role.isidentifier()
    assert (card.role == "paired") == isinstance(EVERY[name], PairMetric)
    assert card.role == "paired" or card.encoder in ENCODERS
    assert card.min_n >= 1
    text = signature.build(name, fake_encoders.card("e"), card.signature, [], 5, num=card.num)
    assert signature.parse(text).metric == name


@pytest.mark.parametrize("name", EVERY)
def test_it_has_a_function_whose_docstring_says_shapes_units_and_an_example(name: str) -> None:
    function = getattr(metrics, name)
    assert function is EVERY[name].function
    assert function.__name__ == name
    assert name in dir(metrics)
    text = inspect.getdoc(function) or ""
    assert text.startswith("Return ")
    arrays = [
        p
        for p in inspect.signature(function).parameters
        if p not in {"n_boot", "seed", "k", "labels", "kernel", "subsets", "size"}
    ]
    for argument in arrays:
        assert re.search(rf"^    {argument}: \((n|m|rows), (d|classes|1)\) ", text, re.MULTILINE), argument
    examples = doctest.DocTestParser().get_examples(text)
    assert len(examples) >= 3
    assert any(example.want for example in examples)


def test_a_name_that_no_metric_has_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="METRICS lists the metrics"):
        metrics.frechet_audio_distance  # noqa: B018
    with pytest.raises(ImportError):
        from clipsonic_eval.metrics import nothing  # noqa: F401


@pytest.mark.parametrize("name", PARAMS)
def test_it_gets_worse_down_a_ladder_of_noise(name: str) -> None:
    metric = OURS[name]
    values = [value(metric, inputs(metric, db)) for db in LADDER_DB]
    signs = np.diff(values) * (-1 if metric.card.higher_is_better else 1)
    assert (signs >= 0).all() or name in NOT_AT_EVERY_STEP, values
    assert signs.sum() > 0, values


@pytest.mark.parametrize("name", PARAMS)
def test_order_does_not_matter(name: str) -> None:
    metric = OURS[name]
    given = inputs(metric, 5)
    turned = dataclasses.replace(
        given,
        system=shuffled(given.system),
        reference=shuffled(given.reference) if given.reference else None,
        prompts=shuffled(given.prompts) if given.prompts else None,
        images=shuffled(given.images) if given.images else None,
    )
    assert value(metric, turned) == pytest.approx(value(metric, given), rel=1e-10)


@pytest.mark.parametrize("name", PARAMS)
def test_single_precision_is_enough_and_double_changes_nothing(name: str) -> None:
    metric = OURS[name]
    given = inputs(metric, 5)
    assert value(metric, as_type(given, np.float64)) == value(metric, given)
    assert given.system.vectors.dtype == np.float32


@pytest.mark.parametrize("name", PARAMS)
def test_the_same_clips_give_the_same_value(name: str) -> None:
    metric = OURS[name]
    assert value(metric, inputs(metric, 20)) == value(metric, inputs(metric, 20))


@pytest.mark.parametrize("metric", SETS)
def test_resamples_follow_the_seed_and_not_the_company(metric: SetMetric) -> None:
    given = [inputs(metric, db) for db in LADDER_DB[:3]]
    drawn = metric.replicates(given, 30, 7)
    assert drawn.shape == (3, 30)
    assert metric.replicates(given[2:], 30, 7)[0] == pytest.approx(drawn[2], rel=1e-9)
    assert not np.allclose(metric.replicates(given, 30, 8), drawn)


@pytest.mark.parametrize("name", PARAMS)
def test_what_it_needs_and_does_not_get_is_named(name: str) -> None:
    metric = OURS[name]
    needed = [need for need in metric.card.needs if need != "labels"]
    for need in needed:
        bare = dataclasses.replace(inputs(metric, 20), **{need: None})
        with pytest.raises(ShapeError, match=f"{name} needs"):
            value(metric, bare)


@pytest.mark.parametrize("name", PARAMS)
def test_sets_of_two_widths_are_refused(name: str) -> None:
    metric = OURS[name]
    given = inputs(metric, 20)
    narrow = dataclasses.replace(given.system, vectors=given.system.vectors[:, :-1])
    needed = {"reference", "prompts", "real", "images"} & set(metric.card.needs)
    if not needed and "labels" not in metric.card.needs:
        pytest.skip("looks at one set only")
    with pytest.raises(
        (SpaceError, ShapeError), match=r"embed both with one encoder|no class probabilities|one number per row"
    ):
        value(metric, dataclasses.replace(given, system=narrow))


@pytest.mark.parametrize("metric", SETS)
def test_its_interval_holds_the_value_and_stays_within_its_bounds(metric: SetMetric) -> None:
    given = {"a": inputs(metric, 20), "b": inputs(metric, -20)}
    for score in score_systems(metric, given, n_boot=200, seed=0).scores.values():
        assert score.ci is not None
        assert metric.lowest <= score.ci[0] <= score.value <= score.ci[1] <= metric.highest
        if metric.proportion:
            assert score.ci[0] < score.ci[1]


def drawn_value(metric: Metric, rng: np.random.Generator, n: int) -> float:
    """Return a value on n clips of one population, held against one and the same reference of 60 others.

    The population is narrower than the reference's, so that shares of the reference are far from all of it.
    """
    noise, width = (0.0, 0.7) if metric.card.role == "audio" else (0.5, 1.0)
    given = populations.draw(rng, n, metric.card, (noise,))[0]
    reference = populations.draw(np.random.default_rng(5), max(60, metric.card.min_n), metric.card, (noise,))[
        0
    ].reference
    system = dataclasses.replace(given.system, vectors=width * given.system.vectors)
    return value(metric, dataclasses.replace(given, system=system, reference=reference))


@pytest.mark.parametrize("name", PARAMS)
def test_whether_its_expectation_depends_on_n_is_as_its_card_says(name: str) -> None:
    metric = OURS[name]
    small = max(20 if name == "fad_inf" else 8, metric.card.min_n)  # fad_inf: half of them, more than dimensions
    draws = 60 if small <= MANY else 4
    few, many = (
        np.array([drawn_value(metric, np.random.default_rng([n, i]), n) for i in range(draws)])
        for n in (small, 6 * small)
    )
    apart = abs(few.mean() - many.mean()) / np.hypot(few.std(ddof=1), many.std(ddof=1)) * np.sqrt(draws)
    assert (apart > 4) == metric.card.biased_in_n, (apart, few.mean(), many.mean())


@pytest.mark.parametrize("metric", SETS)
def test_its_influences_are_named_by_clip_and_sum_to_nothing(metric: SetMetric) -> None:
    if metric.influence is None:
        pytest.skip("knows of none")
    given = inputs(metric, 5)
    found = metric.influence(given)
    assert list(found.system) == sorted(set(given.system.keys))
    values = np.array(list(found.system.values()))
    assert values.std() > 0 or metric.proportion  # whose clips may all agree
    assert values.sum() == pytest.approx(0, abs=1e-9 * np.abs(values).sum())
    if "reference" in metric.card.needs:
        assert given.reference is not None
        assert list(found.reference) == sorted(set(given.reference.keys))
    else:
        assert not found.reference


def test_embeddings_that_are_not_finite_reach_no_metric() -> None:
    with pytest.raises(ShapeError, match="'b' is not finite"):
        Embeddings(np.array([[0.0], [np.nan]]), ("a", "b"), "audio", fake_encoders.card("e", 1))
