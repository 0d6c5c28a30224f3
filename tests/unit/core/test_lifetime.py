"""Processes that work for another one end with it, even if it is killed: nothing is left that works on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

POOL = """
from clipsonic_eval.engines import in_processes
import time
def work(part):
    print("go", flush=True)
    if part:
        time.sleep(60)
        print("slept", flush=True)
if __name__ == "__main__":
    list(in_processes(work, [0, 1], 2))
"""
LAUNCHER = """
import os, subprocess, sys
child = "import time; from clipsonic_eval.lifetime import end_with_torchrun as end; end(); print('go', flush=True)"
child += "; time.sleep(60); print('slept')"
subprocess.run([sys.executable, "-c", child], env={**os.environ, "TORCHELASTIC_RUN_ID": "none"})
"""


@pytest.mark.parametrize(("source", "begun"), [(POOL, 2), (LAUNCHER, 1)], ids=["pool", "torchrun"])
def test_what_a_killed_process_started_ends(source: str, begun: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    script = tmp_path_factory.mktemp("script") / "main.py"
    script.write_text(source)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(begun)] == [b"go\n"] * begun
        process.kill()
        assert process.stdout.read() == b""  # to the end of the last process that could write
