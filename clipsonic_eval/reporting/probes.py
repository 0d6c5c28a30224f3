"""The table of what conditions know, beside what can be heard: readings of probes and scores of the sound."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.formats import percent
from clipsonic_eval.metric_cards import card_of
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.headings import decimals, heading
from clipsonic_eval.reporting.markup import Column, Text, TextTable
from clipsonic_eval.reporting.tables import NONE, check_columns, first_of_metric, score_text, seed_list, span
from clipsonic_eval.stats.probes import CONSTANT
from clipsonic_eval.types import Score


def readings(gap: RunRecord | None) -> list[Score]:
    """Return the scores of a gap record that are readings of probes: those of metrics that sounds have too."""
    if gap is None:
        return []
    cards = {metric: card_of(metric) for metric in gap.metric_names}
    return [s for s in gap.scores if (card := cards[s.metric]) is not None and card.role != "paired"]


def systems(results: Results) -> list[str]:
    """Return the systems whose conditions were read, in the order of the table, the constant answer last."""
    found = {_system(score.system, results.catalogue) for score in readings(results.gap)}
    names = [style.name for style in results.catalogue.ordered(found - {CONSTANT})]
    return [*names, *([CONSTANT] if CONSTANT in found else [])]


def reading(results: Results, metric: str, system: str) -> Score | None:
    """Return what a probe reads from the condition of a system, None if it read nothing."""
    for score in readings(results.gap):
        if score.metric == metric and _system(score.system, results.catalogue) == system:
            return score
    return None


def _system(side: str, catalogue: Catalogue) -> str:
    """Return the system whose condition is a side of the gap: of images, or of texts."""
    return dict(catalogue.sides).get(side, side)


def table(results: Results, *, label: str = "tab:probes") -> TextTable:
    """Return the table: systems in rows; for each metric a column for the condition and one for the sound.

    Raises:
        UserError: the signatures of the readings of one metric are not comparable.
    """
    found = readings(results.gap)
    check_columns(found)
    metrics = list(first_of_metric(found))
    seeds = max(len(score.by_seed) for score in found)
    columns = [Column("System", text=_name)]
    for metric, first in first_of_metric(found).items():
        columns.append(Column(f"{heading(first)} in the condition", text=partial(_read, results, metric)))
        columns.append(Column("in the sound", text=partial(_heard, results, metric)))
    columns.append(Column("n", text=partial(_n, results, metrics)))
    return TextTable(
        caption=(
            "What a probe reads from the condition of the test queries, and what can be heard in the sound that was "
            "made from it. The probe is a kernel ridge regression from image embeddings of frames of training videos "
            f"to what they show. In brackets: {percent(found[0].ci_level)} interval over test clips"
            + (f"; ± standard deviation over {seeds} training seeds" if seeds > 1 else "")
            + f". {CONSTANT}: the answer that needs no condition."
        ),
        cells=markup.cells(columns, {"": systems(results)}),
        notes=tuple(f"{heading(s)}: {markup.code(s.signature)}" for s in first_of_metric(found).values()),
        label=label,
    )


def to_csv(results: Results) -> str:
    """Return the table as CSV: one row per system, metric and place."""
    rows: list[tuple[str, str, Score]] = []
    for metric in first_of_metric(readings(results.gap)):
        for system in systems(results):
            places = {"condition": reading(results, metric, system), "sound": results.table.score(metric, system)}
            rows += [(system, place, score) for place, score in places.items() if score is not None]
    columns = [
        Column(csv_name="system", value=lambda r: r[0]),
        Column(csv_name="metric", value=lambda r: r[2].metric),
        Column(csv_name="place", value=lambda r: r[1]),
        Column(csv_name="value", value=lambda r: r[2].value),
        Column(csv_name="ci_low", value=lambda r: r[2].ci and r[2].ci[0]),
        Column(csv_name="ci_high", value=lambda r: r[2].ci and r[2].ci[1]),
        Column(csv_name="ci_method", value=lambda r: r[2].ci_method),
        Column(csv_name="n", value=lambda r: r[2].n),
        Column(csv_name="seed_std", value=lambda r: r[2].seed_std),
        Column(csv_name="seed_values", value=lambda r: seed_list(r[2].by_seed)),
        Column(csv_name="signature", value=lambda r: r[2].signature),
    ]
    return markup.csv(columns, rows)


def _name(system: str) -> Text:
    return Text(system)


def _read(results: Results, metric: str, system: str) -> Text:
    return _cell(reading(results, metric, system))


def _heard(results: Results, metric: str, system: str) -> Text:
    return _cell(results.table.score(metric, system))


def _cell(score: Score | None) -> Text:
    return NONE if score is None else score_text(score, decimals(score.metric))


def _n(results: Results, metrics: Sequence[str], system: str) -> Text:
    found = [reading(results, metric, system) for metric in metrics]
    return Text(span(score.n for score in found if score is not None))
