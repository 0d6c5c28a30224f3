"""The table of a sweep over CLIP variants: gains between systems against the width of the modality gap."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from clipsonic_eval.analysis.catalogue import Pair
from clipsonic_eval.formats import interval, number
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.headings import decimals, title
from clipsonic_eval.reporting.markup import Column, Text, TextTable
from clipsonic_eval.reporting.tables import NONE, seed_list
from clipsonic_eval.types import Score

Sweep = Sequence[tuple[Score, RunRecord]]  # centroid distance and record of each CLIP variant, by the distance
_Row = tuple[Score, RunRecord, str]  # with a metric


def variant(record: RunRecord) -> str:
    """Return the name of the CLIP variant that a record of the sweep is about."""
    return record.tags["clip_variant"]


def compared(sweep: Sweep, pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs that were compared on any variant, in their order."""
    found = {(c.a, c.b) for _, record in sweep for c in record.comparisons}
    return [pair for pair in pairs if pair in found]


def metrics(sweep: Sweep) -> list[str]:
    """Return the metrics that have comparisons, in the order of the records."""
    tested = {c.metric for _, record in sweep for c in record.comparisons}
    return [m for m in dict.fromkeys(s.metric for _, record in sweep for s in record.scores) if m in tested]


def columns(sweep: Sweep, pairs: Sequence[Pair]) -> list[Column]:
    """Return the columns: a row of the table is a variant and a metric, a row of the CSV file one comparison."""
    return [
        Column("CLIP variant", "clip_variant", value=lambda r: variant(r[1]), text=lambda r: Text(variant(r[1]))),
        Column("Centroid distance", "centroid_distance", value=lambda r: r[0].value, text=_distance),
        Column(csv_name="centroid_distance_low", value=lambda r: r[0].ci and r[0].ci[0]),
        Column(csv_name="centroid_distance_high", value=lambda r: r[0].ci and r[0].ci[1]),
        *(Column(f"{a} over {b}", text=partial(_gain, a, b)) for a, b in compared(sweep, pairs)),
        Column(csv_name="metric", value=lambda r: r[2].metric),
        Column(csv_name="a", value=lambda r: r[2].a),
        Column(csv_name="b", value=lambda r: r[2].b),
        Column(csv_name="gain", value=lambda r: r[2].gain),
        Column(csv_name="gain_low", value=lambda r: r[2].gain_ci and r[2].gain_ci[0]),
        Column(csv_name="gain_high", value=lambda r: r[2].gain_ci and r[2].gain_ci[1]),
        Column(csv_name="p", value=lambda r: r[2].p_value),
        Column(csv_name="p_holm", value=lambda r: r[2].p_holm),
        Column(csv_name="n", value=lambda r: r[2].n),
        Column(csv_name="seed_differences", value=lambda r: seed_list(r[2].by_seed)),
    ]


def table(sweep: Sweep, pairs: Sequence[Pair], *, label: str = "tab:clip-variants") -> TextTable:
    """Return the gains on each CLIP variant: a row per variant, a section per metric."""
    sections = {title(m): [(distance, record, m) for distance, record in sweep] for m in metrics(sweep)}
    return TextTable(
        caption=(
            "Gain of the first system over the second (positive: the first is better, whatever the metric's direction; "
            "95 % interval over test queries in brackets) per CLIP variant, ordered by the centroid distance of text "
            "and image. Bold: significant at 0.05 after Holm's correction within the CLIP variant."
        ),
        cells=markup.cells(columns(sweep, pairs), sections),
        label=label,
    )


def to_csv(sweep: Sweep, pairs: Sequence[Pair]) -> str:
    """Return the sweep as CSV, one row per CLIP variant, metric and pair."""
    rows = [(distance, record, c) for distance, record in sweep for c in record.comparisons]
    return markup.csv(columns(sweep, pairs), rows)


def _distance(row: _Row) -> Text:
    return Text(number(row[0].value, 3), small=interval(row[0].ci, 3))


def _gain(a: str, b: str, row: _Row) -> Text:
    _, record, metric = row
    found = record.comparison(metric, a, b)
    if found is None:
        return NONE
    places = decimals(metric)
    return Text(number(found.gain, places, sign=True), found.significant, interval(found.gain_ci, places))
