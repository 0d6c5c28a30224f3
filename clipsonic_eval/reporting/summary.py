"""The summary in words: which questions have an answer in the results, in which order."""

from __future__ import annotations

from clipsonic_eval.analysis.catalogue import Question
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.reporting.statements import caveats, classes, comparisons, controls, gap, spread

QUESTIONS = (
    Question("Which systems differ?", (comparisons.read,), "pairs"),
    Question("Which classes are right?", (classes.read,), "classes"),
    Question("How much of the modality gap is closed?", (gap.read,), "gap"),
    Question("What do the numbers mean?", (controls.read,)),
    Question("What do other training seeds say?", (spread.seeds,)),
    Question("What does guidance do?", (spread.guidance,), "guidance"),
    Question("What limits this?", (caveats.read,)),
)


def answers(results: Results) -> list[tuple[Question, list[str]]]:
    """Return the questions of the study that the results have an answer to, with its sentences."""
    found = [
        (question, [sentence for rule in question.rules for sentence in rule(results)])
        for question in results.catalogue.questions or QUESTIONS
    ]
    return [(question, sentences) for question, sentences in found if sentences]


def opening(results: Results) -> list[str]:
    """Return the headline of the study in bold, if there is one."""
    headline = results.catalogue.headline(results)
    return [f"**{headline}**", ""] if headline else []
