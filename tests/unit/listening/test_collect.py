"""Answers of databases and files as one list: everything once, what is left out by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from listening_client import Client, answer_to, running
from listening_folders import built

from clipsonic_eval.listening import answers
from clipsonic_eval.listening.collect import collect, write_payment
from clipsonic_eval.listening.folder import ListeningFolder
from clipsonic_eval.listening.sessions import listener_of, steps

pytest.importorskip("pyloudnorm")


@pytest.fixture
def folder(tmp_path: Path) -> ListeningFolder:
    return built(tmp_path, "mos-fidelity", "mos-relevance", "mushra-like")


def value(step: dict[str, Any], folder: ListeningFolder) -> str:
    """An answer on the scale of a step, also of the check of sides."""
    owner = {name: condition for (condition, _), name in folder.files.items()}
    return "left" if owner[step["clips"][0]] == "side" else "2"


def saved(path: Path, folder: ListeningFolder, number: int, session: str, /, **changes: Any) -> dict[str, Any]:
    """Write the file that the page without a server saves; return what it holds."""
    plan = folder.plan.id
    messages = [
        {**answer_to(step, value(step, folder)), "plan": plan, "session": session} for step in steps(folder, number)
    ]
    tree = {"plan": plan, "session": session, "listener": number, "answers": messages, **changes}
    path.write_text(json.dumps(tree))
    return tree


def test_answers_of_the_server_become_rows_that_read_back(folder: ListeningFolder, tmp_path: Path) -> None:
    with running(folder) as server:
        client = Client(server.server_address[1], folder.plan.id)
        for step in client.enter()["steps"]:
            assert client.answer(step, value(step, folder))[0] == 200
        found, skipped = collect(folder, [])  # while the server runs
    assert skipped == []
    expected = sum(
        len(trial.systems) if trial.protocols == ("mushra-like",) else len(trial.protocols)
        for trial in folder.plan.trials(0)
    )
    assert len(found) == expected
    assert {one.listener for one in found} == {listener_of(client.session)}
    assert {(one.seconds, one.played) for one in found} == {(3.25, 1.0)}
    answers.write(tmp_path / "answers.csv", found)
    again, left_out = answers.read(tmp_path / "answers.csv", folder.plan)
    assert (sorted(again), left_out) == (sorted(found), [])


def test_each_slider_is_an_answer_of_the_system_that_it_stood_beside(folder: ListeningFolder, tmp_path: Path) -> None:
    saved(tmp_path / "a.json", folder, 0, "a" * 32)
    found, _ = collect(folder, [tmp_path / "a.json"])
    for trial in folder.plan.trials(0):
        if trial.protocols == ("mushra-like",):
            own = {one.systems[0]: one.answer for one in found if one.trial == trial.number}
            assert own == {system: str(10 * place) for place, system in enumerate(trial.systems)}


def test_files_of_listeners_are_merged_with_the_database(folder: ListeningFolder, tmp_path: Path) -> None:
    received = tmp_path / "received"
    received.mkdir()
    saved(received / "one.json", folder, 1, "a" * 32)
    saved(received / "two.json", folder, 1, "b" * 32)  # the same list, another person
    with running(folder) as server:
        client = Client(server.server_address[1], folder.plan.id)
        client.answer(client.enter()["steps"][0])
    found, skipped = collect(folder, [received])
    assert skipped == []
    assert {(one.listener, one.number) for one in found} == {
        (listener_of("a" * 32), 1), (listener_of("b" * 32), 1), (listener_of(client.session), 0),
    }  # fmt: skip


def test_a_file_that_comes_twice_counts_once_and_is_listed(folder: ListeningFolder, tmp_path: Path) -> None:
    tree = saved(tmp_path / "a.json", folder, 0, "a" * 32)
    (tmp_path / "b.json").write_text(json.dumps(tree))
    found, skipped = collect(folder, [tmp_path / "a.json", tmp_path / "b.json"])
    assert len(skipped) == len(tree["answers"])
    assert "a second answer, the same as in a.json" in skipped[0].reason
    assert found == collect(folder, [tmp_path / "a.json"])[0]


def test_the_earlier_of_two_different_answers_stands(folder: ListeningFolder, tmp_path: Path) -> None:
    tree = saved(tmp_path / "a.json", folder, 0, "a" * 32)
    place = next(i for i, step in enumerate(steps(folder, 0)) if step["id"] == "3.0")
    earlier = {**tree["answers"][place], "answers": ["5"], "clock": "2025-12-31T12:00:00.000Z", "id": "c" * 32}
    (tmp_path / "b.json").write_text(json.dumps({**tree, "answers": [earlier]}))
    found, skipped = collect(folder, [tmp_path / "a.json", tmp_path / "b.json"])
    assert [one.answer for one in found if one.trial == 3 and one.protocol == "mos-fidelity"] == ["5"]
    assert [skip.reason for skip in skipped if "another one as in b.json" in skip.reason]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"plan": "other"}, "answers of plan other"),
        ({"session": "x"}, "was the file edited"),
        ({"listener": -1}, "was the file edited"),
        ({"answers": {}}, "no answers of a listening test"),
        ({"answers": [{"step": "0.0"}]}, "without the time"),
    ],
)
def test_files_that_are_not_of_this_test_are_left_out_by_name(
    folder: ListeningFolder, tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    saved(tmp_path / "good.json", folder, 0, "a" * 32)
    saved(tmp_path / "odd.json", folder, 0, "b" * 32, **change)
    (tmp_path / "text.json").write_text("hello")
    found, skipped = collect(folder, [tmp_path / name for name in ("good.json", "odd.json", "text.json", "none.json")])
    assert {one.listener for one in found} == {listener_of("a" * 32)}
    assert [skip.key for skip in skipped] == ["odd.json", "text.json", "none.json"]
    assert why in skipped[0].reason


def test_answers_that_the_list_does_not_ask_for_are_left_out(folder: ListeningFolder, tmp_path: Path) -> None:
    tree = saved(tmp_path / "a.json", folder, 0, "a" * 32)
    tree["answers"][2]["answers"] = ["9"]
    tree["answers"][3]["step"] = "77.0"
    (tmp_path / "a.json").write_text(json.dumps(tree))
    _, skipped = collect(folder, [tmp_path / "a.json"])
    assert len(skipped) == 2
    assert "no step 77.0" in " ".join(skip.reason for skip in skipped)


def test_payments_are_a_table_without_answers(folder: ListeningFolder, tmp_path: Path) -> None:
    with running(folder) as server:
        Client(server.server_address[1], folder.plan.id).enter(worker="W1")
    assert write_payment(folder, tmp_path / "payment.csv") == 1
    header, row = (tmp_path / "payment.csv").read_text().splitlines()
    assert header == "platform,worker,study,submission,code,began,finished"
    assert row.startswith("prolific,W1,s,x,")
    assert row.endswith(",")  # not finished yet
