"""Training curves: loss and held-out loss over the steps, from the logs that `train` writes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import Catalogue, SystemStyle
from clipsonic_eval.analysis.training_logs import LogRow
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.figures import style

Logs = Mapping[str, Sequence[LogRow]]


def draw(logs: Logs, catalogue: Catalogue) -> tuple[Figure, str]:
    """Return the figure, a panel for each of the two losses and a line per model, and its caption.

    Args:
        logs: rows by the name of the model, as :func:`clipsonic_eval.analysis.training_logs.read` gives them.
        catalogue: which system's colour a model has; others take one by their names.
    """
    losses = {"loss": "loss", "val_loss": "held-out loss"}
    shown = {key: name for key, name in losses.items() if any(_points(rows, key) for rows in logs.values())}
    looks = _looks(logs, catalogue)
    figure = style.figure(2 if len(shown) > 1 else 1, 2.2)
    axes = figure.subplots(1, len(shown), squeeze=False, sharex=True, sharey=True)[0]
    for axis, (key, name) in zip(axes, shown.items(), strict=True):
        for i, (model, rows) in enumerate(logs.items()):
            entry, points = looks[model], _points(rows, key)
            look: dict[str, Any] = {
                "color": entry.colour,
                "marker": entry.marker,
                "linestyle": style.dash(entry.marker),
            }
            if points:
                every = max(1, len(points) // 6)
                look["markevery"] = (i % every, every)  # lines that cover each other show their marks in turn
                axis.plot(*zip(*points, strict=True), markersize=3, linewidth=1.0, label=model, **look)
        axis.set_yscale("log")
        axis.set_xlabel("steps")
        axis.set_ylabel(name)
        axis.grid(visible=True)
    style.round_ticks(axes[0].yaxis)
    style.legend(figure, axes)
    return figure, (
        "Training: loss, a mean over the steps since the last row of the log, and loss on held-out clips, over the "
        f"steps ({len(logs)} {'model' if len(logs) == 1 else 'models'}). Losses of different models compare only where "
        "their parametrisations and weightings agree."
    )


def _looks(logs: Logs, catalogue: Catalogue) -> dict[str, SystemStyle]:
    """Return the colour and the marker of each model: those of its system, unless several models are of that system."""
    systems = {entry.name for entry in catalogue.systems}
    found = {model: dict(catalogue.models).get(model.rpartition("/")[2], "") for model in logs}
    own = {m: name for m, name in found.items() if name in systems and list(found.values()).count(name) == 1}
    known = [replace(catalogue.style(name), name=model, group="") for model, name in own.items()]
    completed = Catalogue(systems=tuple(known), groups=("",)).completed(logs)
    return {model: completed.style(model) for model in logs}


def _points(rows: Sequence[LogRow], key: str) -> list[tuple[float, float]]:
    found = ((row.step, row.loss if key == "loss" else row.val_loss) for row in rows)
    return [(step, loss) for step, loss in found if loss is not None and math.isfinite(loss)]


def to_csv(logs: Logs) -> str:
    """Return the losses as CSV, one row per model and row of its log."""
    rows = [(model, *row) for model, several in logs.items() for row in several]
    return markup.plain_csv(("model", "step", "loss", "val_loss"), rows)
