"""The record of a run: scores, comparisons, configuration and provenance in one JSON file.

Tables, figures, the page and the gate read records and nothing else, so a report can be remade anywhere.

Every record says which version of this schema it was written in. :func:`write` writes the newest; :func:`read` takes
every older one, upgraded by one pure function from each version to the next (:data:`UPGRADES`).

The values of single clips lie beside it in ``clips.parquet`` (:mod:`clipsonic_eval.clip_values`), which the record
names by its SHA-256. Without that file a record still reads, less those values.
"""

from __future__ import annotations

import dataclasses
import html
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic_eval import clip_values, filenames, frames
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import UserError, unknown_name
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.types import Finding, Score, Skip

if TYPE_CHECKING:
    from pandas import DataFrame

_Values = Mapping[tuple[str, str], Mapping[str, Mapping[str, float]]]
_log = logging.getLogger(__name__)

SCHEMA_VERSION = 3
ALPHA = 0.05  # level of the paired tests, after Holm's correction
IDENTICAL = "identical outputs"  # in place of a test's name: the systems gave the same bytes, there is nothing to test


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired test of two systems on the same queries.

    Attributes:
        difference: value of ``a`` minus value of ``b``, in the metric's unit; the mean over training seeds where there
            are several.
        ci: 95 % interval of the difference.
        p_value: two-sided.
        p_holm: the same after Holm's correction over the family of this record.
        test: how it was made, e.g. ``paired-permutation-10000``, or :data:`IDENTICAL`.
        higher_is_better: direction of the metric.
        effect_size: standardised difference of the paired values, NaN-free; None where the metric has no clip values.
        by_seed: difference by training seed, in records of kind ``pooled``.
    """

    metric: str
    a: str
    b: str
    difference: float
    ci: tuple[float, float] | None
    p_value: float
    p_holm: float
    n: int
    test: str
    higher_is_better: bool
    effect_size: float | None = None
    by_seed: Mapping[str, float] = field(default_factory=dict)

    @property
    def significant(self) -> bool:
        """Whether the difference is significant at :data:`ALPHA` after Holm's correction."""
        return self.p_holm < ALPHA

    @property
    def a_better(self) -> bool:
        """Whether ``a`` has the better value, significantly or not."""
        return self.gain > 0

    @property
    def gain(self) -> float:
        """How much better ``a`` is: positive where it is better, whatever the metric's direction."""
        return self.difference if self.higher_is_better else -self.difference

    @property
    def gain_ci(self) -> tuple[float, float] | None:
        """Interval of the gain, lower end first."""
        return self.ci if self.higher_is_better else _negated(self.ci)

    @property
    def seeds_agree(self) -> int:
        """How many training seeds have a difference of the sign of the mean."""
        return sum(difference * self.difference > 0 for difference in self.by_seed.values())

    def reversed(self) -> Comparison:
        """Return ``b`` against ``a``."""
        return dataclasses.replace(
            self,
            a=self.b,
            b=self.a,
            difference=-self.difference,
            ci=_negated(self.ci),
            effect_size=None if self.effect_size is None else -self.effect_size,
            by_seed={seed: -difference for seed, difference in self.by_seed.items()},
        )


def _negated(ci: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if ci is None else (-ci[1], -ci[0])


@dataclass(frozen=True, slots=True)
class SetCount:
    """What became of the items of one set: a system, ``reference``, ``real`` or ``training``.

    Attributes:
        found: items that were there.
        used: items that were scored or compared with.
        skipped: items that could not be used; each is listed with its reason in :attr:`RunRecord.skipped`.
        left_out: items that nothing asked for, such as outputs without a query, and files that are no audio by their
            suffix.
    """

    found: int
    used: int
    skipped: int
    left_out: int


@dataclass(frozen=True, slots=True, repr=False)
class RunRecord:
    """Everything that one run of ``evaluate`` or ``gap`` found.

    Attributes:
        kind: ``evaluate``, ``gap``, or ``pooled``: numbers over the training seeds of several runs, see
            :mod:`clipsonic_eval.analysis`.
        scores: one per metric and system.
        comparisons: paired tests between systems.
        systems: by name, the card of what was scored (kind, weights, config hash, guidance, seeds, ...).
        skipped: what was left out, by system or set.
        sets: how many items each set had, by system or set; empty in records of version 1.
        findings: what looks wrong, by system.
        tags: what tells this run from its neighbours in a study, e.g. ``{"train_seed": "0", "split": "test",
            "guidance": "2", "clip_variant": "toy-clip"}``.
        config: resolved configuration.
        provenance: from :func:`clipsonic_eval.provenance.collect`.
        timings_s: seconds by stage.
    """

    kind: str
    scores: tuple[Score, ...]
    comparisons: tuple[Comparison, ...] = ()
    systems: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    skipped: Mapping[str, tuple[Skip, ...]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    timings_s: Mapping[str, float] = field(default_factory=dict)
    findings: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    sets: Mapping[str, SetCount] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def __repr__(self) -> str:
        problems = [finding.severity for found in self.findings.values() for finding in found]
        parts = [
            _counted(len(self.system_names), "system"),
            _counted(len(self.metric_names), "metric"),
            _counted(len(self.comparisons), "comparison"),
            _counted(problems.count("error"), "error"),
            _counted(problems.count("warning"), "warning"),
            f"{sum(map(len, self.skipped.values()))} skipped",
        ]
        held = ", ".join(p for p in parts if not p.startswith("0 "))
        return f"RunRecord({self.kind}: {held or 'empty'})"

    def _repr_html_(self) -> str:
        """Return the table, the paired tests and what the checks found as HTML, for notebooks."""
        parts = [self.table().to_html()]
        if self.comparisons:
            parts.append(self.comparisons_frame().to_html(index=False, float_format="{:.4g}".format))
        found = [(name, finding) for name, several in self.findings.items() for finding in several]
        lines = [f"{f.severity} {name}: {f.sentence}" for name, f in sorted(found, key=lambda x: x[1].severity)]
        items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
        return "\n".join([*parts, *([f"<ul>{items}</ul>"] if items else [])])

    @property
    def system_names(self) -> tuple[str, ...]:
        """Names of the systems that have scores, in the order of the run."""
        return tuple(dict.fromkeys(s.system for s in self.scores))

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics that were computed, in the order of the run."""
        return tuple(dict.fromkeys(s.metric for s in self.scores))

    def score(self, metric: str, system: str) -> Score | None:
        """Return one score, or None if the run has none of that name."""
        return next((s for s in self.scores if s.metric == metric and s.system == system), None)

    def comparison(self, metric: str, a: str, b: str) -> Comparison | None:
        """Return the paired test of ``a`` against ``b``, in this order, or None if the run has none."""
        return next((c for c in self.comparisons if (c.metric, c.a, c.b) == (metric, a, b)), None)

    def __getitem__(self, names: tuple[str, str]) -> Score:
        """Return the score of ``run[system, metric]``.

        Raises:
            UserError: the run has no such score; names what it has.
        """
        if not isinstance(names, tuple) or len(names) != 2:
            raise UserError(f"{names!r} names no score; write run[system, metric], e.g. run{[*self._first()]}")
        system, metric = names
        found = self.score(metric, system)
        if found is not None:
            return found
        if self.score(system, metric) is not None:
            raise UserError(f"'{system}' is a metric and '{metric}' a system; write run['{metric}', '{system}']")
        if system not in self.system_names:
            raise unknown_name("system", system, self.system_names)
        own = [s.metric for s in self.scores if s.system == system]
        raise unknown_name(f"metric of system '{system}'", metric, own)

    def _first(self) -> tuple[str, str]:
        return (self.scores[0].system, self.scores[0].metric) if self.scores else ("system", "metric")

    def to_frame(self) -> DataFrame:
        """Return one row per score: metric, system, value, interval, n, unit, direction, seed, signature.

        See :func:`clipsonic_eval.frames.scores_frame` for the columns.
        """
        return frames.scores_frame(self.scores)

    def table(self) -> DataFrame:
        """Return systems × metrics with cells ``value [low, high]``; ↑ and ↓ show the direction of each metric."""
        return frames.scores_table(self.scores)

    def per_clip_frame(self) -> DataFrame:
        """Return one row per clip, system and metric: its value, or its influence on a statistic of sets (FAD)."""
        return frames.per_clip_frame(self.scores)

    def comparisons_frame(self) -> DataFrame:
        """Return one row per paired test: metric, a, b, difference (a − b), its interval, p-values, effect size, n."""
        nan = float("nan")
        rows = (
            (c.metric, c.a, c.b, c.difference, *(c.ci or (nan, nan)), c.p_value, c.p_holm, c.effect_size, c.n, c.test)
            for c in self.comparisons
        )
        columns = ["metric", "a", "b", "difference", "low", "high", "p_value", "p_holm", "effect_size", "n", "test"]
        return frames.frame(rows, columns)

    def findings_frame(self) -> DataFrame:
        """Return one row per problem that a check found: system, check, severity, clips concerned, sentence."""
        rows = ((n, f.check, f.severity, f.keys, f.sentence) for n, several in self.findings.items() for f in several)
        return frames.frame(rows, ("system", "check", "severity", "keys", "sentence"))

    def skipped_frame(self) -> DataFrame:
        """Return one row per clip that was left out: system or set, key, reason."""
        rows = ((name, skip.key, skip.reason) for name, several in self.skipped.items() for skip in several)
        return frames.frame(rows, ("system", "key", "reason"))


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def write(record: RunRecord, folder: Path) -> Path:
    """Write ``folder/record.json``, and ``clips.parquet`` before it, and return the path of the first.

    Each is written atomically. A record that was there goes away first: it would name other values of clips.
    """
    path = folder / filenames.RECORD
    path.unlink(missing_ok=True)
    clips = clip_values.write(record.scores, folder)
    tree = as_tree(record)
    for score in tree["scores"]:
        for name in clip_values.FIELDS.values():
            del score[name]
    write_json(path, tree if clips is None else {**tree, "clips": clips})
    return path


def read(path: Path) -> RunRecord:
    """Read a record from a run folder or from the JSON file itself, of this schema or any older one.

    Raises:
        UserError: there is none, it is no record, a newer release wrote it, or its values of clips are damaged.
    """
    file = path / filenames.RECORD if path.is_dir() else path
    if not file.exists():
        raise UserError(f"{path}: no {filenames.RECORD} here; give a folder that `evaluate` or `gap` wrote")
    tree = read_json(file, fix="the run that wrote it did not finish, run it again")
    version = tree.get("schema_version") if isinstance(tree, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UserError(f"{file}: no record of a run, it names no schema version; give what `evaluate` or `gap` wrote")
    if version > SCHEMA_VERSION:
        raise UserError(
            f"{file}: schema version {version}, and this release reads up to {SCHEMA_VERSION}; "
            "read it with the newer release that wrote it"
        )
    try:
        tree = upgraded(tree)
        return _record(tree, _values(tree.get("clips"), file.parent))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{file}: not a record of schema version {version} ({type(error).__name__}: {error}); it was edited or "
            "damaged, run the evaluation again"
        ) from None


def upgrade_1_to_2(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a record of version 1 as version 2 would have it.

    What was found and used was not counted yet. Signatures had no numerics versions: all that was computed then is
    version 1 of them. ``findings`` came late in version 1, so some of its records have none.
    """
    scores = [{**score, "signature": _with_numerics(score["signature"])} for score in tree["scores"]]
    return {"findings": {}, **tree, "scores": scores, "sets": {}, "schema_version": 2}


def _with_numerics(signature: str) -> str:
    metric, *fields = signature.split("|")
    of_encoder = ["encnum:1", "loadnum:1"] if "/" in metric else ["encnum:1"]  # metric/tool: a convention
    return "|".join([metric, "num:1", *(p for f in fields for p in (f, *(of_encoder if f.startswith("enc:") else ())))])


def upgrade_2_to_3(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a record of version 2 as version 3 would have it.

    The tag ``instrument`` became ``clip_variant``, and ``per_item`` of a score, where an old record still holds it,
    ``per_clip``. A comparison takes the direction of its metric from the scores.
    """
    tags = {"clip_variant" if name == "instrument" else name: value for name, value in tree["tags"].items()}
    scores = [{("per_clip" if k == "per_item" else k): v for k, v in score.items()} for score in tree["scores"]]
    higher = {score["metric"]: score["higher_is_better"] for score in scores}
    comparisons = [{**c, "higher_is_better": higher[c["metric"]]} for c in tree["comparisons"]]
    return {**tree, "tags": tags, "scores": scores, "comparisons": comparisons, "schema_version": 3}


UPGRADES: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: upgrade_1_to_2, 2: upgrade_2_to_3}


def upgraded(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a record of any older schema in the newest one, step by step; the tree that is given stays as it is."""
    while tree["schema_version"] < SCHEMA_VERSION:
        tree = UPGRADES[tree["schema_version"]](tree)
    return tree


def _values(said: dict[str, Any] | None, folder: Path) -> _Values:
    if said is None:
        return {}
    if not (folder / filenames.CLIP_VALUES).exists():
        _log.info("%s: not there, so the record has no values of clips", folder / filenames.CLIP_VALUES)
        return {}
    return clip_values.read(said, folder)


def _record(tree: dict[str, Any], values: _Values) -> RunRecord:
    made = {
        "scores": tuple(_score({**s, **values.get((s["metric"], s["system"]), {})}) for s in tree["scores"]),
        "comparisons": tuple(
            Comparison(**{**c, "ci": tuple(c["ci"]) if c["ci"] else None}) for c in tree["comparisons"]
        ),
        "skipped": {k: tuple(Skip(**s) for s in v) for k, v in tree["skipped"].items()},
        "findings": {
            k: tuple(Finding(**{**f, "keys": tuple(f["keys"])}) for f in v) for k, v in tree["findings"].items()
        },
        "sets": {k: SetCount(**v) for k, v in tree["sets"].items()},
    }
    known = {f.name for f in dataclasses.fields(RunRecord)}
    return RunRecord(**{**{k: v for k, v in tree.items() if k in known}, **made})


def _score(tree: dict[str, Any]) -> Score:
    interval = tuple(tree["ci"]) if tree["ci"] else None
    return Score(**{**tree, "ci": interval, "skipped": tuple(Skip(**s) for s in tree["skipped"])})
