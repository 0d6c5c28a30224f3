"""The plan: frozen, identified by its contents, and the source of every listener's list."""

from __future__ import annotations

import collections
import json
from pathlib import Path

import pytest
from listening_plans import RATINGS, plan

from clipsonic_eval.errors import UserError
from clipsonic_eval.listening.plan import ListeningPlan, read
from clipsonic_eval.listening.protocols import NOISE, PROTOCOLS
from clipsonic_eval.listening.trials import GOLD, PRACTICE, RATED, REPEAT, TRAP, SessionPart

PAIRS, SLIDERS = SessionPart(("preference",), 12), SessionPart(("mushra-like",), 6)


def of_kind(made: ListeningPlan, kind: str, number: int = 0) -> list[tuple[str, tuple[str, ...]]]:
    return [(t.query, t.systems) for t in made.trials(number) if t.kind == kind]


def test_a_plan_reads_back_as_it_was_written_also_from_another_folder(tmp_path: Path) -> None:
    made = plan(3, 24, RATINGS, PAIRS, SLIDERS, seed=5)
    made.write(tmp_path / "a" / "plan.json")
    again = read(tmp_path / "a")
    assert again == made
    assert [again.trials(i) for i in range(5)] == [made.trials(i) for i in range(5)]


def test_a_plan_that_was_edited_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    plan().write(path)
    tree = json.loads(path.read_text())
    tree["rules"]["trap_right"] = 0.0
    path.write_text(json.dumps(tree))
    with pytest.raises(UserError, match="changed after it was made"):
        read(path)


@pytest.mark.parametrize("text", ["[]", "{}", '{"id": "x", "parts": 3, "schema": 1}'])
def test_what_is_no_plan_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"plan\.json: not "):
        read(path)


def test_paths_do_not_enter_the_id_and_contents_do() -> None:
    made = plan()
    moved = {
        name: {key: type(s)(Path("/else") / s.path.name, s.sha256) for key, s in own.items()}
        for name, own in made.sounds.items()
    }
    same = ListeningPlan("text", made.parts, made.systems, made.queries, moved)
    assert same.id == made.id
    assert len({made.id, plan(seed=1).id, plan(4).id, plan(3, 24, PAIRS).id, plan(reference=False).id}) == 5


def test_fidelity_is_asked_before_the_query_is_shown() -> None:
    assert not PROTOCOLS["mos-fidelity"].query_shown
    assert all(t.protocols == ("mos-fidelity", "mos-relevance") for t in plan().trials(0) if t.kind == RATED)


def test_a_session_holds_the_checks_that_the_plan_names() -> None:
    made = plan(3, 24, RATINGS, PAIRS)
    counts = collections.Counter(t.kind for t in made.trials(4))
    assert counts == {
        "headphones": 6, "side": 2, PRACTICE: 4, RATED: 24, TRAP: 2, GOLD: 4, REPEAT: 4,
    }  # fmt: skip
    assert [t.number for t in made.trials(4)] == list(range(len(made.trials(4))))


def test_repeats_come_at_least_half_a_list_later_and_name_their_original() -> None:
    made = plan(3, 60, SessionPart(("mos-fidelity",), 30))
    for number in range(20):
        trials = made.trials(number)
        for trial in trials:
            if trial.kind == REPEAT:
                original = trials[trial.repeats]
                assert original.kind == RATED
                assert (original.query, original.systems) == (trial.query, trial.systems)
                assert sum(t.kind == RATED for t in trials[trial.repeats : trial.number]) >= 15


def test_practice_uses_queries_that_the_listener_does_not_rate() -> None:
    made = plan(3, 48)
    for number in range(8):
        rated = {query for query, _ in of_kind(made, RATED, number)}
        assert not rated & {query for query, _ in of_kind(made, PRACTICE, number)}


def test_known_answers_are_the_real_recording_and_noise() -> None:
    gold = [t for i in range(10) for t in plan(3, 24, RATINGS, PAIRS).trials(i) if t.kind == GOLD]
    assert {t.expected for t in gold if t.systems == (NOISE,)} == {"1"}
    assert {t.expected for t in gold if t.systems == ("reference",)} == {"5"}
    assert {t.systems[t.expected == "right"] for t in gold if len(t.systems) == 2} == {"reference"}


def test_without_real_recordings_noise_is_the_only_known_answer() -> None:
    made = plan(reference=False)
    assert {t.systems for t in made.trials(0) if t.kind == GOLD} == {(NOISE,)}
    assert made.conditions() == ("S0", "S1", "S2", NOISE)


def test_sliders_show_all_systems_the_hidden_recording_and_both_anchors_in_changing_order() -> None:
    made = plan(2, 12, SLIDERS)
    rows = [systems for i in range(10) for _, systems in of_kind(made, RATED, i)]
    assert all(set(row) == {"S0", "S1", "reference", "anchor-3.5kHz", "anchor-shuffled"} for row in rows)
    first = collections.Counter(row[0] for row in rows)
    assert max(first.values()) - min(first.values()) <= 2


def test_the_shuffled_anchor_is_the_recording_of_another_query() -> None:
    made = plan(2, 4, SLIDERS)
    found = [made.sources("anchor-shuffled", q.key) for q in made.queries]
    assert [s.sha256 for s in found if s] == [f"reference-q{i:03d}" for i in (1, 2, 3, 0)]
    assert made.sources("anchor-3.5kHz", "q001") == made.sources("reference", "q001")
    assert made.sources(NOISE, "q001") is None


def test_every_sound_of_a_list_is_among_the_stimuli() -> None:
    made = plan(3, 8, RATINGS, PAIRS, SLIDERS)
    heard = {(system, t.query) for i in range(30) for t in made.trials(i) for system in t.systems}
    assert heard <= set(made.stimuli())


@pytest.mark.parametrize(("systems", "queries"), [(1, 1), (2, 1), (1, 4), (20, 4), (9, 2)])
def test_small_tests_have_lists_too(systems: int, queries: int) -> None:
    parts = [RATINGS, *([PAIRS] if systems > 1 else []), *([SLIDERS] if systems < 10 else [])]
    made = plan(systems, queries, *parts)
    assert all(made.trials(i) for i in range(5))
