"""FAD, CLAP score, class accuracy and KL: pairing, conventions, refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clipsonic_eval import metrics
from clipsonic_eval.errors import ShapeError, SpaceError, UserError
from clipsonic_eval.types import Embeddings, EncoderCard

CARD = EncoderCard("e", "0" * 64, 3, ("audio", "text"), "rate:16k")
CLASSES = EncoderCard("c", "1" * 64, 2, ("audio",), "rate:16k", labels=("cat", "dog"))


def audio(vectors: list[list[float]], keys: str, card: EncoderCard = CARD) -> Embeddings:
    return Embeddings(np.array(vectors, np.float32), tuple(keys), "audio", card)


def text(vectors: list[list[float]], keys: str) -> Embeddings:
    return Embeddings(np.array(vectors, np.float32), tuple(keys), "text", CARD)


def probabilities(rows: list[list[float]], keys: str) -> Embeddings:
    with np.errstate(divide="ignore"):
        return Embeddings(np.maximum(np.log(np.array(rows)), -200), tuple(keys), "audio", CLASSES)


def clap_score(system: Embeddings, prompts: Embeddings) -> dict[str, float]:
    return dict(metrics.clap_score(system, prompts=prompts, n_boot=0).per_clip)


def class_accuracy(system: Embeddings, labels: dict[str, str]) -> dict[str, float]:
    return dict(metrics.class_accuracy(system, labels=labels).per_clip)


def kl(real: Embeddings, generated: Embeddings) -> dict[str, float]:
    return dict(metrics.kl(generated, real=real, n_boot=0).per_clip)


def test_clap_score_pairs_by_key_whatever_the_order() -> None:
    a = audio([[1, 0, 0], [0, 1, 0], [3, 4, 0]], "abc")
    t = text([[5, 0, 0], [0, -2, 0], [1, 0, 0]], "cba")
    assert clap_score(a, t) == pytest.approx({"a": 1.0, "b": -1.0, "c": 0.6})


def test_clap_score_leaves_out_keys_without_a_counterpart() -> None:
    assert set(clap_score(audio([[1, 0, 0], [0, 1, 0]], "ax"), text([[1, 0, 0], [0, 1, 0]], "ay"))) == {"a"}
    with pytest.raises(ShapeError, match="clap_score: it needs at least 1 clip that can be scored, and there are 0"):
        clap_score(audio([[1, 0, 0]], "x"), text([[1, 0, 0]], "y"))


def test_clap_score_of_a_clip_of_several_rows_is_their_mean() -> None:
    a = audio([[1, 0, 0], [0, 1, 0], [1, 0, 0]], "aab")
    assert clap_score(a, text([[1, 0, 0], [1, 0, 0]], "ab")) == pytest.approx({"a": 0.5, "b": 1.0})


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_cosines_do_not_depend_on_the_norm(scale: float) -> None:
    a = Embeddings(np.array([[3.0, 4.0, 0.0]]) * scale, ("a",), "audio", CARD)
    assert clap_score(a, text([[1, 0, 0]], "a"))["a"] == pytest.approx(0.6, rel=1e-12)


def test_a_zero_vector_is_refused_by_name() -> None:
    with pytest.raises(ShapeError, match="audio embedding of 'b' is zero"):
        clap_score(audio([[1, 0, 0], [0, 0, 0]], "ab"), text([[1, 0, 0], [1, 0, 0]], "ab"))


def test_embeddings_of_two_encoders_do_not_meet() -> None:
    other = dataclasses.replace(CARD, weights_sha256="2" * 64)
    with pytest.raises(SpaceError, match=r"e\+22222222 .* embed both with one encoder"):
        clap_score(audio([[1, 0, 0]], "a", other), text([[1, 0, 0]], "a"))
    with pytest.raises(SpaceError, match="different spaces cannot be compared"):
        metrics.fad(audio([[1, 0, 0], [0, 1, 0]], "ab"), audio([[1, 0, 0], [0, 1, 0]], "ab", other))


def test_clap_score_of_several_captions_is_the_mean_of_their_cosines() -> None:
    prompts = text([[2, 0, 0], [0, 3, 0], [3, 4, 0], [0, 0, 1]], "aaab")
    found = clap_score(audio([[1, 0, 0], [0, 0, 5]], "ab"), prompts)
    assert found == pytest.approx({"a": (1 + 0 + 0.6) / 3, "b": 1.0})


def test_fad_of_a_shifted_set_is_the_squared_shift() -> None:
    x = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    keys = "".join(chr(200 + i) for i in range(50))
    moved = Embeddings(x.astype(np.float64) + np.array([3, 4, 0]), tuple(keys), "audio", CARD)
    found = metrics.fad(Embeddings(x, tuple(keys), "audio", CARD), moved, n_boot=0)
    assert found.value == pytest.approx(25, rel=1e-9)


def test_class_accuracy_averages_probabilities_of_a_clip() -> None:
    predicted = probabilities([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]], "aab")  # mean of a: 0.55 cat
    assert class_accuracy(predicted, {"a": "cat", "b": "cat"}) == {"a": 1.0, "b": 0.0}
    assert class_accuracy(predicted, {"b": "dog"}) == {"b": 1.0}


def test_a_label_that_is_no_class_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"'dogs'\. Did you mean 'dog'"):
        class_accuracy(probabilities([[0.5, 0.5]], "a"), {"a": "dogs"})


def test_vectors_that_are_no_log_probabilities_are_refused() -> None:
    with pytest.raises(ShapeError, match="of 'a' do not sum to 1"):
        class_accuracy(Embeddings(np.ones((1, 2)), ("a",), "audio", CLASSES), {"a": "cat"})
    with pytest.raises(ShapeError, match="no class probabilities"):
        class_accuracy(audio([[0, 0, 0]], "a"), {"a": "cat"})


def test_kl_is_the_textbook_divergence_in_the_named_direction() -> None:
    p, q = probabilities([[0.36, 0.64]], "a"), probabilities([[0.5, 0.5]], "a")
    assert kl(p, q)["a"] == pytest.approx(0.36 * np.log(0.72) + 0.64 * np.log(1.28), rel=1e-12)
    assert kl(q, p)["a"] == pytest.approx(0.5 * np.log(0.5 / 0.36) + 0.5 * np.log(0.5 / 0.64), rel=1e-12)
    assert kl(p, p)["a"] == 0.0


def test_kl_stays_finite_where_a_probability_underflows() -> None:
    assert kl(probabilities([[0.5, 0.5]], "a"), probabilities([[1.0, 0.0]], "a"))["a"] == pytest.approx(
        0.5 * np.log(0.5) + 0.5 * (np.log(0.5) + 100)
    )
    assert kl(probabilities([[1.0, 0.0]], "a"), probabilities([[0.5, 0.5]], "a"))["a"] == pytest.approx(np.log(2))
