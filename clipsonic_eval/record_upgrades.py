"""Versions of the schema of run records, and how a record of each becomes one of the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def upgrade_1_to_2(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a record of version 1 in the schema of version 2.

    Version 1 did not count clips, and its signatures had no numerics versions: everything computed then is version 1.
    ``findings`` were added late in version 1, so some of its records have none.
    """
    scores = [{**score, "signature": _with_numerics(score["signature"])} for score in tree["scores"]]
    return {"findings": {}, **tree, "scores": scores, "sets": {}, "schema_version": 2}


def _with_numerics(signature: str) -> str:
    metric, *fields = signature.split("|")
    of_encoder = ["encnum:1", "loadnum:1"] if "/" in metric else ["encnum:1"]  # metric/tool: a convention
    return "|".join([metric, "num:1", *(p for f in fields for p in (f, *(of_encoder if f.startswith("enc:") else ())))])


def upgrade_2_to_3(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a record of version 2 in the schema of version 3.

    The tag ``instrument`` became ``clip_variant``, and ``per_item`` of a score, where an old record still holds it,
    ``per_clip``. A comparison takes the direction of its metric from the scores.
    """
    tags = {"clip_variant" if name == "instrument" else name: value for name, value in tree["tags"].items()}
    scores = [{("per_clip" if k == "per_item" else k): v for k, v in score.items()} for score in tree["scores"]]
    higher = {score["metric"]: score["higher_is_better"] for score in scores}
    comparisons = [{**c, "higher_is_better": higher[c["metric"]]} for c in tree["comparisons"]]
    return {**tree, "tags": tags, "scores": scores, "comparisons": comparisons, "schema_version": 3}


UPGRADES: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: upgrade_1_to_2, 2: upgrade_2_to_3}
SCHEMA_VERSION = 1 + max(UPGRADES)  # that records are written in


def upgraded(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a record of any older version in the newest schema, version by version; the input is not changed."""
    while tree["schema_version"] < SCHEMA_VERSION:
        tree = UPGRADES[tree["schema_version"]](tree)
    return tree
