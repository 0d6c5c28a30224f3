"""Protocols of listening tests: the question, the scale, and when the query is shown.

- ``mos-fidelity``, ``mos-relevance``: one sound, five categories (absolute category rating). Fidelity is asked while
  the query is still hidden, so that a sound is not marked down for what it is of.
- ``preference``: two sounds of one query, left, right or equal.
- ``mushra-like``: all systems of one query at once on sliders from 0 to 100, among them the real recording, hidden, and
  two anchors. Only *like* MUSHRA: a generated sound has no true original that it could be an impaired version of.

Source: ITU-T Recommendation P.800, 1996 (annex B: the five categories); ITU-R Recommendation BS.1534-3, 2015 (sliders,
hidden reference, 3.5 kHz anchor, at most 12 sounds a trial).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from clipsonic_eval.errors import unknown_name

QueryKind = Literal["text", "image"]
Layout = Literal["rating", "pair", "sliders"]

REFERENCE: Final = "reference"  # the real recording of a query
LOW_PASSED: Final = "anchor-3.5kHz"  # the same through a low-pass filter
LOW_PASSED_7: Final = "anchor-7kHz"  # of tests that webMUSHRA ran
SHUFFLED: Final = "anchor-shuffled"  # the real recording of another query
NOISE: Final = "noise"  # white noise, for pairs and ratings whose right answer is known
SPECIAL: Final = (REFERENCE, LOW_PASSED, LOW_PASSED_7, SHUFFLED, NOISE)
MOST_SLIDERS: Final = 12

LEFT, EQUAL, RIGHT = "left", "equal", "right"
_WORDS: Final = (("5", "Excellent"), ("4", "Good"), ("3", "Fair"), ("2", "Poor"), ("1", "Bad"))


@dataclass(frozen=True, slots=True)
class ListeningProtocol:
    """What a listener is asked.

    Attributes:
        name: as on the command line and in records.
        title: in tables.
        layout: ``rating``: one sound; ``pair``: two side by side; ``sliders``: all systems of a query.
        questions: the question by the kind of query.
        scale: (answer, label) in the order shown; of sliders the labels at equal steps, best first.
        query_shown: whether the query stands beside the question; if not, it stays hidden until it is answered.
        unit: of the values.
        decimals: in tables.
        num: numerics version, raised if the wording or the scale changes.
    """

    name: str
    title: str
    layout: Layout
    questions: Mapping[QueryKind, str]
    scale: tuple[tuple[str, str], ...]
    query_shown: bool
    unit: str
    decimals: int = 2
    num: int = 1

    def accepts(self, answer: str) -> bool:
        """Return whether an answer lies on the scale; of sliders: a whole number from 0 to 100.

        Example:
            >>> PROTOCOLS["mos-fidelity"].accepts("5"), PROTOCOLS["mos-fidelity"].accepts("6")
            (True, False)
        """
        if self.layout == "sliders":
            return answer.isdecimal() and answer.isascii() and len(answer) <= 3 and int(answer) <= 100
        return any(answer == one for one, _ in self.scale)

    def signature(self, query: QueryKind) -> str:
        """Return the head of the signature of a number that this protocol gave.

        Example:
            >>> PROTOCOLS["mos-relevance"].signature("text")
            'mos-relevance|num:1|query:text|scale:1-5|asked:query-shown'
        """
        scale = {"rating": "1-5", "pair": "left-equal-right", "sliders": "0-100"}[self.layout]
        asked = "query-shown" if self.query_shown else "query-hidden"
        return f"{self.name}|num:{self.num}|query:{query}|scale:{scale}|asked:{asked}"


def _both(question: str) -> dict[QueryKind, str]:
    return {"text": question.format("text"), "image": question.format("picture")}


_ALL: Final = (
    ListeningProtocol(
        name="mos-fidelity",
        title="MOS fidelity",
        layout="rating",
        questions=_both("How natural and clean is this sound? Judge how it sounds, not what it is of."),
        scale=_WORDS,
        query_shown=False,
        unit="mean opinion, 1 to 5",
    ),
    ListeningProtocol(
        name="mos-relevance",
        title="MOS relevance",
        layout="rating",
        questions=_both("How well does the sound match the {}? Judge what it is of, not how clean it is."),
        scale=_WORDS,
        query_shown=True,
        unit="mean opinion, 1 to 5",
    ),
    ListeningProtocol(
        name="preference",
        title="Preference",
        layout="pair",
        questions=_both("Which of the two is the better sound for the {}?"),
        scale=((LEFT, "Left"), (EQUAL, "Equal"), (RIGHT, "Right")),
        query_shown=True,
        unit="log-odds of being preferred",
    ),
    ListeningProtocol(
        name="mushra-like",
        title="MUSHRA-like",
        layout="sliders",
        questions=_both("How good is each of these sounds for the {}?"),
        scale=(("100", "Excellent"), ("80", "Good"), ("60", "Fair"), ("40", "Poor"), ("20", "Bad"), ("0", "")),
        query_shown=True,
        unit="mean rating, 0 to 100",
        decimals=1,
    ),
)
PROTOCOLS: Final[Mapping[str, ListeningProtocol]] = {protocol.name: protocol for protocol in _ALL}


def protocol_named(name: str) -> ListeningProtocol:
    """Return a protocol.

    Raises:
        UserError: there is none of that name; names those that there are.
    """
    if name not in PROTOCOLS:
        raise unknown_name("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]
