"""The page of a search for a training recipe: every variant that was tried, beside the base, and its command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from clipsonic_eval import files
from clipsonic_eval.errors import UserError
from clipsonic_eval.formats import arrow, number
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.headings import decimals, title
from clipsonic_eval.reporting.latex.floats import latex
from clipsonic_eval.reporting.markup import Column, Text, TextTable
from clipsonic_eval.reporting.statements.wording import listed, plural
from clipsonic_eval.reporting.tables import span

PAGE: Final = "README.md"
RESULT: Final = "result.json"
METRICS: Final = {
    "fad": False,
    "clap_score": True,
    "class_accuracy": True,
    "worst_class_accuracy": True,
    "count_accuracy": True,
    "size_error": False,
}  # higher: better
_NEEDED = ("variant", "seed", "overrides", "command", "cpu_s", "ms_per_step", "steps", "val_loss", "evaluations")
_MEASURED = ("n", *METRICS, *(f"{metric}_ci" for metric in METRICS), "worst_class", "by_class")

Result = Mapping[str, Any]  # one training: what `recipe` writes into result.json
Row = Sequence[tuple[Result, Mapping[str, Any]]]  # trainings of one variant, by seed, and their scores at one setting


def read(folders: Sequence[Path]) -> list[Result]:
    """Read the results of searches.

    Args:
        folders: that ``clipsonic-eval recipe`` wrote, or ``records`` of an earlier page.

    Raises:
        UserError: there are none, one is no result, or two are of the same variant and seed.
    """
    found: dict[tuple[str, int], Result] = {}
    for path in (path for folder in folders for path in _files(folder)):
        result = files.read_json(path)
        missing = [name for name in _NEEDED if name not in result]
        if missing or not result["evaluations"]:
            raise UserError(
                f"{path}: no result of a recipe, it lacks {listed(missing or ['evaluations'])}; run it again"
            )
        key = result["variant"], result["seed"]
        if key in found:
            raise UserError(f"{path}: a second result of variant '{key[0]}', seed {key[1]}; give one folder of it")
        found[key] = result
    if not found:
        raise UserError(f"{listed([str(f) for f in folders])}: no {RESULT} below; give folders that `recipe` wrote")
    return list(found.values())


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob(RESULT)) or sorted(folder.glob("*.json"))


def write(results: Sequence[Result], folder: Path, command: str = "") -> Path:
    """Write ``recipe.csv``, ``.md``, ``.tex``, the figure, the results below ``records``, and the page.

    Args:
        results: from :func:`read`.
        folder: of the page.
        command: that made it; "" prints none.

    Returns:
        The page.
    """
    from clipsonic_eval.reporting.figures import recipes as figure
    from clipsonic_eval.reporting.figures import style

    shown = by_setting(results)
    table = _table(results, shown)
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(folder / "recipe.md", markup.markdown(table))
    files.write_text(folder / "recipe.tex", latex(table))
    files.write_text(folder / "recipe.csv", markup.csv(_columns(measured([_flat(results)])), _flat(results)))
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


def by_setting(results: Sequence[Result]) -> dict[str, dict[str, Row]]:
    """Return the trainings and their scores by sampling setting and variant, in the order of mean FAD."""
    found: dict[str, dict[str, list[tuple[Result, Mapping[str, Any]]]]] = {}
    for result, scores in _flat(results):
        found.setdefault(setting(scores), {}).setdefault(result["variant"], []).append((result, scores))
    return {
        name: dict(sorted(rows.items(), key=lambda entry: mean(entry[1], "fad")))
        for name, rows in sorted(found.items())
    }


def setting(scores: Mapping[str, Any]) -> str:
    """Return how the clips were sampled, e.g. ``guidance 3, steps 20, vocoder iterations 8``."""
    flat = {
        f"{key} {name}".strip(): value
        for key, own in sorted(scores.items())
        if key not in _MEASURED
        for name, value in (own.items() if isinstance(own, Mapping) else [("", own)])
    }
    return ", ".join(f"{key} {value}" for key, value in flat.items())


def mean(row: Row, metric: str) -> float:
    """Return the mean of a metric over the seeds of a row, NaN where none has it."""
    found = [scores[metric] for _, scores in row if scores.get(metric) is not None]
    return float(np.mean(found)) if found else float("nan")


def gains(row: Row, base: Row, metric: str) -> list[float]:
    """Return how much better than the base a variant is with each seed that both were trained with."""
    sign = 1.0 if METRICS[metric] else -1.0
    of_base = {result["seed"]: scores.get(metric) for result, scores in base}
    return [
        sign * (scores[metric] - of_base[result["seed"]])
        for result, scores in row
        if scores.get(metric) is not None and of_base.get(result["seed"]) is not None
    ]


def measured(rows: Iterable[Row]) -> dict[str, bool]:
    """Return the metrics that a training has: whether higher is better, by name."""
    scores = [scores for row in rows for _, scores in row]
    return {name: higher for name, higher in METRICS.items() if any(s.get(name) is not None for s in scores)}


def base_of(rows: Mapping[str, Row]) -> str:
    """Return the variant without overrides, "" where it was not trained."""
    return next((name for name, row in rows.items() if not row[0][0]["overrides"]), "")


def _flat(results: Sequence[Result]) -> list[tuple[Result, Mapping[str, Any]]]:
    ordered = sorted(results, key=lambda result: (result["variant"], result["seed"]))
    return [(result, scores) for result in ordered for scores in result["evaluations"]]


def _columns(metrics: Mapping[str, bool], base: Row | None = None) -> list[Column]:
    """Return the columns: a row of the table is a variant at one setting, a row of the CSV file one training at one.

    Args:
        metrics: from :func:`measured`.
        base: the trainings of the base at the same setting; None leaves the differences to it out.
    """

    def of_training(key: str) -> Callable[[Any], object]:
        return lambda row: row[0].get(key)

    def values(key: str, places: int, seeds: bool = True) -> Callable[[Any], Text]:
        return lambda row: _values([result.get(key) for result, _ in row], places, seeds=seeds)

    columns = [
        Column("Variant", "variant", of_training("variant"), lambda row: Text(row[0][0]["variant"])),
        Column(csv_name="seed", value=of_training("seed")),
        Column(csv_name="setting", value=lambda row: setting(row[1])),
        Column("ms per step", "ms_per_step", of_training("ms_per_step"), values("ms_per_step", 0, seeds=False)),
        Column("Steps", "steps", of_training("steps"), values("steps", 0, seeds=False)),
        Column("CPU s", "cpu_s", of_training("cpu_s"), values("cpu_s", 0, seeds=False)),
        Column("Held-out loss", "val_loss", of_training("val_loss"), values("val_loss", 3)),
    ]
    for metric, higher in metrics.items():
        heading = f"{name_of(metric)} {arrow(higher)}"
        columns.append(Column(heading, metric, partial(_value, metric), partial(_scores, metric)))
        if base is not None and metric in ("fad", "class_accuracy"):
            heading = f"{name_of(metric)} {'higher' if higher else 'lower'} by"
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


def name_of(metric: str) -> str:
    """Return the heading of a metric of :data:`METRICS`."""
    return "Worst class" if metric == "worst_class_accuracy" else title(metric)


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
    found = gains(row, base, metric)
    if not found or not row[0][0]["overrides"]:
        return Text("")
    places = decimals(metric)
    signs = "every seed" if all(g > 0 for g in found) or all(g < 0 for g in found) else "seeds disagree"
    return Text(
        number(float(np.mean(found)), places, sign=True), small=f"({signs})" if len(found) > 1 else "(one seed)"
    )


def _table(results: Sequence[Result], shown: Mapping[str, Mapping[str, Row]]) -> TextTable:
    from pandas import concat

    has_base = any(base_of(rows) for rows in shown.values())
    sections = []
    metrics = measured(row for rows in shown.values() for row in rows.values())
    for name, rows in shown.items():
        base = rows.get(base_of(rows), ()) if has_base else None  # at the same setting
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
    lines = [f"Sampled with {name}: '{best}' has the lowest FAD, {number(mean(rows[best], 'fad'), 2)}."]
    base = base_of(rows)
    others = {variant: gains(row, rows[base], "fad") for variant, row in rows.items() if base and variant != base}
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
