"""Tables of webMUSHRA become answers that are analysed like ours, and ours become tables of webMUSHRA."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from listening_plans import RATINGS, plan, simulated

from clipsonic_eval.errors import UserError
from clipsonic_eval.listening import analysis, opinions, webmushra
from clipsonic_eval.listening.answers import Answer
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.trials import SessionPart
from clipsonic_eval.types import Skip

SLIDERS = SessionPart(("mushra-like",), 6)
HEAD = ["session_test_id", "email", "age", "session_uuid", "trial_id"]
MUSHRA = [*HEAD, "rating_stimulus", "rating_score", "rating_time", "rating_comment"]


class Read(NamedTuple):
    """What is read of a table."""

    plan: ListeningPlan
    answers: list[Answer]
    skipped: list[Skip]


def read(path: Path, protocols: Sequence[str] = ()) -> Read:
    return Read(*webmushra.read(path, protocols))


def table(path: Path, heads: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([heads, *rows])
    return path


def sliders(path: Path, listeners: int = 6, reference: int = 100) -> Path:
    """A table as service/write.php writes it: two systems, the hidden reference and both anchors, five pages."""
    level = {"C1": 70, "C2": 50, "reference": reference, "anchor35": 20, "anchor70": 40}
    rows: list[list[object]] = [
        [
            "study",
            f"x{i}@example.org",
            "30",
            f"uuid-{i}",
            f"trial{page}",
            name,
            score + (3 * i + 5 * page) % 7 - 6,
            12500,
            "",
        ]
        for i in range(listeners)
        for page in range(5)
        for name, score in level.items()
    ]
    return table(path, MUSHRA, rows)


def test_sliders_are_read_with_controls_apart_and_listeners_without_their_addresses(tmp_path: Path) -> None:
    found = read(sliders(tmp_path / "mushra.csv"))
    assert found.skipped == []
    assert found.plan.systems == ("C1", "C2")
    assert [query.key for query in found.plan.queries] == [f"trial{i}" for i in range(5)]
    assert len(found.answers) == 6 * 5 * 5
    assert {one.systems[0] for one in found.answers} == {"C1", "C2", "reference", "anchor-3.5kHz", "anchor-7kHz"}
    assert {one.seconds for one in found.answers} == {12.5}
    assert len({one.listener for one in found.answers}) == 6
    assert not any("x0" in one.listener or "uuid" in one.listener for one in found.answers)


def test_they_are_analysed_with_the_rule_of_bs_1534_and_a_signature_of_their_own(tmp_path: Path) -> None:
    found = read(sliders(tmp_path / "mushra.csv"))
    result = analysis.analyse(found.plan, found.answers, n_boot=100)
    assert {check.rule for check in result.checks} == {"gold_right", "least_answered"}
    assert {s.system for s in result.record.scores} == {"C1", "C2", "real", "anchor-3.5kHz", "anchor-7kHz"}
    (compared,) = result.record.comparisons
    assert (compared.a, compared.b) == ("C1", "C2")
    assert compared.difference == pytest.approx(20)
    head = result.record["C1", "mushra-like"].signature
    assert head.startswith("mushra-like|num:1|run-by:webMUSHRA:study|test:")
    assert "loudness" not in head


def test_who_does_not_find_the_hidden_reference_is_excluded(tmp_path: Path) -> None:
    found = read(sliders(tmp_path / "mushra.csv", reference=80))
    with pytest.raises(UserError, match=r"every listener broke a rule of the plan \(gold_right\)"):
        analysis.analyse(found.plan, found.answers, n_boot=100)


def test_the_same_table_gives_the_same_test_and_more_listeners_do_not_change_it(tmp_path: Path) -> None:
    few, many = (read(sliders(tmp_path / f"{n}.csv", n)) for n in (4, 8))
    assert few.answers == read(sliders(tmp_path / "again.csv", 4)).answers
    assert (
        opinions.head(few.plan, "mushra-like", "all").split("test:")[0]
        == opinions.head(many.plan, "mushra-like", "all").split("test:")[0]
    )


def test_rows_that_are_no_ratings_are_left_out_by_line(tmp_path: Path) -> None:
    path = sliders(tmp_path / "mushra.csv", 2)
    lines = path.read_text().splitlines()
    lines += [lines[1], lines[2].replace(",12500,", ",soon,").replace("uuid-0", "uuid-9")]
    lines += [lines[3].replace("reference,", "reference,1000").replace("uuid-0", "uuid-9")]
    path.write_text("\n".join(lines) + "\n")
    reasons = {skip.key: skip.reason for skip in read(path).skipped}
    assert set(reasons) == {"line-52", "line-53", "line-54"}
    assert "the first stands" in reasons["line-52"]
    assert "'soon' is no number" in reasons["line-53"]
    assert "is no answer to mushra-like" in reasons["line-54"]


def likert(path: Path, scales: int = 2, who: str = "email") -> Path:
    heads = ["session_test_id", *([who] if who else []), "trial_id"]
    heads += ["stimuli_rating"] if scales == 1 else [f"stimuli_rating{i + 1}" for i in range(scales)]
    rows: list[list[object]] = [
        ["study", *([f"x{i}"] if who else []), f"p{page}", *[str(1 + (i + page + place) % 5)] * scales, name, 4000]
        for i in range(4)
        for page in range(6)
        for place, name in enumerate(("C1", "C2"))
    ]
    return table(path, [*heads, "stimuli", "rating_time"], rows)


def test_ratings_of_single_sounds_are_read_by_the_protocols_that_their_scales_asked(tmp_path: Path) -> None:
    found = read(likert(tmp_path / "lss.csv"), ["mos-relevance", "mos-fidelity"])
    assert list(found.plan.protocols) == ["mos-relevance", "mos-fidelity"]
    assert len(found.answers) == 4 * 6 * 2 * 2
    result = analysis.analyse(found.plan, found.answers, n_boot=100)
    assert set(result.record.metric_names) == {"mos-relevance", "mos-fidelity"}


@pytest.mark.parametrize(
    ("made", "protocols", "why"),
    [
        (likert, ["mos-fidelity"], "its 2 scales .* do not say what they asked; give --protocol"),
        (lambda path: likert(path, 1), ["mushra-like"], "give --protocol mos-fidelity or mos-relevance"),
        (lambda path: likert(path, 1, who=""), ["mos-fidelity"], "no column tells the listeners apart"),
        (lambda path: table(path, ["a", "trial_id"], [[1, 2]]), [], "not mushra.csv or lss.csv of webMUSHRA"),
        (lambda path: table(path, MUSHRA, [["a", *"bcdefghi"], ["b", *"bcdefghi"]]), [], "results of 2 tests"),
        (
            lambda path: table(path, MUSHRA, [["a", *"bcdefg1i"]]),
            [],
            "no row can be used; the first: .*'g' is no answer",
        ),
    ],
)
def test_what_is_no_table_of_webmushra_is_refused(made: object, protocols: list[str], why: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=why):
        read(made(tmp_path / "table.csv"), protocols)  # type: ignore[operator]


def values(answers: list[Answer]) -> set[tuple[str, str, str, str]]:
    return {(one.query, one.systems[0], one.protocol, one.answer) for one in answers if one.kind == "rated"}


def test_our_answers_come_back_through_webmushras_columns(tmp_path: Path) -> None:
    made = plan(3, 12, RATINGS, SLIDERS)
    answers = simulated(made, 4)
    written = webmushra.write(made, answers, tmp_path)
    assert [path.name for path in written] == ["mushra.csv", "lss.csv"]
    assert written[0].read_text().splitlines()[0] == ",".join([*HEAD[:1], *HEAD[3:], *MUSHRA[5:]])
    assert ",anchor35," in written[0].read_text()
    back = [*read(written[0]).answers, *read(written[1], RATINGS.protocols).answers]
    assert values(back) == values(answers)
    assert len(back) == sum(one.kind == "rated" for one in answers)


def test_pairs_have_no_table_there(tmp_path: Path) -> None:
    made = plan(3, 12, SessionPart(("preference",), 6))
    assert webmushra.write(made, simulated(made, 2), tmp_path) == []
