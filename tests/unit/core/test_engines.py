"""Parts of a large job in processes and on Ray (a small one in its place; tests/reference has the real one)."""

from __future__ import annotations

import os
from typing import Any

import pytest
from fake_ray import FakeRay, in_its_place, installed

from clipsonic_eval import engines
from clipsonic_eval.errors import ConfigError, UserError


def double(part: int) -> int:
    if part == 13:
        raise UserError("13.mp4: brings bad luck")
    if part == 99:
        os._exit(1)
    return 2 * part


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_PAUSE_S", 0.0)


def test_every_part_is_answered_and_few_are_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = installed(monkeypatch)
    answers = dict(engines.on_ray(double, range(10, 13), cpus=1))
    assert answers == {10: 20, 11: 22, 12: 24}
    assert dict(engines.on_ray(double, (i for i in range(100, 300)), cpus=2)) == {i: 2 * i for i in range(100, 300)}
    assert ray.most_in_flight <= 4
    assert ray.down


def test_ray_itself_retries_nothing_and_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = installed(monkeypatch, cpus=4.0, gpus=1.0)
    list(engines.on_ray(double, [1], cpus=3, gpus=0.5))
    assert ray.options == {"num_cpus": 3, "num_gpus": 0.5, "max_retries": 0}
    assert ray.settings["address"] == "local"
    assert ray.settings["object_store_memory"] <= 100 * 2**20
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_tasks_that_never_fit_into_this_machine_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, cpus=2.0)
    with pytest.raises(UserError, match="a task asks for 3 CPU, and this machine has 2; set RAY_ADDRESS"):
        list(engines.on_ray(double, [1], cpus=3))
    with pytest.raises(UserError, match="a task asks for 1 GPU, and this machine has 0"):
        list(engines.on_ray(double, [1], gpus=1.0))


@pytest.mark.parametrize(
    ("engine", "device", "gpus", "words"),
    [
        ("ray", "cuda", 0.0, "say how much of a GPU a task gets"),
        ("ray", "cuda", 1.5, "a share of one GPU, or a whole number"),
        ("local", "cuda", 1.0, "is for engine ray; leave it out"),
    ],
)
def test_shares_of_a_gpu_that_nothing_could_use_are_refused(engine: Any, device: str, gpus: float, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        engines.check_gpus(engine, device, gpus)


def test_the_cluster_is_the_one_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = installed(monkeypatch)
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    list(engines.on_ray(double, [1]))
    assert ray.settings["address"] == "head:6379"
    assert "num_cpus" not in ray.settings  # only who starts a cluster may size it
    monkeypatch.setenv("RAY_ADDRESS", "ray-head:1")
    with pytest.raises(UserError, match=r"no cluster at RAY_ADDRESS=ray-head:1 \(ConnectionError: nobody answers"):
        list(engines.on_ray(double, [1]))


def test_a_node_that_does_not_start_in_time_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = installed(monkeypatch)

    def init(**_: Any) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(UserError, match=r"this machine \(Exception: The current node timed out .*run the same command"):
        list(engines.on_ray(double, [1]))


def test_a_part_that_loses_its_worker_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = installed(monkeypatch, lose=lambda part, attempt: part == 2 and attempt < 5)
    assert dict(engines.on_ray(double, range(6))) == {i: 2 * i for i in range(6)}
    assert ray.attempts.count(2) == 5


def test_what_was_lost_waits_twice_as_long_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_PAUSE_S", 1.0)
    now = [100.0]
    monkeypatch.setattr(engines.time, "monotonic", lambda: now[0])
    again = engines._Again()
    assert not again.wait()
    for pause in (2.0, 4.0, 8.0, 16.0):
        again.add("shard 3", RuntimeError("gone"))
        now[0] += pause - 0.1
        assert again.due(9) == []
        now[0] += 0.2
        assert again.due(0) == []
        assert again.due(9) == ["shard 3"]
    again.add("shard 3", RuntimeError("gone"))
    assert again.lost == ["shard 3 (RuntimeError: gone)"]


def test_a_part_that_is_lost_five_times_is_named_after_the_others_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = installed(monkeypatch, lose=lambda part, attempt: part == 2)
    answers = {}
    with pytest.raises(UserError, match=r"^2 \(RayError: The node was lost\.\): the worker was lost 5 times"):
        answers.update(engines.on_ray(double, range(6)))
    assert ray.attempts.count(2) == 5
    assert set(ray.attempts) == set(range(6))


def test_an_error_of_the_work_ends_the_job_and_cancels_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = installed(monkeypatch)
    with pytest.raises(UserError, match=r"^13\.mp4: brings bad luck$"):
        list(engines.on_ray(double, [1, 2, 3, 13, 4, 5, 6, 7]))
    assert ray.cancelled
    assert ray.down


def test_a_lost_connection_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = installed(monkeypatch)
    ray.node_is_lost = True
    with pytest.raises(
        UserError, match=r"connection to the cluster is lost \(LocalRayletDiedError: The local raylet died\.\); run"
    ):
        list(engines.on_ray(double, [1]))


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    in_its_place(monkeypatch, None)
    with pytest.raises(UserError, match=r"pip install 'clipsonic-eval\[ray\]'"):
        list(engines.on_ray(double, [1]))


def test_processes_answer_in_order_and_a_killed_one_is_a_sentence() -> None:
    assert list(engines.in_processes(double, [3, 1, 2], 1)) == [(3, 6), (1, 2), (2, 4)]
    assert list(engines.in_processes(abs, [-3, -1, -2], 2)) == [(-3, 3), (-1, 1), (-2, 2)]
    with pytest.raises(UserError, match="one of the processes was killed"):
        list(engines.in_processes(os._exit, [1, 1], 2))


def test_the_number_of_parts_in_flight_follows_the_cluster() -> None:
    room = engines._room
    assert room(FakeRay(cpus=8), 2.0, 0.0) == 8
    assert room(FakeRay(cpus=1), 4.0, 0.0) == 2  # something waits, so that an autoscaler sees it
    assert room(FakeRay(cpus=8), 1.0, 1.0) == 2
