"""What the numbers mean beside real audio, real audio with the wrong prompt, retrieval and noise."""

from __future__ import annotations

from clipsonic_eval.analysis import names
from clipsonic_eval.analysis.pooling import better_than
from clipsonic_eval.formats import number, percent
from clipsonic_eval.reporting.results import Results
from clipsonic_eval.reporting.statements.wording import listed
from clipsonic_eval.types import Score


def _text(cell: Score) -> str:
    return number(cell.value, names.metric(cell.metric).decimals)


def _systems(results: Results, metric: str) -> list[Score]:
    order = [s.name for s in names.ordered(s for m, s in results.cells if m == metric)]
    return [results.cells[metric, s] for s in order if not names.is_control(s)]


def read(results: Results) -> list[str]:
    """Return the reading of every control that is there, and warnings where a system fails one."""
    lines = []
    for metric in names.ordered_metrics(m for m, _ in results.cells):
        if results.cells.get((metric.name, "real")) is None:
            continue
        if next(c for c in results.cells.values() if c.metric == metric.name).higher_is_better:
            lines += _scale(results, metric)
        else:
            lines += _floor(results, metric)
    return lines + _halves(results) + _retrieval(results) + _warnings(results)


def _scale(results: Results, metric: names.MetricName) -> list[str]:
    """Place the systems between real audio with the wrong prompt (0 %) and with the right one (100 %)."""
    real = results.cells[metric.name, "real"]
    wrong = results.cells.get((metric.name, "shuffled"))
    if wrong is None or real.value <= wrong.value:
        return [f"{metric.title}: real audio reaches {_text(real)}."]
    places = [
        f"{c.system} {percent((c.value - wrong.value) / (real.value - wrong.value))}"
        for c in _systems(results, metric.name)
    ]
    text = f"{metric.title}: real audio reaches {_text(real)}, with shuffled prompts {_text(wrong)}."
    return [f"{text} On the way from the one to the other stand {listed(places)}."] if places else [text]


def _floor(results: Results, metric: names.MetricName) -> list[str]:
    real = results.cells[metric.name, "real"]
    text = f"{metric.title}: real audio reaches {_text(real)}, the floor of this measure at n = {real.n}"
    mel = results.cells.get((metric.name, "real-mel"))
    if mel is not None:
        text += f"; real audio through mel and Griffin-Lim {_text(mel)}, the floor for every system that ends in them"
    noise = results.cells.get((metric.name, "noise"))
    if noise is not None:
        text += f"; noise {_text(noise)}"
    return [f"{text}."]


def _halves(results: Results) -> list[str]:
    return [
        f"FAD between two random halves of the reference is {number(c.value, 2)} (n = {c.n} each): what is left of it "
        "where nothing differs."
        for c in results.aside.values()
        if c.metric == "fad_halves"
    ]


def _retrieval(results: Results) -> list[str]:
    """Say which systems the nearest training clip beats: a generator has to earn its cost."""
    lines = []
    for metric in names.ordered_metrics(m for m, _ in results.cells):
        nearest = results.cells.get((metric.name, "retrieval"))
        systems = _systems(results, metric.name)
        if nearest is None or not systems:
            continue
        beaten = [c.system for c in systems if better_than(nearest, c)]
        text = f"{metric.title}: retrieval of the nearest training clip reaches {_text(nearest)}, "
        if len(beaten) == len(systems) > 1:
            text += "better than every system; these are values without a test between them."
        elif beaten:
            text += f"better than {listed(beaten)}; these are values without a test between them."
        else:
            text += "which every system surpasses."
        lines.append(text)
    return lines


def _warnings(results: Results) -> list[str]:
    lines = []
    for metric in names.ordered_metrics(m for m, _ in results.cells):
        systems = _systems(results, metric.name)
        for control, words in (("noise", "noise"), ("shuffled", "real audio with the wrong prompt")):
            mark = results.cells.get((metric.name, control))
            if mark is None or (control == "shuffled" and not mark.higher_is_better):
                continue  # a distance between sets does not see the prompts
            worse = [c.system for c in systems if not better_than(c, mark)]
            if worse:
                verb = "is" if len(worse) == 1 else "are"
                lines.append(
                    f"Warning: on {metric.in_text}, {listed(worse)} {verb} no better than {words} ({_text(mark)})."
                )
    return lines
