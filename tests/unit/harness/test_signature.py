"""Signatures: what may stand in one column."""

from __future__ import annotations

import pytest

from clipsonic_eval import __version__
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.signature import build, comparable, explain_difference, parse
from clipsonic_eval.types import EncoderCard

CARD = EncoderCard("toy-audio", "1a2b3c4d5e", 64, ("audio",), "rate:16k|resample:soxr-hq")
A = build("fad", CARD, "cov:n-1|est:plug-in", [("ref", "5e6f7a8b")], 480)


def test_a_signature_says_everything_that_changes_the_number() -> None:
    assert (
        "fad|enc:toy-audio+1a2b3c4d|rate:16k|resample:soxr-hq|cov:n-1|est:plug-in|ref:5e6f7a8b|n:480|v:" + __version__
    ) == A


def test_a_signature_survives_parsing() -> None:
    assert str(parse(A)) == A
    assert parse(A).get("ref") == "5e6f7a8b"
    assert parse(A).get("nothing") is None


def test_preprocessing_that_is_no_field_becomes_one() -> None:
    card = EncoderCard("mine", "0" * 64, 4, ("audio",), "as in the paper")
    assert "|pre:as in the paper|" in build("fad", card, "", [], 3)


def test_numbers_compare_whatever_their_n_but_nothing_else() -> None:
    assert comparable(A, A.replace("n:480", "n:960"))
    assert not comparable(A, A.replace("ref:5e6f7a8b", "ref:00000000"))
    assert not comparable(A, A.replace("1a2b3c4d", "99999999"))
    assert not comparable(A, A.replace("fad|", "kad|"))


def test_the_difference_is_told_in_words() -> None:
    other = A.replace("n:480", "n:60").replace("rate:16k", "rate:48k")
    told = explain_difference(A, other)
    assert "sample rate of the encoder: 16k against 48k" in told
    assert "number of clips: 480 against 60; FAD falls with n" in told
    assert explain_difference(A, A) == ""
    assert explain_difference(A, A.replace("fad|", "kl|")) == "two different metrics, fad and kl"
    assert explain_difference(A, A.replace("|cov:n-1", "")) == "divisor of the covariance: n-1 against unsaid"


@pytest.mark.parametrize("text", ["", "fad", "fad|", "fad|enc", "a:b|c:d"])
def test_what_is_no_signature_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no signature"):
        parse(text)
