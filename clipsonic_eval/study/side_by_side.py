"""Stages side by side: each in a process of its own with one thread, as many at a time as the machine has cores.

Trainings and samplings of the study are small networks, which one core serves better than two: two trainings side by
side take the time of one. A process per stage gives its memory back, and one that is killed is known by its stage.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final, NamedTuple

from clipsonic_eval import lifetime, threads
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT, Bars, Progress
from clipsonic_eval.study.stage import Stage

_PRELOADED: Final = [  # once, instead of some seconds in every stage
    "scipy.linalg",
    "clipsonic_eval.harness.evaluate",
    "clipsonic.training.audio",
    "clipsonic.networks.unet2d",
    "diffusers.models.transformers.prior_transformer",
    "paired_tta.systems",
]
_PATIENCE_S: Final = 5.0  # for a process to end when it is told to


class _Running(NamedTuple):
    stage: Stage
    process: BaseProcess
    answer: Connection


def run(stages: Sequence[Stage], limit: int, announce: Callable[[str], int], progress: Progress) -> float:
    """Run stages, each as soon as those it needs are complete.

    Args:
        stages: not complete yet; of those that could start, the first does.
        limit: processes at a time.
        announce: shows the label of a stage that begins; returns its number.
        progress: if it shows bars, every process has a line of its own.

    Returns:
        Upper bound of the memory that the processes had together, MiB: largest on each line, summed.

    Raises:
        UserError: of a stage, or its process was killed. The other processes are ended.
    """
    context = _context()
    lock = context.RLock()
    waiting, running = list(stages), dict[int, _Running]()
    peaks = [0.0] * limit
    try:
        while waiting or running:
            for stage in _ready(waiting, running)[: limit - len(running)]:
                waiting.remove(stage)
                line = min(set(range(limit)) - running.keys())
                number = announce(stage.label)
                bars = Bars(line, f"[{number}] ") if isinstance(progress, Bars) else SILENT
                running[line] = _start(context, stage, bars, lock)
            if not running:
                raise ValueError(f"stages wait for each other: {[stage.label for stage in waiting]}")
            ended = wait([one.answer for one in running.values()])
            for line in [line for line, one in running.items() if one.answer in ended]:
                peaks[line] = max(peaks[line], _result(running.pop(line)))
    finally:
        for one in running.values():
            _end(one.process)
    return sum(peaks)


def _context() -> Any:
    """Return how processes start: from a server that has imported torch once, where the system has that."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def _ready(waiting: Sequence[Stage], running: dict[int, _Running]) -> list[Stage]:
    missing = {stage.folder for stage in (*waiting, *(one.stage for one in running.values()))}
    return [stage for stage in waiting if missing.isdisjoint(stage.after)]


def _start(context: Any, stage: Stage, progress: Progress, lock: Any) -> _Running:
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(stage, progress, lock, sending), name=stage.label)
    process.start()
    sending.close()  # so that its end is seen here when the process is gone
    return _Running(stage, process, receiving)


def _serve(stage: Stage, progress: Progress, lock: Any, answer: Connection) -> None:
    """Run a stage in this process, and answer with its peak memory in MiB or with its error."""
    from tqdm import tqdm

    threads.keep_one()
    tqdm.set_lock(lock)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to answer: it ends this one
    lifetime.end_with_parent()
    try:
        stage.run(progress)
        answer.send(peak_mib(resource.RUSAGE_SELF))
    except UserError as error:
        answer.send(error)
    except OSError as error:  # of the machine, such as a full disk: one sentence, without a traceback
        answer.send(OSError(error.errno, f"{stage.label}: {error.strerror or error}", error.filename))
    except Exception as error:  # whatever it is, the main process reports it
        answer.send(RuntimeError(f"{stage.label}: {error!r}\n{traceback.format_exc()}"))


def _result(one: _Running) -> float:
    """Return the peak memory of a process that answered or ended, MiB.

    Raises:
        UserError: it was killed, or its stage failed.
        OSError: the machine could not do what its stage asked for.
        RuntimeError: its stage failed by a fault of ours; the text has the traceback.
    """
    try:
        answer = one.answer.recv()
    except EOFError:
        one.process.join(_PATIENCE_S)
        code = one.process.exitcode
        why = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        raise UserError(
            f"{one.stage.folder}: the process of the stage '{one.stage.label}' ended without a result ({why}: killed, "
            "or out of memory); run the same command again to continue"
        ) from None
    finally:
        one.answer.close()
    one.process.join(_PATIENCE_S)
    if isinstance(answer, Exception):
        raise answer
    return float(answer)


def _end(process: BaseProcess) -> None:
    process.terminate()
    process.join(_PATIENCE_S)
    if process.exitcode is None:
        process.kill()
        process.join()


def peak_mib(who: int) -> float:
    """Return the peak memory of this process or the largest of its children (``resource.RUSAGE_*``), MiB."""
    scale = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss is in bytes there, in KiB elsewhere
    return resource.getrusage(who).ru_maxrss / scale
