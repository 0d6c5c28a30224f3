"""The numbers next to the controls: real audio, real audio with the wrong prompt, noise."""

from __future__ import annotations

from clipsonic_eval.analysis.catalogue import NOISE, REAL, SHUFFLED
from clipsonic_eval.analysis.pooling import better_than
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.formats import number, percent
from clipsonic_eval.reporting.headings import decimals, in_text, title
from clipsonic_eval.reporting.statements.wording import listed
from clipsonic_eval.types import Score


def value(score: Score) -> str:
    """Return the value of a score with the decimals of its metric."""
    return number(score.value, decimals(score.metric))


def ranked(results: Results, metric: str) -> list[Score]:
    """Return the scores of the systems on one metric in the order of the table, controls excluded."""
    names = [s.name for s in results.catalogue.ordered(results.table.system_names)]
    found = [results.table.score(metric, name) for name in names if not results.catalogue.is_control(name)]
    return [score for score in found if score is not None]


def read(results: Results) -> list[str]:
    """Return a sentence per metric with its controls, and a warning where a system is no better than a control."""
    lines = []
    for metric in results.table.metric_names:
        real = results.table.score(metric, REAL)
        if real is not None:
            lines.append(_scale(results, real) if real.higher_is_better else _floor(results, real))
    return [*lines, *_halves(results), *_warnings(results)]


def _scale(results: Results, real: Score) -> str:
    """Place the systems between real audio with the wrong prompt (0 %) and with the right one (100 %)."""
    wrong = results.table.score(real.metric, SHUFFLED)
    if wrong is None or real.value <= wrong.value:
        return f"{title(real.metric)}: real audio reaches {value(real)}."
    text = f"{title(real.metric)}: real audio reaches {value(real)}, with shuffled prompts {value(wrong)}."
    systems = ranked(results, real.metric)
    shares = [f"{s.system} {percent((s.value - wrong.value) / (real.value - wrong.value))}" for s in systems]
    return f"{text} As a share of this range: {listed(shares)}." if shares else text


def _floor(results: Results, real: Score) -> str:
    """Return the value of real audio on a distance, and those of the other controls."""
    text = f"{title(real.metric)}: real audio reaches {value(real)}, the floor of this metric at n = {real.n}"
    for style in results.catalogue.ordered(results.table.system_names):
        score = results.table.score(real.metric, style.name)
        if score is not None and results.catalogue.is_control(style.name) and style.name not in (REAL, SHUFFLED):
            text += f"; {style.meaning or style.name} {value(score)}"
    return f"{text}."


def _halves(results: Results) -> list[str]:
    return [
        f"FAD between two random halves of the reference is {number(s.value, 2)} (n = {s.n} each): what remains where "
        "the distributions are equal."
        for s in results.reference_scores
        if s.metric == "fad_halves"
    ]


def _warnings(results: Results) -> list[str]:
    lines = []
    for metric in results.table.metric_names:
        for control, words in ((NOISE, "noise"), (SHUFFLED, "real audio with the wrong prompt")):
            mark = results.table.score(metric, control)
            if mark is None or (control == SHUFFLED and not mark.higher_is_better):
                continue  # a distance between sets does not depend on the prompts
            worse = [s.system for s in ranked(results, metric) if not better_than(s, mark)]
            if worse:
                verb = "is" if len(worse) == 1 else "are"
                lines.append(
                    f"Warning: on {in_text(metric)}, {listed(worse)} {verb} no better than {words} ({value(mark)})."
                )
    return lines
