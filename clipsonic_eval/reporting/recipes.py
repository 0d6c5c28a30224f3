"""The page of a search for a training recipe: every variant that was tried, beside the base, and its command."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from clipsonic_eval import files
from clipsonic_eval.formats import arrow, number
from clipsonic_eval.reporting import markup, recipe_rows
from clipsonic_eval.reporting.figures import recipes as figure
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.headings import decimals
from clipsonic_eval.reporting.latex.floats import latex
from clipsonic_eval.reporting.markup import Column, Text, TextTable
from clipsonic_eval.reporting.recipe_rows import Result, Row
from clipsonic_eval.reporting.statements.wording import listed, plural
from clipsonic_eval.reporting.tables import span

PAGE: Final = "README.md"


def write(results: Sequence[Result], folder: Path, command: str = "") -> Path:
    """Write ``recipe.csv``, ``.md``, ``.tex``, the figure, the results below ``records``, and the page.

    Args:
        results: from :func:`clipsonic_eval.reporting.recipe_rows.read`.
        folder: of the page.
        command: that made it; "" prints none.

    Returns:
        The page.
    """
    shown = recipe_rows.by_setting(results)
    table = _table(results, shown)
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(folder / "recipe.md", markup.markdown(table))
    files.write_text(folder / "recipe.tex", latex(table))
    files.write_text(
        folder / "recipe.csv",
        markup.csv(_columns(recipe_rows.measured([recipe_rows.flat(results)])), recipe_rows.flat(results)),
    )
    with style.look():
        canvas, caption = figure.draw(shown)
        style.save(canvas, folder / "recipe")
    for result in results:
        files.write_json(folder / "records" / f"{result['variant']}-seed-{result['seed']}.json", dict(result))
    lines = ["# Which training recipe?", "", *(f"- {line}" for line in _summary(results, shown)), ""]
    lines += ["![Scores of the variants](recipe.png)", "", f"*{caption}* ([PDF](recipe.pdf))", ""]
    lines += [markup.markdown(table), "As files: [csv](recipe.csv), [tex](recipe.tex), [md](recipe.md)", ""]
    lines += ["## Every variant and its command", "", *_commands(results), ""]
    if command:
        lines += ["## Where the numbers come from", "", "From the results in `records` alone, by", ""]
        lines += ["```", command, "```", ""]
    page = folder / PAGE
    files.write_text(page, "\n".join(lines))
    return page


def _columns(metrics: Mapping[str, bool], base: Row | None = None) -> list[Column]:
    """Return the columns: a row of the table is a variant at one setting, a row of the CSV file one training at one.

    Args:
        metrics: from :func:`recipe_rows.measured`.
        base: the trainings of the base at the same setting; None leaves the differences to it out.
    """

    def of_training(key: str) -> Callable[[Any], object]:
        return lambda row: row[0].get(key)

    def values(key: str, places: int, seeds: bool = True) -> Callable[[Any], Text]:
        return lambda row: _values([result.get(key) for result, _ in row], places, seeds=seeds)

    columns = [
        Column("Variant", "variant", of_training("variant"), lambda row: Text(row[0][0]["variant"])),
        Column(csv_name="seed", value=of_training("seed")),
        Column(csv_name="setting", value=lambda row: recipe_rows.setting(row[1])),
        Column("ms per step", "ms_per_step", of_training("ms_per_step"), values("ms_per_step", 0, seeds=False)),
        Column("Steps", "steps", of_training("steps"), values("steps", 0, seeds=False)),
        Column("CPU s", "cpu_s", of_training("cpu_s"), values("cpu_s", 0, seeds=False)),
        Column("Held-out loss", "val_loss", of_training("val_loss"), values("val_loss", 3)),
    ]
    for metric, higher in metrics.items():
        heading = f"{recipe_rows.name_of(metric)} {arrow(higher)}"
        columns.append(Column(heading, metric, partial(_value, metric), partial(_scores, metric)))
        if base is not None and metric in ("fad", "class_accuracy"):
            heading = f"{recipe_rows.name_of(metric)} {'higher' if higher else 'lower'} by"
            columns.append(Column(heading, text=partial(_gain, base, metric)))
    columns += [
        Column(csv_name="fad_low", value=lambda row: (row[1].get("fad_ci") or (None, None))[0]),
        Column(csv_name="fad_high", value=lambda row: (row[1].get("fad_ci") or (None, None))[1]),
        Column(csv_name="worst_class", value=lambda row: row[1].get("worst_class")),
        Column("n", "n", lambda row: row[1].get("n"), lambda row: Text(span(scores["n"] for _, scores in row))),
        Column(csv_name="weights", value=of_training("weights")),
        Column(csv_name="commit", value=of_training("commit")),
        Column(csv_name="overrides", value=lambda row: json.dumps(row[0]["overrides"])),
    ]
    return columns


def _value(metric: str, row: tuple[Result, Mapping[str, Any]]) -> object:
    return row[1].get(metric)


def _values(found: Sequence[Any], places: int, *, seeds: bool = True) -> Text:
    """Return a mean over seeds and, set smaller, the seeds' values if they are wanted."""
    known = [float(value) for value in found if value is not None]
    if not known:
        return Text("–")
    by_seed = ", ".join(number(value, places) for value in known)
    return Text(number(float(np.mean(known)), places), small=f"({by_seed})" if seeds and len(known) > 1 else "")


def _scores(metric: str, row: Row) -> Text:
    places = 2 if metric == "worst_class_accuracy" else decimals(metric)
    return _values([scores.get(metric) for _, scores in row], places)


def _gain(base: Row, metric: str, row: Row) -> Text:
    found = recipe_rows.gains(row, base, metric)
    if not found or not row[0][0]["overrides"]:
        return Text("")
    places = decimals(metric)
    signs = "every seed" if all(g > 0 for g in found) or all(g < 0 for g in found) else "seeds disagree"
    return Text(
        number(float(np.mean(found)), places, sign=True), small=f"({signs})" if len(found) > 1 else "(one seed)"
    )


def _table(results: Sequence[Result], shown: Mapping[str, Mapping[str, Row]]) -> TextTable:
    from pandas import concat

    has_base = any(recipe_rows.base_of(rows) for rows in shown.values())
    sections = []
    metrics = recipe_rows.measured(row for rows in shown.values() for row in rows.values())
    for name, rows in shown.items():
        base = rows.get(recipe_rows.base_of(rows), ()) if has_base else None  # at the same setting
        sections.append(markup.cells(_columns(metrics, base), {f"sampled with {name}": list(rows.values())}))
    seeds = len({result["seed"] for result in results})
    caption = (
        "Variants of one training recipe at equal processor time, in the order of FAD; image queries (IQ) of the "
        f"validation split (n = {_n(shown)})."
        + (f" Means over up to {seeds} training seeds, the seeds in brackets." if seeds > 1 else "")
        + (" Lower by, higher by: how much better than the base with the same seeds." if has_base else "")
    )
    return TextTable(caption, concat(sections), label="tab:recipe")


def _n(shown: Mapping[str, Mapping[str, Row]]) -> str:
    return span(scores["n"] for rows in shown.values() for row in rows.values() for _, scores in row)


def _summary(results: Sequence[Result], shown: Mapping[str, Mapping[str, Row]]) -> list[str]:
    variants = list(dict.fromkeys(result["variant"] for result in results))
    seeds = sorted({result["seed"] for result in results})
    seconds = [result["cpu_s"] for result in results]
    tried = f"{plural(len(variants), 'variant')}, {plural(len(results), 'training')}"
    lines = [
        f"{tried}, seeds {listed([str(s) for s in seeds])}; {min(seconds):.0f} to {max(seconds):.0f} seconds of one "
        "processor each: a variant whose step is cheaper takes more steps."
    ]
    for name, rows in shown.items():
        lines.append(" ".join(_verdicts(name, rows)))
    return [
        *lines,
        "Nothing was tested for significance. The best of many variants looks better than it is, because its luck was "
        "chosen too: what counts is that every seed agrees, and the study that trains the chosen recipe anew.",
        "Held-out losses compare between variants with the same objective and weights of noise levels only.",
    ]


def _verdicts(name: str, rows: Mapping[str, Row]) -> list[str]:
    best = next(iter(rows))
    lines = [f"Sampled with {name}: '{best}' has the lowest FAD, {number(recipe_rows.mean(rows[best], 'fad'), 2)}."]
    base = recipe_rows.base_of(rows)
    others = {
        variant: recipe_rows.gains(row, rows[base], "fad") for variant, row in rows.items() if base and variant != base
    }
    better = [v for v, found in others.items() if len(found) > 1 and min(found) > 0]
    worse = [v for v, found in others.items() if len(found) > 1 and max(found) < 0]
    for which, words in ((better, "lower"), (worse, "higher")):
        lines += [f"FAD is {words} than that of '{base}' with every seed for {listed(which)}."] if which else []
    rest = [v for v in others if v not in (*better, *worse)]
    lines += [f"Seeds disagree, or there is one only, for {listed(rest)}."] if rest else []
    return lines


def _commands(results: Sequence[Result]) -> list[str]:
    """Return the command of the first seed of each variant."""
    first: dict[str, Result] = {}
    for result in sorted(results, key=lambda r: (r["variant"], r["seed"])):
        first.setdefault(result["variant"], result)
    return [f"- {markup.code(name)}: {markup.code(result['command'])}" for name, result in first.items()]
