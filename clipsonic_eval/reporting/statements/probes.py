"""What does the condition know, and how much of it can be heard?"""

from __future__ import annotations

from clipsonic_eval.analysis.results import Results
from clipsonic_eval.reporting.headings import in_text, title
from clipsonic_eval.reporting.probes import reading, readings, systems
from clipsonic_eval.reporting.statements.controls import value
from clipsonic_eval.reporting.statements.wording import listed
from clipsonic_eval.stats.probes import CONSTANT


def read(results: Results) -> list[str]:
    """Return a sentence per metric: what is read from the conditions, without one, and heard in the sounds."""
    lines = []
    for metric in dict.fromkeys(score.metric for score in readings(results.gap)):
        in_condition = {s: found for s in systems(results) if (found := reading(results, metric, s)) is not None}
        constant = in_condition.pop(CONSTANT, None)
        in_sound = {s: found for s in in_condition if (found := results.table.score(metric, s)) is not None}
        if not in_condition:
            continue
        text = f"{title(metric)}: from the condition a probe reads "
        text += listed([f"{value(score)} for {system}" for system, score in in_condition.items()])
        text += f", without one {value(constant)}" if constant is not None else ""
        if in_sound:
            heard = listed([f"{value(score)} for {system}" for system, score in in_sound.items()])
            text += f"; the {in_text(metric)} of the sounds is {heard}"
        lines.append(f"{text}.")
    return lines
