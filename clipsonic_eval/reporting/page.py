"""The README.md of a report: summary, tables, figures, provenance."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from clipsonic_eval.analysis.results import Results
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.reporting import bench, markup, summary
from clipsonic_eval.reporting.markup import TextTable
from clipsonic_eval.reporting.options import ABLATION, PUBLISHED
from clipsonic_eval.reporting.pairs_at_values import AGAINST
from clipsonic_eval.reporting.statements.wording import plural

Figures = Mapping[str, tuple[str, str]]  # title and caption by name
_BESIDE = {"gap": ("cosines", "recovery")}  # figures that stand with another


class Section(NamedTuple):
    """A section of the page: words, then the figures and the tables of these names."""

    title: str
    sentences: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


def readme(
    results: Results,
    tables: Mapping[str, TextTable],
    figures: Figures,
    *,
    title: str,
    command: str,
    left_out: Sequence[str],
) -> str:
    """Return the page: the main table and figure, then a section per question with its table and figure.

    Args:
        results: for the words and the provenance.
        tables: by name (``table``, ``pairs``, ``comparisons``, ``gap``, ``guidance``, ``probes``, ``clip_variants``,
            ``cost``, ``stages``).
        figures: those that were drawn.
        title: of the page.
        command: that made it, "" for none.
        left_out: tables and figures that are missing, with the reason.
    """
    parts = [f"# {title}", "", *summary.opening(results)]
    parts += [*_table(tables, "table"), *figure(figures, "metrics")]
    for section in outline(results, tables, figures):
        parts += [f"## {section.title}", "", *[f"- {s}" for s in section.sentences], *([""] * bool(section.sentences))]
        parts += [line for name in section.figures for line in figure(figures, name)]
        parts += [line for name in section.tables for line in _table(tables, name, short="pairs" in tables)]
    if left_out:
        parts += ["## Left out", "", *[f"- {line}" for line in left_out], ""]
    lines = [f"- {line}" for line in provenance(results.runs.all_runs)]
    parts += ["## Where the numbers come from", "", *_made_by(command), *lines, ""]
    return "\n".join(parts)


def outline(results: Results, tables: Collection[str], figures: Collection[str]) -> list[Section]:
    """Return the sections between the main table and the provenance.

    Args:
        results: for the words.
        tables: names of those that there are.
        figures: names of those that there are.
    """

    def section(title: str, sentences: Sequence[str], shown: Sequence[str]) -> Section:
        drawn, listed = (tuple(name for name in shown if name in there) for there in (figures, tables))
        return Section(title, tuple(sentences), drawn, listed)

    found = [section("Reported elsewhere", (), (PUBLISHED,))] if PUBLISHED in tables else []
    if "opinions" in figures:
        found.append(section("What did listeners say?", (), ("opinions", "relation")))
    found += [
        section(q.title, sentences, (q.shows, *_BESIDE.get(q.shows, ()))) for q, sentences in summary.answers(results)
    ]
    for name in (name for name in tables if name.startswith(ABLATION)):
        found.append(section(f"Ablation: {name.removeprefix(ABLATION)}", (), (name,)))
    if "extrapolation" in figures:
        found.append(section("How many clips does FAD need?", (), ("extrapolation",)))
    seen = {name for one in found for name in one.figures}
    if against := [name for name in figures if name.startswith(AGAINST) and name not in seen]:
        found.append(section("What do the settings do?", (), against))
    if "training" in figures:
        found.append(section("How did the trainings go?", (), ("training",)))
    if results.runs.bench:
        found.append(section("What does it cost?", bench.sentences(results.runs.bench), ("cost", "stages")))
    if "spectrograms" in figures:
        found.append(section("Spectrograms", (), ("contact_sheet", "spectrograms")))
    if "comparisons" in tables:
        found.append(section("All paired comparisons", (), ("comparisons",)))
    return found


def _made_by(command: str) -> list[str]:
    return ["From run records alone, by", "", "```", command, "```", ""] if command else []


def _table(tables: Mapping[str, TextTable], name: str, *, short: bool = False) -> list[str]:
    """Return a table and its files; where ``short``, of the table of all comparisons the files alone."""
    if name not in tables:
        return []
    files = ", ".join(f"[{suffix}]({name}.{suffix})" for suffix in ("csv", "tex", "md"))
    if short and name == "comparisons":
        n = plural(len(tables[name].cells), "difference")
        return [f"{n} with p, p after Holm's correction, effect size and every training seed: {files}", ""]
    return [markup.markdown(tables[name]), f"As files: {files}", ""]


def figure(figures: Figures, name: str) -> list[str]:
    """Return the lines that show a figure of the folder ``figures``; none where it was not drawn."""
    if name not in figures:
        return []
    title, caption = figures[name]
    stem = f"figures/{name}"
    return [f"![{title}]({stem}.png)", "", f"*{caption}* ([PDF]({stem}.pdf), [SVG]({stem}.svg), [CSV]({stem}.csv))", ""]


def provenance(runs: Sequence[Run]) -> list[str]:
    """Return software, machine and time of the runs: one line each, all values where runs differ."""
    lines = [f"{plural(len(runs), 'run record')}: {', '.join(markup.code(r.name) for r in runs)}"]
    labels = {
        "commit": "commit",
        "clipsonic_eval": "clipsonic-eval",
        "python": "Python",
        "platform": "platform",
        "processor": "processor",
        "cpu_count": "logical processors",
        "accelerator": "accelerator",
    }
    for key, label in labels.items():
        values = _values(runs, key)
        if values:
            lines.append(f"{label}: {', '.join(values)}")
    machines = list(dict.fromkeys(_machine(r.record.provenance.get("machine") or {}) for r in runs))
    if any(machines):
        lines.append(f"machine: {'; or '.join(m for m in machines if m)}")
    if any(r.record.provenance.get("uncommitted_changes") for r in runs):
        lines.append("some runs were made with uncommitted changes")
    packages = _packages(runs)
    if packages:
        lines.append(f"packages: {packages}")
    dates = sorted(str(r.record.provenance["created"]) for r in runs if "created" in r.record.provenance)
    if dates:
        lines.append(f"made between {dates[0]} and {dates[-1]}")
    return lines


def _machine(found: Mapping[str, Any]) -> str:
    """Return what a record says of cores, memory, threads, instructions and GPUs in one line, "" for older records."""
    cores, threads = found.get("cores") or {}, found.get("threads") or {}
    parts = [
        f"{cores['usable']} of {cores['logical']} processors" if cores.get("usable") else "",
        f"{found['memory_gib']:g} GiB" if found.get("memory_gib") else "",
        f"threads: {', '.join(f'{name} {n}' for name, n in sorted(threads.items()))}" if threads else "",
        " ".join(found.get("instructions") or ()),
        *(f"{gpu['name']} ({gpu['memory_gib']:g} GiB)" for gpu in found.get("gpus") or ()),
        *(f"{name} {found[name]}" for name in ("driver", "cuda", "cudnn") if found.get(name)),
    ]
    return ", ".join(part for part in parts if part)


def _values(runs: Sequence[Run], key: str) -> list[str]:
    found = [r.record.provenance.get(key) for r in runs]
    return list(dict.fromkeys(str(v) for v in found if v is not None))


def _packages(runs: Sequence[Run]) -> str:
    versions: dict[str, list[str]] = {}
    for run in runs:
        packages: Any = run.record.provenance.get("packages", {})
        for name, version in packages.items():
            known = versions.setdefault(str(name), [])
            if str(version) not in known:
                known.append(str(version))
    return ", ".join(f"{name} {'/'.join(found)}" for name, found in versions.items())
