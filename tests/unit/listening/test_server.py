"""The server: lists and answers over HTTP, everything once, nothing that was not asked for."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from listening_client import Client, answer_to, running
from listening_folders import FEW_CHECKS, built

from clipsonic_eval.errors import UserError
from clipsonic_eval.listening import database as databases
from clipsonic_eval.listening.database import ANSWERS, PAYMENT, AnswerDatabase
from clipsonic_eval.listening.folder import ListeningFolder
from clipsonic_eval.listening.server import make_server

pytest.importorskip("pyloudnorm")

NO_SIDES = {**FEW_CHECKS, "side": 0}  # so that "2" answers every rating


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ListeningFolder:
    """A built test of all layouts."""
    protocols = ("mos-fidelity", "mos-relevance", "preference", "mushra-like")
    return built(tmp_path_factory.mktemp("listening"), *protocols, checks={**NO_SIDES, "trap": 0, "gold": 0})


@pytest.fixture
def port(folder: ListeningFolder) -> Iterator[int]:
    """The port of a running server without any answer."""
    for name in (ANSWERS, PAYMENT):
        for path in folder.root.glob(f"{name}*"):
            path.unlink()
    with running(folder, "https://crowd.example/?cc={code}") as server:
        yield server.server_address[1]


@pytest.fixture
def client(port: int, folder: ListeningFolder) -> Client:
    return Client(port, folder.plan.id)


def stored(folder: ListeningFolder, table: str = "answers") -> list[tuple[str, str]]:
    """Return (session, step) of everything in a table, as another program reads it."""
    with sqlite3.connect(folder.root / ANSWERS) as database:
        return list(database.execute(f"SELECT session, step FROM {table}"))


def test_a_whole_list_is_answered_step_by_step_and_then_finished(client: Client, folder: ListeningFolder) -> None:
    found = client.enter()
    assert (found["listener"], found["answered"]) == (0, [])
    for step in found["steps"]:
        assert client.answer(step) == (200, {"stored": "new"})
    assert client.post("/finish") == (200, {"code": "", "link": ""})
    assert stored(folder) == [(client.session, step["id"]) for step in found["steps"]]
    assert client.enter()["answered"] == [step["id"] for step in found["steps"]]


def test_a_list_is_the_one_of_the_plan_and_names_neither_systems_nor_kinds(
    client: Client, folder: ListeningFolder
) -> None:
    found = client.enter()
    owner = {name: condition for (condition, _), name in folder.files.items()}
    trials = folder.plan.trials(found["listener"])
    heard = [[owner[name] for name in step["clips"]] for step in found["steps"] if step["id"].endswith(".0")]
    assert heard == [list(trial.systems) or [trial.kind] for trial in trials]
    assert not {"kind", "systems", "protocol", "expected"} & {name for step in found["steps"] for name in step}


def test_fidelity_is_asked_before_the_query_is_shown(client: Client, folder: ListeningFolder) -> None:
    steps = {step["id"]: step for step in client.enter()["steps"]}
    for trial in folder.plan.trials(0):
        if trial.protocols == ("mos-fidelity", "mos-relevance"):
            assert "text" not in steps[f"{trial.number}.0"]
            assert steps[f"{trial.number}.1"]["text"].startswith("a <b>dog</b>")


def test_listeners_get_lists_of_their_own(port: int, folder: ListeningFolder) -> None:
    numbers = [Client(port, folder.plan.id).enter()["listener"] for _ in range(3)]
    assert numbers == [0, 1, 2]


def test_an_answer_that_is_sent_again_is_stored_once(client: Client, folder: ListeningFolder) -> None:
    message = answer_to(client.enter()["steps"][0])
    assert [client.post("/answer", **message)[1]["stored"] for _ in range(3)] == ["new", "again", "again"]
    assert len(stored(folder)) == 1
    assert stored(folder, "later") == []


def test_the_first_of_two_answers_stands_and_the_other_is_kept_aside(client: Client, folder: ListeningFolder) -> None:
    step = client.enter()["steps"][1]
    assert client.answer(step, "4")[1]["stored"] == "new"
    assert client.answer(step, "1")[1]["stored"] == "later"
    with sqlite3.connect(folder.root / ANSWERS) as database:
        ((text,),) = database.execute("SELECT message FROM answers")
    assert json.loads(text)["answers"] == ["4"]
    assert stored(folder, "later") == [(client.session, step["id"])]


def test_many_tabs_at_once_give_one_answer_to_each_step(port: int, client: Client, folder: ListeningFolder) -> None:
    steps = client.enter()["steps"][:5]
    results: list[str] = []

    def tab() -> None:
        own = Client(port, folder.plan.id, client.session)
        results.extend(own.answer(step)[1]["stored"] for step in steps)

    tabs = [threading.Thread(target=tab) for _ in range(6)]
    for one in tabs:
        one.start()
    for one in tabs:
        one.join()
    assert sorted(stored(folder)) == sorted((client.session, step["id"]) for step in steps)
    assert (results.count("new"), results.count("later")) == (5, 25)


def test_a_session_that_is_begun_twice_at_once_is_one(port: int, folder: ListeningFolder) -> None:
    session = "ab" * 16
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(Client(port, folder.plan.id, session).enter()["listener"]))
        for _ in range(6)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == [0] * 6


@pytest.mark.parametrize(
    ("change", "status", "why"),
    [
        ({"answers": ["6"]}, 400, "no answer to"),
        ({"answers": []}, 400, "takes 1 answers"),
        ({"answers": "4"}, 400, "takes 1 answers"),
        ({"step": "999.0"}, 400, "no step 999"),
        ({"step": "../x"}, 400, "no step"),
        ({"step": 3}, 400, "no step"),
        ({"step": 1.0}, 400, "no step"),
        ({"played": [1.0, 1.0]}, 400, "heard shares"),
        ({"played": ["all"]}, 400, "no number"),
        ({"seconds": -1}, 400, "seconds"),
        ({"id": "short"}, 400, "no id"),
        ({"plan": "other"}, 409, "another test"),
        ({"session": "0" * 32}, 404, "not known"),
        ({"session": "'; DROP TABLE answers"}, 400, "32 hexadecimal"),
        ({"session": None}, 400, "32 hexadecimal"),
    ],
)
def test_what_the_list_does_not_ask_for_is_refused_in_a_sentence(
    client: Client, folder: ListeningFolder, change: dict[str, object], status: int, why: str
) -> None:
    step = client.enter()["steps"][1]
    found, answer = client.answer(step, **change)
    assert (found, why in answer["error"]) == (status, True), answer
    assert stored(folder) == []


@pytest.mark.parametrize(
    "path",
    [
        "/clips/../stimuli.csv",
        "/clips/..%2fstimuli.csv",
        "/../plan.json",
        "/stimuli.csv",
        "/answers.sqlite",
        "/clips/",
        "/clips//etc/passwd",
        "//etc/passwd",
        "/clips/" + "a" * 5000,
    ],
)
def test_nothing_but_the_listed_files_can_be_had(client: Client, path: str) -> None:
    status, body = client.request("GET", path)
    assert status == 404
    assert b"condition" not in body


def test_sounds_are_served_whole_with_their_type(client: Client, folder: ListeningFolder) -> None:
    name = next(iter(folder.files.values()))
    assert client.request("GET", f"/clips/{name}") == (200, folder.path(name).read_bytes())
    assert client.request("HEAD", f"/clips/{name}") == (200, b"")


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=b", 415),
        ({}, b"not json", 400),
        ({}, b"[1]", 400),
        ({}, b'{"a": NaN}', 400),
        ({}, b"[" * 5000, 400),
        ({}, b"\xff\xfe", 400),
        ({}, b"x" * 20000, 413),
    ],
)
def test_bodies_that_are_no_messages_are_refused(
    client: Client, headers: dict[str, str], body: bytes, status: int
) -> None:
    assert client.request("POST", "/answer", body, headers)[0] == status


@pytest.mark.parametrize("length", ["99999999999999999999", "-1", "x", ""])
def test_a_false_length_is_refused_without_reading(port: int, length: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        lines = ["POST /answer HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {length}"]
        connection.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        assert int(connection.recv(1000).split()[1]) in (411, 413)


def test_a_list_is_not_finished_before_every_step_is_answered(client: Client) -> None:
    steps = client.enter()["steps"]
    client.answer(steps[0])
    status, answer = client.post("/finish")
    assert status == 409
    assert f"{len(steps) - 1} questions" in answer["error"]


def finish(client: Client, **crowd: str) -> dict[str, object]:
    for step in client.enter(**crowd)["steps"]:
        client.answer(step)
    return client.post("/finish")[1]


def test_a_crowd_worker_gets_one_list_and_one_code_from_any_browser(port: int, folder: ListeningFolder) -> None:
    first, second, other = (Client(port, folder.plan.id) for _ in range(3))
    code = finish(first, worker="W1")
    assert code == finish(second, worker="W1")
    assert second.session == first.session
    assert other.enter(worker="W2")["listener"] == 1
    assert code["link"] == f"https://crowd.example/?cc={code['code']}"
    assert len(str(code["code"])) == 10


def test_ids_of_a_crowd_platform_lie_apart_from_the_answers(port: int, folder: ListeningFolder) -> None:
    finish(Client(port, folder.plan.id), worker="WORKER-7", submission="SUB-9")
    database = AnswerDatabase(folder.root, folder.plan.id)
    ((_, worker, _, submission, code, _, finished),) = database.payments()
    assert (worker, submission, bool(finished)) == ("WORKER-7", "SUB-9", True)
    everything = b"".join(path.read_bytes() for path in folder.root.glob(f"{ANSWERS}*"))
    assert b"WORKER-7" not in everything
    assert b"SUB-9" not in everything
    assert code.encode() not in everything


def test_a_list_that_was_given_up_is_given_to_the_next_listener(port: int, folder: ListeningFolder) -> None:
    clients = [Client(port, folder.plan.id) for _ in range(3)]
    assert [client.enter()["listener"] for client in clients] == [0, 1, 2]
    with sqlite3.connect(folder.root / ANSWERS) as database:
        database.execute("UPDATE sessions SET last = '2020-01-01T00:00:00+00:00' WHERE number = 1")
    assert Client(port, folder.plan.id).enter()["listener"] == 1
    assert clients[1].enter()["listener"] == 1  # who comes back goes on with his own


def test_a_port_that_is_taken_is_one_sentence(port: int, folder: ListeningFolder) -> None:
    with pytest.raises(UserError, match="choose another --port"):
        make_server(folder, "127.0.0.1", port)


def test_answers_of_another_plan_are_not_added_to(tmp_path: Path) -> None:
    AnswerDatabase(tmp_path, "one")
    with pytest.raises(UserError, match="answers of plan one, not of two"):
        AnswerDatabase(tmp_path, "two")


def test_a_damaged_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ANSWERS).write_bytes(b"no database" * 1000)
    with pytest.raises(UserError, match="cannot be opened"):
        AnswerDatabase(tmp_path, "one")


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "_file_system", lambda folder: "nfs4")
    with pytest.raises(UserError, match="network file system"):
        AnswerDatabase(tmp_path, "one")


def test_an_answer_is_synchronised_before_it_is_acknowledged(tmp_path: Path) -> None:
    AnswerDatabase(tmp_path, "one")
    with databases._transaction(tmp_path / ANSWERS) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
