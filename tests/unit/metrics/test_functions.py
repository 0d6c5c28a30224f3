"""The functions of all metrics: arrays and embeddings, bad input, and transformations that change nothing."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from clipsonic_eval import metrics
from clipsonic_eval.errors import ConfigError, ShapeError, SpaceError
from clipsonic_eval.metrics import METRICS, PairMetric
from clipsonic_eval.metrics.scoring import function_of
from clipsonic_eval.types import Embeddings, Score, as_embeddings

N, D = 24, 4
NAMES = [n for n in METRICS if not METRICS[n].card.package and n not in {"kid_subsets", "fad_per_clip"}]
CLASSES = [n for n in NAMES if METRICS[n].card.role in {"classifier", "count_classifier"}]
PAIRS = [n for n in NAMES if isinstance(METRICS[n], PairMetric)]
ONE_SET = {n for n in NAMES if not METRICS[n].card.needs} | {"desync"}  # which takes what was heard beside the videos
WITH_REFERENCE = [n for n in NAMES if "reference" in METRICS[n].card.needs]
# linear in nothing but distances: a rotation of all sets changes nothing
ROTATIONS = [*(n for n in WITH_REFERENCE), "diversity", "diversity_distance", "clap_score"]


def rows(name: str, what: str, n: int = N) -> np.ndarray:
    """Vectors of one argument of a metric: log-probabilities for classifiers."""
    seed = {
        "reference": 1,
        "system": 2,
        "prompts": 3,
        "real": 4,
        "image": 5,
        "text": 6,
        "predicted": 7,
        "images": 9,
    }.get(what, 8)
    x = np.random.default_rng(seed).standard_normal((n, D)) + 0.1 * seed
    if METRICS[name].card.role in {"size_estimator", "audio_video"}:
        return x[:, :1]
    return log_softmax(x, axis=1) if name in CLASSES else x


def arguments(name: str, n: int = N) -> dict[str, Any]:
    """Arrays for every argument that the function of a metric must have."""
    found: dict[str, Any] = {}
    for what, parameter in inspect.signature(getattr(metrics, name)).parameters.items():
        if what == "labels":
            found[what] = [i % D for i in range(n)]
        elif parameter.default is inspect.Parameter.empty:
            found[what] = rows(name, what, n)
    return found


def call(name: str, given: dict[str, Any], n_boot: int = 40) -> Score:
    found: Score = getattr(metrics, name)(**given, n_boot=n_boot)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_it_takes_arrays_and_gives_a_score_with_interval_n_and_signature(name: str) -> None:
    score = call(name, arguments(name))
    card = METRICS[name].card
    assert (score.metric, score.n, score.unit) == (name, N, card.unit)
    assert score.ci is not None
    assert score.ci[0] - 1e-9 <= float(score) <= score.ci[1] + 1e-9
    assert score.signature.startswith(f"{name}|num:{card.num}|enc:array|")
    assert card.signature in score.signature


@pytest.mark.parametrize("name", NAMES)
def test_embeddings_in_another_order_give_the_same_value(name: str) -> None:
    given = arguments(name)
    labels = [str(i) for i in range(D)] if name in CLASSES else []
    turned: dict[str, Any] = {}
    for i, (what, values) in enumerate(given.items()):
        if what == "labels":
            turned[what] = {f"{k:08d}": str(label) for k, label in enumerate(values)}
        else:
            order = np.random.default_rng(i).permutation(N)
            turned[what] = as_embeddings(values, modality=modality(what), labels=labels).take(order)
    assert float(call(name, turned)) == pytest.approx(float(call(name, given)), rel=1e-10, abs=1e-12)


def modality(what: str) -> Any:
    return {"prompts": "text", "text": "text", "image": "image", "predicted": "image"}.get(what, "audio")


@pytest.mark.parametrize("name", NAMES)
def test_lists_and_single_precision_are_taken(name: str) -> None:
    given = {k: v if k == "labels" else v.astype(np.float32) for k, v in arguments(name).items()}
    nested = {k: v if k == "labels" else v.astype(float).tolist() for k, v in given.items()}
    assert float(call(name, given, 0)) == pytest.approx(float(call(name, nested, 0)), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(N,), (N, D, 2), (0, D)])
def test_another_shape_is_refused_with_the_name_of_the_argument(name: str, shape: tuple[int, ...]) -> None:
    given = arguments(name)
    what = next(k for k in given if k != "labels")
    with pytest.raises(ShapeError, match=r"shape \(n, d\)"):
        call(name, {**given, what: np.zeros(shape)})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(name: str, bad: float) -> None:
    given = arguments(name)
    for what in given:
        if what != "labels":
            broken = given[what].copy()
            broken[3, -1] = bad
            with pytest.raises(ShapeError, match=r"1 of 24 rows hold NaN or infinity, the first is row 3"):
                call(name, {**given, what: broken})


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ONE_SET and "labels" not in METRICS[n].card.needs])
def test_sets_of_different_width_are_refused(name: str) -> None:
    given = arguments(name)
    last = list(given)[-1]
    narrow = log_softmax(given[last][:, :-1], axis=1) if name in CLASSES else given[last][:, :-1]
    with pytest.raises((SpaceError, ShapeError), match=r"embed both with one encoder|no class probabilities"):
        call(name, {**given, last: narrow})


@pytest.mark.parametrize("name", [n for n in NAMES if set(arguments(n)) & {"prompts", "real", "labels", "text"}])
def test_arrays_that_are_paired_row_by_row_need_equally_many_rows(name: str) -> None:
    given = arguments(name)
    for what in given.keys() & {"prompts", "real", "labels", "text"} if len(given) > 1 else ():
        with pytest.raises(ShapeError, match=r"row|one per clip"):
            call(name, {**given, what: given[what][:-1]})


@pytest.mark.parametrize("name", NAMES)
def test_one_clip_gives_a_sentence_or_a_value_without_interval(name: str) -> None:
    given = {k: v if k == "reference" else v[:1] for k, v in arguments(name).items()}
    if METRICS[name].card.min_n == 1 and METRICS[name].card.unit != "proportion":
        score = call(name, given)
        assert (score.n, score.ci, score.ci_method) == (1, None, "none: one clip")
    elif METRICS[name].card.min_n == 1:
        assert call(name, given).ci_method == "wilson"
    else:
        with pytest.raises(ShapeError, match=r"needs? (at least|more)|1 keys are common|has 1 rows?"):
            call(name, given)


@pytest.mark.parametrize("name", NAMES)
def test_no_resamples_give_the_same_value_at_once(name: str) -> None:
    given = arguments(name)
    quick = call(name, given, 0)
    assert float(quick) == float(call(name, given))
    assert quick.ci is None or quick.ci_method in {"wilson", "jackknife", "jackknife-of-square"}
    with pytest.raises(ConfigError, match=r"n_boot must be 0 .* or at least 20"):
        call(name, given, 5)


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_moves_the_interval_only(name: str) -> None:
    given = arguments(name)
    first, second = (getattr(metrics, name)(**given, n_boot=40, seed=seed) for seed in (0, 1))
    assert float(first) == float(second)
    assert first.signature == second.signature
    assert (first.seed, second.seed) == (0, 1)


def test_two_references_differ_in_their_signature() -> None:
    given = arguments("fad")
    other = {**given, "reference": given["reference"] + 1}
    assert call("fad", given, 0).signature != call("fad", other, 0).signature


def test_a_metric_without_a_function_of_its_own_gets_one() -> None:
    entry = dataclasses.replace(METRICS["fad"], function=None)
    made = function_of(entry)
    given = arguments("fad")
    assert made.__name__ == "fad"
    assert "Fréchet" in (made.__doc__ or "")
    assert made(given["reference"], given["system"], n_boot=40) == call("fad", given)
    pairwise = dataclasses.replace(METRICS["matched_cosine"], function=None)
    with pytest.raises(TypeError, match="register it with @metric"):
        function_of(pairwise)


def test_missing_arguments_of_embeddings_are_named() -> None:
    system = as_embeddings(rows("fad", "system"))
    made = function_of(dataclasses.replace(METRICS["fad"], function=None))
    with pytest.raises(ShapeError, match="fad needs a reference set"):
        made(system=system)


# --- transformations that change nothing


def rotation(seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((D, D)))[0]


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("name", [*ROTATIONS, *PAIRS])
def test_a_rotation_of_the_space_changes_nothing(name: str, seed: int) -> None:
    given, turn = arguments(name), rotation(seed)
    turned = {what: values @ turn for what, values in given.items()}
    assert float(call(name, turned, 0)) == pytest.approx(float(call(name, given, 0)), rel=1e-7, abs=1e-9)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("name", [n for n in WITH_REFERENCE if n != "fad_inf"])  # whose subsets follow from the keys
def test_the_order_of_rows_changes_nothing(name: str, seed: int) -> None:
    rng, given = np.random.default_rng(seed), arguments(name)
    turned = {what: values[rng.permutation(N)] for what, values in given.items()}
    assert float(call(name, turned, 0)) == pytest.approx(float(call(name, given, 0)), rel=1e-9, abs=1e-12)


@settings(max_examples=5, deadline=None)
@given(shift=st.lists(st.floats(-100, 100), min_size=D, max_size=D))
@pytest.mark.parametrize("name", [n for n in WITH_REFERENCE if n != "kid"])  # whose kernel has an origin
def test_a_shift_of_all_sets_changes_nothing(name: str, shift: list[float]) -> None:
    given = arguments(name)
    moved = {what: values + np.array(shift) for what, values in given.items()}
    assert float(call(name, moved, 0)) == pytest.approx(float(call(name, given, 0)), rel=1e-6, abs=1e-9)


SCALED: list[tuple[str, Callable[[float], float]]] = [
    ("fad", lambda s: s**2),
    ("fad_inf", lambda s: s**2),
    ("diversity_distance", lambda s: s),
    ("diversity", lambda _: 1.0),
    ("kad", lambda _: 1.0),  # the bandwidth follows
    ("precision", lambda _: 1.0),
    ("recall", lambda _: 1.0),
    ("coverage", lambda _: 1.0),
    ("density", lambda _: 1.0),
    ("clap_score", lambda _: 1.0),
    *((name, lambda _: 1.0) for name in PAIRS),
]


@settings(max_examples=5, deadline=None)
@given(power=st.integers(-8, 8))
@pytest.mark.parametrize(("name", "factor"), SCALED)
def test_a_scale_of_the_space_scales_the_value(name: str, factor: Callable[[float], float], power: int) -> None:
    scale = 2.0**power
    given = arguments(name)
    scaled = {what: scale * values for what, values in given.items()}
    expected = factor(scale) * float(call(name, given, 0))
    assert float(call(name, scaled, 0)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", WITH_REFERENCE)
def test_a_set_against_itself_is_as_good_as_it_gets(name: str) -> None:
    x = rows(name, "reference")
    best, worse = (
        float(call(name, {"reference": x, "system": x}, 0)),
        float(call(name, {"reference": x, "system": x + 3}, 0)),
    )
    assert (best > worse) == METRICS[name].card.higher_is_better


def test_embeddings_of_an_encoder_do_not_meet_an_array() -> None:
    x = rows("fad", "reference")
    of_encoder = as_embeddings(x)
    of_encoder = Embeddings(x, of_encoder.keys, "audio", dataclasses.replace(of_encoder.space, name="vggish"))
    with pytest.raises(SpaceError, match=r"vggish .* and array"):
        metrics.fad(of_encoder, x)
