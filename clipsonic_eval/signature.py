"""Signatures: a short string of everything that changes the value of a score.

``fad|num:1|enc:toy-audio+1a2b3c4d|encnum:1|rate:16k|resample:soxr-hq|cov:n-1|est:plug-in|ref:5e6f7a8b|n:480|v:0.1.0``:
the metric, then ``key:value`` fields. Two values compare, in one column of a table, if and only if their signatures
match, ``n`` and ``v`` aside.

Three fields are *numerics versions*, small integers on the cards of the metric (``num``), the encoder (``encnum``) and
the convention (``loadnum``, of its preprocessing). One is raised if and only if the same input gives another value; a
test of golden vectors fails where a value moves without it. The release ``v`` is a note for readers: releases leave
values as they are unless a numerics version is raised, so it is not compared.

The field ``from`` says what was measured rather than how: the origin of the vectors of a gap statistic. Different
systems may differ in it; two values of one system may not.

Intervals are not part of a signature: values compare whatever the methods of their intervals. The name of the method
stands beside each interval and is its version: an interval moves under another name only.

Source: M. Post, A call for clarity in reporting BLEU scores, 2018 (the idea).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clipsonic_eval import __version__
from clipsonic_eval.errors import UserError
from clipsonic_eval.types import EncoderCard

_MEANING = {
    "num": "numerics of the metric",
    "enc": "encoder and its weights",
    "encnum": "numerics of the encoder",
    "loadnum": "numerics of the convention's preprocessing",
    "rate": "sample rate of the encoder",
    "resample": "resampler",
    "mono": "mixing of channels",
    "win": "window / hop in seconds",
    "layer": "layer of the network",
    "cov": "divisor of the covariance",
    "est": "estimator",
    "sqrt": "computation of the trace of the square root",
    "ref": "contents of the reference set",
    "queries": "queries with their prompts and labels",
    "captions": "treatment of several captions of a clip",
    "items": "items",
    "from": "origin of the vectors in the image's place",
    "vec": "normalisation of vectors",
    "dir": "direction of the divergence",
    "pre": "preprocessing",
    "machine": "machine",
    "device": "device",
    "threads": "threads",
    "clock": "clock of the stages",
    "item": "what a request makes",
    "modality": "modality of the input",
    "shape": "shape of the arrays",
    "n_boot": "resamples",
    "audio": "audio per clip",
    "batch": "clips per request",
    "test": "listening test",
    "query": "kind of query shown",
    "scale": "scale of answers",
    "asked": "whether the query was shown",
    "loudness": "loudness of the sounds",
    "listeners": "rules of exclusion",
    "n": "number of clips",
    "v": "release of clipsonic-eval",
}
_NOT_COMPARED = ("n", "v")
_OF_THE_SYSTEM = ("from",)


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature in parts; ``str`` gives the string back.

    Attributes:
        metric: registry name.
        fields: (key, value) in order.
    """

    metric: str
    fields: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return "|".join([self.metric, *(f"{key}:{value}" for key, value in self.fields)])

    def get(self, key: str) -> str | None:
        """Return the value of a field, None where there is none."""
        return next((value for name, value in self.fields if name == key), None)


def build(metric: str, card: EncoderCard, fields: str, identity: Sequence[tuple[str, str]], n: int, *, num: int) -> str:
    """Build the signature of a score.

    Args:
        metric: name of the metric.
        card: of the encoder.
        fields: of the metric, as on its card.
        identity: of what was scored against, e.g. ``("ref", "5e6f7a8b")``.
        n: number of clips.
        num: numerics version of the metric.

    Example:
        >>> card = EncoderCard("vggish", "1a2b3c4d5e", 128, ("audio",), "rate:16k")
        >>> build("fad", card, "cov:n-1", [("ref", "5e6f7a8b")], 480, num=1).rpartition("|")[0]  # less the release
        'fad|num:1|enc:vggish+1a2b3c4d|encnum:1|rate:16k|cov:n-1|ref:5e6f7a8b|n:480'
    """
    parts = [f"num:{num}", f"enc:{card.short}", f"encnum:{card.num}"]
    parts += [p if ":" in p else f"pre:{p}" for p in card.preprocessing.split("|") if p]
    parts += [p for p in fields.split("|") if p]
    parts += [f"{key}:{value}" for key, value in [*identity, ("n", str(n)), ("v", __version__)]]
    return str(parse("|".join([metric, *parts])))


def parse(text: str) -> Signature:
    """Parse a signature.

    Raises:
        UserError: it is not ``metric|key:value|...``.

    Example:
        >>> parse("fad|num:1|cov:n-1|n:480").get("cov")
        'n-1'
    """
    metric, *rest = text.split("|")
    fields = []
    for part in rest:
        key, colon, value = part.partition(":")
        if not colon or not key:
            raise UserError(f"'{text}' is no signature: '{part}' is not key:value; was the string cut?")
        fields.append((key, value))
    if not metric or not fields or ":" in metric:
        raise UserError(f"'{text}' is no signature; one looks like fad|num:1|enc:toy-audio+1a2b3c4d|...|n:480|v:0.1.0")
    return Signature(metric, tuple(fields))


def comparable(a: str, b: str, *, same_system: bool = False) -> bool:
    """Return whether two values compare: equal signatures, n and the release aside.

    Args:
        a: one signature.
        b: the other.
        same_system: the two values are of one system, so that the origin of its vectors counts too.

    Example:
        >>> comparable("fad|cov:n-1|n:480", "fad|cov:n-1|n:960"), comparable("fad|cov:n-1|n:480", "fad|cov:n|n:480")
        (True, False)
    """
    aside = _NOT_COMPARED if same_system else _NOT_COMPARED + _OF_THE_SYSTEM
    return _compared(a, aside) == _compared(b, aside)


def identity(text: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """Return what two values of one system must share to compare: metric and fields, n and the release aside.

    Example:
        >>> identity("fad|cov:n-1|n:480|v:0.1.0") == identity("fad|cov:n-1|n:960|v:0.2.0")
        True
    """
    return _compared(text, _NOT_COMPARED)


def _compared(text: str, aside: Sequence[str]) -> tuple[str, frozenset[tuple[str, str]]]:
    signature = parse(text)
    return signature.metric, frozenset(f for f in signature.fields if f[0] not in aside)


def explain_difference(
    a: str, b: str, *, compared_only: bool = False, biased_in_n: Callable[[str], bool] | None = None
) -> str:
    """Return in one line what differs between two signatures, "" if they are equal, n included.

    Args:
        a: one signature.
        b: the other.
        compared_only: leave out n and the release, which do not keep values from comparing.
        biased_in_n: gives for the name of a metric whether its values compare at equal n only.

    Example:
        >>> explain_difference("fad|cov:n-1|n:480", "fad|cov:n|n:60")
        'divisor of the covariance: n-1 against n; number of clips: 480 against 60'
    """
    left, right = parse(a), parse(b)
    if left.metric != right.metric:
        return f"two different metrics, {left.metric} and {right.metric}"
    parts = []
    for key in dict.fromkeys(k for k, _ in (*left.fields, *right.fields)):
        values = left.get(key), right.get(key)
        if values[0] != values[1] and not (compared_only and key in _NOT_COMPARED):
            shown = " against ".join("missing" if v is None else v for v in values)
            biased = key == "n" and biased_in_n is not None and biased_in_n(left.metric)
            note = "; its expectation depends on n, so compare equal n" if biased else ""
            parts.append(f"{_MEANING.get(key, key)}: {shown}{note}")
    return "; ".join(parts)
