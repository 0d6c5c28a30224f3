"""The page of ratios: which machine, how quiet it was, and the fastest reference package over ours."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.paired_loops import ratio
from numpy.typing import NDArray

from clipsonic_eval import bfloat16, provenance, threads
from clipsonic_eval.formats import markdown_table

QUIET = 0.5  # load average up to which a machine counts as quiet
COMMAND = "python -m tox run -e benchmarks -- tests/benchmarks --ratios reports/benchmarks/README.md"
Row = tuple[str, str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where times were taken.

    Attributes:
        processor: model.
        cores: that this process may use.
        load: average over the minute before the first benchmark; None: the system does not tell.
        bf16: whether the processor has instructions for bfloat16.
    """

    processor: str
    cores: int
    load: float | None
    bf16: bool

    @classmethod
    def here(cls) -> Machine:
        """Look at this machine, before anything is timed."""
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        return cls(str(provenance.collect()["processor"]), threads.cores(), load, bfloat16.is_native("cpu"))

    @property
    def sentence(self) -> str:
        """What the page says of it."""
        bf16 = "computes bf16 itself" if self.bf16 else "only emulates bf16, so that its ratios say what that costs"
        text = f"{self.processor}, {self.cores} cores, of which one thread is used; it {bf16}."
        if self.load is None:
            return f"{text} Whether it was quiet is not known."
        if self.load <= QUIET:
            return f"{text} Quiet machine: load average {self.load:.2f} at the start."
        return (
            f"{text} **Not a quiet machine: load average {self.load:.2f} at the start.** Ratios of memory-bound work "
            "fall beside other work; take these for a rough guide, and measure again."
        )


def rows(group: str, times: Mapping[str, float], notes: Mapping[str, str], machine: Machine) -> list[Row]:
    """Return the rows of a group: each of ours beside the fastest reference package, if there is one.

    Args:
        group: what is timed.
        times: seconds by name; ours begin with ``ours``.
        notes: by name.
        machine: every ratio belongs to one.
    """
    packages = {who: seconds for who, seconds in times.items() if not who.startswith("ours")}
    best = min(packages, key=packages.__getitem__) if packages else ""
    theirs = f"{packages[best] * 1e3:.4g} ms" if best else ""
    found = []
    for who, seconds in times.items():
        if who.startswith("ours"):
            ratio = f"{packages[best] / seconds:.3g}x on {machine.processor}" if best else ""
            found.append((group, who, f"{seconds * 1e3:.4g} ms", best, theirs, ratio, notes.get(who, "")))
    return found


def paired_rows(group: str, seconds: Mapping[str, NDArray[np.float64]], machine: Machine, note: str = "") -> list[Row]:
    """Return the rows of loops that took turns: ours beside each of the others, medians and the rounds' ratio.

    Args:
        group: what is timed.
        seconds: of processor time, (rounds,) by name; ours is the first.
        machine: every ratio belongs to one.
        note: what else is to be said.
    """
    (who, ours), *others = seconds.items()
    times = {name: f"{np.median(values) * 1e3:.4g} ms" for name, values in seconds.items()}
    how = f"processor time, median of {len(ours)} rounds in turns; 95 % interval of the ratio over rounds"
    note = f"{how}; {note}" if note else how
    return [
        (group, who, times[who], name, times[name], f"{ratio(values, ours)} on {machine.processor}", note)
        for name, values in others
    ]


def page(found: Sequence[Row], machine: Machine) -> str:
    """Return the report as Markdown."""
    lines = [
        "# How fast, beside the packages that the field uses",
        "",
        f"`{COMMAND}`: best of a few rounds, embeddings in memory and moments included, the accurate path always; the "
        "fastest reference package over ours. Times of single clips are per clip. Loops that take turns have "
        "one row for each of the others.",
        "",
        machine.sentence,
        "",
        markdown_table(
            ("what", "which of ours", "time", "fastest package", "its time", "times faster", ""), found
        ).rstrip(),
    ]
    return "\n".join(lines) + "\n"
