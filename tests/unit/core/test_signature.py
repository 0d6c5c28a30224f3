"""Signatures: what may stand in one column."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from clipsonic_eval import __version__
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.errors import SpaceError, UserError
from clipsonic_eval.harness.cache import embedding_cache
from clipsonic_eval.harness.resolve import metric_roles
from clipsonic_eval.metric_cards import biased_in_n
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.metrics.vectors import check_space
from clipsonic_eval.record_upgrades import upgrade_1_to_2
from clipsonic_eval.records import read
from clipsonic_eval.signature import build, comparable, explain_difference, parse
from clipsonic_eval.types import Embeddings, EncoderCard

CARD = EncoderCard("toy-audio", "1a2b3c4d5e", 64, ("audio",), "rate:16k|resample:soxr-hq")
FIELDS, IDENTITY = "cov:n-1|est:plug-in", [("ref", "5e6f7a8b")]
A = build("fad", CARD, FIELDS, IDENTITY, 480, num=3)


def test_a_signature_says_everything_that_changes_the_number() -> None:
    assert (
        "fad|num:3|enc:toy-audio+1a2b3c4d|encnum:1|rate:16k|resample:soxr-hq|cov:n-1|est:plug-in|ref:5e6f7a8b|n:480|v:"
        + __version__
    ) == A


def test_a_signature_survives_parsing() -> None:
    assert str(parse(A)) == A
    assert parse(A).get("ref") == "5e6f7a8b"
    assert parse(A).get("nothing") is None


def test_preprocessing_that_is_no_field_becomes_one() -> None:
    card = EncoderCard("mine", "0" * 64, 4, ("audio",), "as in the paper")
    assert "|pre:as in the paper|" in build("fad", card, "", [], 3, num=1)


def test_numbers_compare_whatever_their_n_and_release_but_nothing_else() -> None:
    assert comparable(A, A.replace("n:480", "n:960"))
    assert comparable(A, A.replace(f"v:{__version__}", "v:99.0.0"))
    assert not comparable(A, A.replace("|num:3", "|num:4"))
    assert not comparable(A, build("fad", dataclasses.replace(CARD, num=2), FIELDS, IDENTITY, 480, num=3))
    assert not comparable(A, A.replace("ref:5e6f7a8b", "ref:00000000"))
    assert not comparable(A, A.replace("1a2b3c4d", "99999999"))
    assert not comparable(A, A.replace("fad|", "kad|"))


def test_the_difference_is_told_in_words() -> None:
    other = A.replace("n:480", "n:60").replace("rate:16k", "rate:48k").replace("|num:3", "|num:2")
    told = explain_difference(A, other, biased_in_n=biased_in_n)
    assert "sample rate of the encoder: 16k against 48k" in told
    assert "numerics of the metric: 3 against 2" in told
    assert "number of clips: 480 against 60; its expectation depends on n" in told
    for metric in ("fad/fadtk", "fad/step-3", "fad_halves", "recall", "recall_at_1_to_image"):
        a, b = (A.replace("fad|", f"{metric}|").replace("n:480", f"n:{n}") for n in (20, 2000))
        assert (
            explain_difference(a, b, biased_in_n=biased_in_n)
            == "number of clips: 20 against 2000; its expectation depends on n, so compare equal n"
        )
    for metric in ("kad/kadtk", "clap/stable-audio", "matched_cosine", "nobody_knows"):
        a, b = (A.replace("fad|", f"{metric}|").replace("n:480", f"n:{n}") for n in (20, 2000))
        assert explain_difference(a, b, biased_in_n=biased_in_n) == "number of clips: 20 against 2000"
    assert explain_difference(A, A) == ""
    assert explain_difference(A, A.replace("n:480", "n:60").replace("|v:", "|v:9"), compared_only=True) == ""
    assert explain_difference(A, A.replace("fad|", "kl|")) == "two different metrics, fad and kl"
    assert explain_difference(A, A.replace("|cov:n-1", "")) == "divisor of the covariance: n-1 against missing"


@pytest.mark.parametrize("text", ["", "fad", "fad|", "fad|enc", "a:b|c:d"])
def test_what_is_no_signature_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no signature"):
        parse(text)


@pytest.mark.parametrize("metric", ["fad", "fad/fadtk"])
def test_records_from_before_numerics_were_counted_compare_with_their_first_version(metric: str) -> None:
    card = CARD if metric == "fad" else dataclasses.replace(CARD, preprocessing=f"loadnum:1|{CARD.preprocessing}")
    now = build(metric, card, FIELDS, IDENTITY, 480, num=1)
    then = f"{metric}|enc:toy-audio+1a2b3c4d|rate:16k|resample:soxr-hq|{FIELDS}|ref:5e6f7a8b|n:480|v:0.1.0"
    upgraded = upgrade_1_to_2({"scores": [{"signature": then}], "schema_version": 1})["scores"][0]["signature"]
    assert comparable(upgraded, now)
    assert upgraded.rpartition("|v:")[0] == now.rpartition("|v:")[0]
    assert not comparable(upgraded, build(metric, card, FIELDS, IDENTITY, 480, num=2))


def test_embeddings_of_two_numerics_versions_do_not_meet() -> None:
    old = Embeddings(np.ones((3, 4)), ("a", "b", "c"), "audio", CARD)
    new = dataclasses.replace(old, space=dataclasses.replace(CARD, num=2))
    check_space(old, old)
    with pytest.raises(SpaceError, match="cannot be compared"):
        check_space(old, new)


def test_the_cache_of_one_numerics_version_is_not_read_by_another(tmp_path: Path) -> None:
    cache = embedding_cache(tmp_path, CARD)
    cache.put("00", np.ones((1, CARD.dim), np.float32))
    cache.flush()
    assert "00" in embedding_cache(tmp_path, CARD)
    assert "00" not in embedding_cache(tmp_path, dataclasses.replace(CARD, num=2))


def test_the_committed_study_compares_with_new_evaluations() -> None:
    """Every score of the demo has the signature that an evaluation of today gives, reference and queries aside."""
    record = read(Path(__file__).parents[3] / "reports" / "demo" / "records" / "test-seed-0")
    scores = [s for s in record.scores if s.metric in METRICS]
    roles = {METRICS[s.metric].card.role for s in scores}
    cards = {role: ENCODERS[name]().card for role, name in metric_roles().items() if role in roles}
    assert len({s.metric for s in scores}) >= 3
    for score in scores:
        then, metric = parse(score.signature), METRICS[score.metric].card
        identity = [(key, value) for key in ("ref", "queries") if (value := then.get(key))]
        now = build(metric.name, cards[metric.role], metric.signature, identity, score.n, num=metric.num)
        assert explain_difference(score.signature, now) == ""
        assert comparable(score.signature, now)
