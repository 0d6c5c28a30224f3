"""A Ray cluster of two nodes on this machine, and the processes of it that can be killed."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SETTINGS = {  # read by Ray's processes when they start
    "RAY_worker_niceness": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
_NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


@contextlib.contextmanager
def cluster() -> Iterator[Any]:
    """Yield a cluster of a head and a second node with one core each, to which ``RAY_ADDRESS`` leads."""
    os.environ.update(SETTINGS)
    from ray.cluster_utils import Cluster

    two = Cluster(initialize_head=True, head_node_args={**_NODE, "include_dashboard": False})
    two.add_node(**_NODE)
    os.environ["RAY_ADDRESS"] = two.address
    try:
        yield two
    finally:
        os.environ.pop("RAY_ADDRESS")
        two.shutdown()


def workers(two: Any) -> list[int]:
    """Return the processes that run tasks, by the nodes that started them."""
    names = ("ray::build", "ray::IDLE")  # not the agents of the nodes: without them a node ends itself
    return [pid for pid, parent, name in _processes() if name.startswith(names) and parent in raylets(two)]


def raylets(two: Any) -> list[int]:
    """Return the processes of the nodes, the head's first."""
    return [node.all_processes["raylet"][0].process.pid for node in two.list_all_nodes() if node.all_processes]


def kill(pid: int) -> None:
    """Kill a process of the cluster as the kernel would."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _processes() -> Iterator[tuple[int, int, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                name = (folder / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                yield int(folder.name), parent, name
