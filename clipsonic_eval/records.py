"""Run records: scores, paired tests, configuration and provenance of one run, in memory and as ``record.json``.

Reports are made from records alone. Each file names the version of its schema: :func:`write` writes the newest,
:func:`read` reads older ones through one pure function per version (:mod:`clipsonic_eval.record_upgrades`). A record
holds its hash, and one that was edited is refused. Values per clip lie in ``clips.parquet``
(:mod:`clipsonic_eval.clip_values`), identified by its SHA-256; a record reads without it.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic_eval import clip_values, filenames, frames
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import UserError, unknown_name
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import seal, unsealed
from clipsonic_eval.record_upgrades import SCHEMA_VERSION, upgraded
from clipsonic_eval.types import Finding, Score, Skip

if TYPE_CHECKING:
    from pandas import DataFrame

ClipValues = Mapping[tuple[str, str], Mapping[str, Mapping[str, float]]]
_log = logging.getLogger(__name__)

ALPHA = 0.05  # level of the paired tests, after Holm's correction
IDENTICAL = "identical outputs"  # in place of a test's name: the systems gave the same bytes, there is nothing to test


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired test of two systems on the same queries.

    Attributes:
        metric: registry name.
        a: name of one system.
        b: name of the other system.
        difference: value of ``a`` minus value of ``b``, in the metric's unit; the mean over training seeds where there
            are several.
        ci: 95 % interval of the difference.
        p_value: two-sided.
        p_holm: the same after Holm's correction over the family of this record.
        n: number of queries that both systems answered.
        test: the kind of test, e.g. ``paired-permutation-10000``, or :data:`IDENTICAL`.
        higher_is_better: direction of the metric.
        effect_size: Cohen's d_z, the mean of the paired differences over their standard deviation; None where the
            metric has no values per clip.
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

    @property
    def disputed(self) -> bool:
        """Whether there are several training seeds, and not all have the sign of the mean."""
        return len(self.by_seed) > 1 and self.seeds_agree < len(self.by_seed)

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
    """Numbers of clips in one set: a system, ``reference``, ``real`` or ``training``.

    Attributes:
        found: clips in the folder or store.
        used: clips that were embedded.
        skipped: clips that could not be used; :attr:`RunRecord.skipped` lists each with the reason.
        left_out: clips without a query, and files whose suffix is not that of audio.
    """

    found: int
    used: int
    skipped: int
    left_out: int


@dataclass(frozen=True, slots=True, repr=False)
class RunRecord:
    """Result of one evaluation (or gap measurement): scores, paired tests, and how they were obtained.

    ``run[system, metric]`` is a score, :meth:`table` shows systems × metrics, :meth:`to_frame` has a row per score.

    Attributes:
        kind: ``evaluate``, ``gap``, or ``pooled``: numbers over the training seeds of several runs, see
            :mod:`clipsonic_eval.analysis`.
        scores: one per metric and system.
        comparisons: paired tests between systems.
        systems: card of each system by name (kind, weights, config hash, guidance, seeds, ...).
        skipped: clips that were left out, by system or set.
        sets: numbers of clips by system or set; empty in records of version 1.
        hashes: SHA-256 of what each stage made, by system or set: ``wavs`` over keys and file hashes,
            ``embeddings/<role>`` over keys and vectors. They say which stage moved where numbers that should be equal
            are not. Empty in records written before there were any.
        findings: problems that the checks found, by system or set.
        tags: what distinguishes this run within a study, e.g. ``{"train_seed": "0", "split": "test", "guidance": "2",
            "clip_variant": "toy-clip"}``.
        config: resolved configuration.
        provenance: versions, platform and commit, from :func:`clipsonic_eval.provenance.collect`.
        timings_s: seconds by stage.
        schema_version: of the record.

    Example:
        >>> score = Score("fad", "PD", 1.234, (1.1, 1.4), "bootstrap", 50, 50, "squared distance", False, "fad|n:50")
        >>> run = RunRecord("evaluate", (score,))
        >>> run
        RunRecord(evaluate: 1 system, 1 metric)
        >>> float(run["PD", "fad"])
        1.234
        >>> print(run.table())
                         fad ↓   n
        system
        PD   1.23 [1.10, 1.40]  50
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
    hashes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
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
        return "\n".join([*parts, frames.listed_html(self.findings, self.skipped)])

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
    """Write ``folder/record.json`` and, before it, ``clips.parquet``; return the path of the record.

    Both are written atomically. An older record is removed first, since it would name other values per clip.
    """
    path = folder / filenames.RECORD
    path.unlink(missing_ok=True)
    clips = clip_values.write(record.scores, folder)
    tree = as_summary(record)
    write_json(path, seal(tree if clips is None else {**tree, "clips": clips}))
    return path


def as_summary(record: RunRecord) -> dict[str, Any]:
    """Return a record as JSON-serialisable nested dicts and lists, without its values per clip."""
    tree: dict[str, Any] = as_tree(record)
    for score in tree["scores"]:
        for name in clip_values.FIELDS.values():
            del score[name]
    return tree


def read(path: Path) -> RunRecord:
    """Read a record of this schema version or any older one.

    Args:
        path: the run folder, or the JSON file itself.

    Raises:
        UserError: there is no record, the file is not one, a newer release wrote it, or its values per clip are
            damaged.
    """
    file = path / filenames.RECORD if path.is_dir() else path
    tree = read_tree(file)
    return from_tree(tree, file, lambda entry: _values(entry, file.parent))


def read_tree(file: Path) -> dict[str, Any]:
    """Read the JSON of a record, in the version of the schema that it was written in.

    Raises:
        UserError: there is no record, the file is not one, was edited, or a newer release wrote it.
    """
    if not file.exists():
        folder = file.parent if file.name == filenames.RECORD else file
        raise UserError(f"{folder}: no {filenames.RECORD} here; give a folder that `evaluate`, `gap` or `bench` wrote")
    tree = read_json(file, fix="the run that wrote it did not finish, run it again")
    version = tree.get("schema_version") if isinstance(tree, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UserError(
            f"{file}: not a run record, it names no schema version; give what `evaluate`, `gap` or `bench` wrote"
        )
    if version > SCHEMA_VERSION:
        raise UserError(
            f"{file}: schema version {version}, and this release reads up to {SCHEMA_VERSION}; "
            "read it with the newer release that wrote it"
        )
    assert isinstance(tree, dict)
    try:
        return unsealed(tree) if "sha256" in tree else tree  # the first records had no hash
    except ValueError as error:
        raise UserError(f"{file}: {error}, so it was edited or damaged; restore it, or evaluate again") from None


def from_tree(tree: dict[str, Any], file: Path, values: Callable[[Any], ClipValues]) -> RunRecord:
    """Return the record of a tree of any version of the schema.

    Args:
        tree: from :func:`read_tree`.
        file: it was read from, for error messages.
        values: returns values per clip for the record's entry ``clips``, which may be None.

    Raises:
        UserError: not a record of the version that it names.
    """
    version = tree["schema_version"]
    try:
        tree = upgraded(tree)
        return _record(tree, values(tree.get("clips")))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{file}: not a record of schema version {version} ({type(error).__name__}: {error}); it was edited or "
            "damaged, run the evaluation again"
        ) from None


def _values(named: dict[str, Any] | None, folder: Path) -> ClipValues:
    """Return the values per clip that a record names, nothing where their file is missing."""
    if named is None:
        return {}
    if not (folder / filenames.CLIP_VALUES).exists():
        _log.info("%s: missing, so the record has no values per clip", folder / filenames.CLIP_VALUES)
        return {}
    return clip_values.read(named, folder)


def _record(tree: dict[str, Any], values: ClipValues) -> RunRecord:
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
