"""``clipsonic-eval ls``: every kind is listed, one line for a person and one entry for a program."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main
from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.datasets import DATASETS
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.systems import SYSTEMS

KINDS = {"encoders": ENCODERS, "metrics": METRICS, "conventions": CONVENTIONS, "datasets": DATASETS, "systems": SYSTEMS}


def ls(*words: str) -> str:
    done = CliRunner().invoke(main, ["ls", *words])
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_lists_what_is_registered_with_a_description(kind: str) -> None:
    found = json.loads(ls(kind, "--json"))
    assert set(KINDS[kind]) <= set(found)
    assert all(text.strip() for text in found.values())


@pytest.mark.parametrize("kind", KINDS)
def test_the_lines_for_a_person_say_what_the_json_says(kind: str) -> None:
    said = " ".join(ls(kind).split())
    for name, text in json.loads(ls(kind, "--json")).items():
        assert " ".join(f"{name} {text}".split()) in said


def test_without_a_kind_all_kinds_are_listed_under_their_names() -> None:
    heads = [line for line in ls().splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert heads == [f"{kind}:" for kind in KINDS]
    assert json.loads(ls("--json")) == {kind: json.loads(ls(kind, "--json")) for kind in KINDS}


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_metric_is_described_in_words_with_unit_direction_and_source(name: str) -> None:
    card = METRICS[name].card
    assert not re.search(r"\b[a-z0-9]+:[a-z0-9]", card.description)  # a field of its signature
    assert "|" not in card.description.replace("||", "")  # KL(p || q)
    line = json.loads(ls("metrics", "--json"))[name]
    assert line.startswith(f"{card.title}: {card.description} ({card.unit}, ")
    assert ("higher is better" in line) is card.higher_is_better
    assert card.source in line


def test_what_a_prior_closes_says_of_which_gap() -> None:
    descriptions = {name: METRICS[name].card.description for name in METRICS if name.startswith("gap_closed")}
    assert descriptions == {
        "gap_closed": "share of 1 - matched cosine between image and text that a prior closes",
        "gap_closed_centred": "share of 1 - centred matched cosine between image and text that a prior closes",
        "gap_closed_centroid": "share of the centroid distance between image and text that a prior closes",
    }


def test_systems_are_those_with_generate_and_not_their_bases() -> None:
    found = json.loads(ls("systems", "--json"))
    assert {"clipsonic.systems:ZeroShot", "clipsonic.systems:PriorGuided"} <= set(found)
    assert not {name for name in found if name.rpartition(":")[2] in ("System", "Conditioned")}
