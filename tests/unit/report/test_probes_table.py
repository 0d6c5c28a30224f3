"""The table and the sentences of what conditions know, beside what can be heard."""

from __future__ import annotations

import csv
import dataclasses
import io

import pytest
from unit.report.synthetic import gap_record, results_of, score, simple

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import markup, page, probes
from clipsonic_eval.reporting.report_tables import render_tables
from clipsonic_eval.reporting.statements import probes as statements
from clipsonic_eval.study.catalogue import CLIPSONIC

KNOWN = {"image": 0.99, "text": 0.9, "PD": 0.98, "constant": 0.08}
HEARD = {"IQ": 0.9, "ZS": 0.7, "PD": 0.88}


def gap(seed: int, **more: object) -> RunRecord:
    """A gap record with readings of class and count; those of the prior move with the seed."""
    base = gap_record({"clip_variant": "toy-clip", "train_seed": str(seed)})
    moved = {name: value - (0.02 * seed if name == "PD" else 0) for name, value in KNOWN.items()}
    read = [
        score("class_accuracy", name, value, signature="class_accuracy|enc:probe|n:480")
        for name, value in moved.items()
    ]
    read += [score("count_accuracy", name, value / 2, **more) for name, value in moved.items()]
    return dataclasses.replace(base, scores=(*base.scores, *read))


def study(*seeds: int, **more: object) -> Results:
    heard = [
        simple(
            {("class_accuracy", name): value for name, value in HEARD.items()},
            clip_variant="toy-clip",
            train_seed=str(s),
        )
        for s in seeds
    ]
    return results_of(*heard, *(gap(s, **more) for s in seeds), catalogue=CLIPSONIC)


def rows(found: Results) -> list[str]:
    return [line for line in markup.markdown(probes.table(found)).splitlines() if line.startswith("| ")]


def test_a_row_has_what_the_condition_knows_beside_what_is_heard() -> None:
    found = rows(study(0))
    assert found[0] == (
        "| System | Class accuracy ↑ in the condition | in the sound | Count accuracy ↑ in the condition | "
        "in the sound | n |"
    )
    names = [row.split("|")[1].strip() for row in found[1:]]
    assert names == ["IQ", "PD", "ZS", "constant"]  # image and text under the systems whose conditions they are
    assert found[1].split("|")[2].startswith(" 0.990 [")
    assert found[1].split("|")[3].startswith(" 0.900 [")
    assert found[-1].split("|")[3].strip() == "–"  # nothing is made from no condition
    assert all(row.split("|")[5].strip() == "–" for row in found[1:])  # count was not heard


def test_readings_are_pooled_over_training_seeds() -> None:
    found = rows(study(0, 1))
    assert "0.970 ± 0.014" in found[2]
    assert "over 2 training seeds" in probes.table(study(0, 1)).caption


def test_the_csv_has_a_row_for_each_place_with_interval_and_signature() -> None:
    found = list(csv.DictReader(io.StringIO(probes.to_csv(study(0)))))
    places = [(row["system"], row["place"]) for row in found if row["metric"] == "class_accuracy"]
    assert places == [(s, p) for s in ("IQ", "PD", "ZS") for p in ("condition", "sound")] + [("constant", "condition")]
    assert all(row["ci_low"] and row["signature"] and row["n"] == "480" for row in found)


def test_sentences_say_what_is_read_what_is_heard_and_what_needs_no_condition() -> None:
    first, second = statements.read(study(0))
    assert first == (
        "Class accuracy: from the condition a probe reads 0.990 for IQ, 0.980 for PD and 0.900 for ZS, without one "
        "0.080; the class accuracy of the sounds is 0.900 for IQ, 0.880 for PD and 0.700 for ZS."
    )
    assert second.endswith("without one 0.040.")


def test_the_page_has_the_table_under_its_question() -> None:
    found = study(0)
    tables, _ = render_tables(found)
    text = page.readme(found, tables, {}, title="T", command="", left_out=[])
    section = text.split("## What does the condition know?")[1].split("##")[0]
    assert "from the condition a probe reads" in section
    assert "[csv](probes.csv)" in section


def test_a_gap_without_readings_has_neither_table_nor_sentences() -> None:
    found = results_of(gap_record({}), catalogue=CLIPSONIC)
    assert probes.readings(found.gap) == []
    assert statements.read(found) == []
    assert "probes" not in render_tables(found)[0]
    assert probes.readings(None) == []


def test_without_a_study_the_sides_keep_their_names() -> None:
    found = results_of(gap(0), catalogue=Catalogue())
    assert set(probes.systems(found)) == {"image", "text", "PD", "constant"}


def test_readings_of_two_probes_may_not_stand_in_one_column() -> None:
    one = gap(0)
    other = [dataclasses.replace(s, signature="class_accuracy|enc:other|n:480") for s in one.scores[-8:-7]]
    mixed = dataclasses.replace(one, scores=(*(s for s in one.scores if s is not one.scores[-8]), *other))
    with pytest.raises(UserError, match="were not computed in the same way"):
        probes.table(results_of(mixed, catalogue=CLIPSONIC))
