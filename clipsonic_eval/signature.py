"""Signatures: a short string of everything that changes a score.

``fad|num:1|enc:toy-audio+1a2b3c4d|encnum:1|rate:16k|resample:soxr-hq|cov:n-1|est:plug-in|ref:5e6f7a8b|n:480|v:0.1.0``:
the metric, then ``key:value`` fields. Two numbers may stand in one column exactly if their strings match, ``n`` and
``v`` aside.

Three fields are *numerics versions*, small integers on the cards of metric (``num``), encoder (``encnum``) and
convention (``loadnum``, its loading of the sound). One is raised when, and only when, the same input gives another
value; a test computes golden vectors and fails where they move without a raise. The release ``v`` is a note for people:
releases leave numbers as they are unless a numerics version says otherwise, so it is not compared.

One field, ``from``, says what was measured rather than how: where the vectors of a gap statistic come from. Different
systems may differ in it; two numbers of one system may not.

Intervals are not part of a signature: numbers compare however their intervals were made. An interval has its method's
name beside it, and that name is its version: the golden vectors hold intervals too, and one may only move under another
name.

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
    "loadnum": "numerics of the convention's loading",
    "rate": "sample rate of the encoder",
    "resample": "resampler",
    "mono": "how channels are mixed",
    "win": "window / hop in seconds",
    "layer": "layer of the network",
    "cov": "divisor of the covariance",
    "est": "estimator",
    "sqrt": "how the trace of the square root is taken",
    "ref": "contents of the reference set",
    "queries": "list of queries with their prompts and labels",
    "captions": "what is done to several captions of a clip",
    "items": "list of items",
    "from": "where the vectors in the image's place come from",
    "vec": "what is done to vectors",
    "dir": "direction of the divergence",
    "pre": "preprocessing",
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
    """Make the signature of a score.

    Args:
        metric: its name.
        card: of the encoder.
        fields: the metric's own, as on its card.
        identity: what was scored against, e.g. ``("ref", "5e6f7a8b")``.
        n: clips.
        num: the metric's numerics version.
    """
    parts = [f"num:{num}", f"enc:{card.short}", f"encnum:{card.num}"]
    parts += [p if ":" in p else f"pre:{p}" for p in card.preprocessing.split("|") if p]
    parts += [p for p in fields.split("|") if p]
    parts += [f"{key}:{value}" for key, value in [*identity, ("n", str(n)), ("v", __version__)]]
    return str(parse("|".join([metric, *parts])))


def parse(text: str) -> Signature:
    """Read a signature.

    Raises:
        UserError: it is not ``metric|key:value|...``.
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
    """Say whether two numbers may stand in one column: equal signatures, n and the release aside.

    Args:
        a: one signature.
        b: the other.
        same_system: the two numbers are to stand for one system, so that what it is counts too.
    """
    aside = _NOT_COMPARED if same_system else _NOT_COMPARED + _OF_THE_SYSTEM
    return _compared(a, aside) == _compared(b, aside)


def _compared(text: str, aside: Sequence[str]) -> tuple[str, frozenset[tuple[str, str]]]:
    signature = parse(text)
    return signature.metric, frozenset(f for f in signature.fields if f[0] not in aside)


def explain_difference(a: str, b: str, *, biased_in_n: Callable[[str], bool] | None = None) -> str:
    """Return in one line what differs between two signatures, "" if they are equal, n included.

    Args:
        a: one signature.
        b: the other.
        biased_in_n: says of a metric's name whether its values compare at equal n only.
    """
    left, right = parse(a), parse(b)
    if left.metric != right.metric:
        return f"two different metrics, {left.metric} and {right.metric}"
    parts = []
    for key in dict.fromkeys(k for k, _ in (*left.fields, *right.fields)):
        values = left.get(key), right.get(key)
        if values[0] != values[1]:
            shown = " against ".join("unsaid" if v is None else v for v in values)
            biased = key == "n" and biased_in_n is not None and biased_in_n(left.metric)
            note = "; its expectation depends on n, so compare equal n" if biased else ""
            parts.append(f"{_MEANING.get(key, key)}: {shown}{note}")
    return "; ".join(parts)
