"""The record of a run: scores, comparisons, configuration and provenance in one JSON file.

Tables, figures, the page and the gate read records and nothing else, so a report can be remade anywhere.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipsonic_eval import atomic
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import UserError
from clipsonic_eval.types import Finding, Score, Skip

SCHEMA_VERSION = 1
RECORD_NAME = "record.json"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired test of two systems on the same queries.

    Attributes:
        difference: value of ``a`` minus value of ``b``, in the metric's unit.
        ci: interval of the difference.
        p_value: two-sided.
        p_holm: the same after Holm's correction over the family of this record.
        effect_size: standardised difference of the paired values, NaN-free; None where the metric has no clip values.
        test: how it was made, e.g. ``paired-permutation-10000``.
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
    effect_size: float | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything that one run of ``evaluate`` or ``gap`` found.

    Attributes:
        kind: ``evaluate`` or ``gap``.
        scores: one per metric and system.
        comparisons: paired tests between systems.
        systems: by name, the card of what was scored (kind, weights, config hash, guidance, seeds, ...).
        skipped: what was left out, by system or set.
        findings: what looks wrong, by system.
        tags: what tells this run from its neighbours in a study, e.g. ``{"train_seed": "0", "split": "test",
            "guidance": "2", "instrument": "toy-clip"}``.
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
    schema_version: int = SCHEMA_VERSION

    def score(self, metric: str, system: str) -> Score | None:
        """Return one score, or None if the run has none of that name."""
        return next((s for s in self.scores if s.metric == metric and s.system == system), None)


def write(record: RunRecord, folder: Path) -> Path:
    """Write ``folder/record.json`` atomically and return its path."""
    path = folder / RECORD_NAME
    atomic.write_json(path, as_tree(record))
    return path


def read(path: Path) -> RunRecord:
    """Read a record from a run folder or from the JSON file itself.

    Raises:
        UserError: there is none, it is no JSON, or its schema is of another version.
    """
    file = path / RECORD_NAME if path.is_dir() else path
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no {RECORD_NAME} here; give a folder that `evaluate` or `gap` wrote") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise UserError(f"{file}: not readable as JSON; the run that wrote it did not finish, run it again") from None
    version = tree.get("schema_version") if isinstance(tree, dict) else None
    if version != SCHEMA_VERSION:
        raise UserError(f"{file}: schema version {version}, but this release reads {SCHEMA_VERSION}; evaluate again")
    tree["scores"] = tuple(_score(s) for s in tree["scores"])
    tree["comparisons"] = tuple(
        Comparison(**{**c, "ci": tuple(c["ci"]) if c["ci"] else None}) for c in tree["comparisons"]
    )
    tree["skipped"] = {k: tuple(Skip(**s) for s in v) for k, v in tree["skipped"].items()}
    tree["findings"] = {
        k: tuple(Finding(**{**f, "keys": tuple(f["keys"])}) for f in v) for k, v in tree.get("findings", {}).items()
    }
    known = {f.name for f in dataclasses.fields(RunRecord)}
    return RunRecord(**{k: v for k, v in tree.items() if k in known})


def _score(tree: dict[str, Any]) -> Score:
    interval = tuple(tree["ci"]) if tree["ci"] else None
    return Score(**{**tree, "ci": interval, "skipped": tuple(Skip(**s) for s in tree["skipped"])})
