"""The summary in words: which rule has something to say, in which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clipsonic_eval.reporting.results import Results
from clipsonic_eval.reporting.statements import baselines, caveats, clip_variants, controls, gap, ordering, spread
from clipsonic_eval.reporting.statements.wording import KEY

Rule = Callable[[Results], list[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """A question and what the numbers say to it.

    Attributes:
        shows: stem of the table and figure that belong to the question, "" for none.
    """

    title: str
    sentences: tuple[str, ...]
    shows: str = ""


_SECTIONS: tuple[tuple[str, str, tuple[Rule, ...]], ...] = (
    ("Does the paper's ordering come out?", "", (ordering.details,)),
    ("Does the prior do more than the cheapest way over the gap?", "", (baselines.mean_shift, baselines.best_of)),
    ("How far is it from supervision?", "", (baselines.supervised,)),
    ("Other systems", "", (baselines.foreign,)),
    ("How much of the modality gap does the prior close?", "gap", (gap.read,)),
    ("When does the prior help?", "clip_variants", (clip_variants.read,)),
    ("What do the numbers mean?", "", (controls.read,)),
    ("What do other training seeds say?", "", (spread.seeds,)),
    ("What does guidance do?", "guidance", (spread.guidance,)),
    ("What limits this?", "", (caveats.read,)),
)


def sections(results: Results) -> list[Section]:
    """Return the questions that the records have an answer to."""
    made = [
        Section(title, tuple(s for rule in rules for s in rule(results)), shows) for title, shows, rules in _SECTIONS
    ]
    return [s for s in made if s.sentences]


def opening(results: Results) -> list[str]:
    """Return the headline in bold, if the ordering was tested."""
    headline = ordering.headline(results)
    return [f"**{headline}**", ""] if headline else []


def key(results: Results) -> list[str]:
    """Return how to read the brackets in the sentences, if there are any."""
    return [f"*{KEY}*", ""] if results.pairs else []


def markdown(results: Results, *, level: int = 2) -> str:
    """Return the whole summary as Markdown: the headline, then a heading and a list by question."""
    lines = [*opening(results), *key(results)]
    for section in sections(results):
        lines += [f"{'#' * level} {section.title}", "", *[f"- {s}" for s in section.sentences], ""]
    return "\n".join(lines)
