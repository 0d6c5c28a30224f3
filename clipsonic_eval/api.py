"""What ``import clipsonic_eval as ce`` offers beside the metrics: evaluate, embed, explain, modality_gap, report.

Strings are taken for paths, a single item for a list of one, and nothing is written unless ``out`` names a folder.
Everything returns an object that a notebook shows as a table. The functions of the metrics are in
:mod:`clipsonic_eval.metric_functions`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from clipsonic_eval._arguments import (
    StrPath,
    are_embeddings,
    as_dict,
    as_folder,
    as_names,
    as_pairs,
    as_path,
    as_paths,
    as_progress,
    as_systems,
    for_folders_only,
    is_path,
    require_encoder,
    require_files,
    warn_of_faults,
    warn_of_skipped,
)
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Embeddings, Skip

if TYPE_CHECKING:
    from pandas import DataFrame

    from clipsonic_eval.analysis.catalogue import Catalogue


def evaluate(
    systems: Mapping[str, StrPath | ArrayLike | Embeddings] | Sequence[StrPath] | StrPath,
    reference: StrPath | ArrayLike | Embeddings | None = None,
    *,
    prompts: StrPath | ArrayLike | Embeddings | None = None,
    real: StrPath | ArrayLike | Embeddings | None = None,
    training: StrPath | None = None,
    metrics: Sequence[str] | str = (),
    encoders: Mapping[str, str | Encoder | None] | None = None,
    weights: Mapping[str, StrPath] | None = None,
    controls: Sequence[str] | str = (),
    baselines: Sequence[str] | str = (),
    compare: bool = True,
    n_bootstrap: int = 2000,
    n_permutations: int = 10000,
    seed: int = 0,
    tags: Mapping[str, str] | None = None,
    device: str = "cpu",
    cache: StrPath | None = None,
    progress: bool = False,
    out: StrPath | None = None,
    overwrite: bool = False,
) -> RunRecord:
    """Score systems on the same queries: every metric with an interval, every pair of systems with a paired test.

    Args:
        systems: folder of ``<key>.wav`` by name of the system; folders without names are called as the folders are.
            Or, by name, (n, d) arrays or :class:`~clipsonic_eval.types.Embeddings`, row i of each the same query; then
            ``reference``, ``prompts`` and ``real`` are such arrays too, and ``metrics`` are named.
        reference: real audio to compare with: a folder of media files, prepared clips, or stored statistics (``.npz``).
        prompts: table with the columns ``key``, ``prompt``, perhaps ``label``; None: the systems' own ``samples.csv``.
        real: the queries' own audio by key, scored as a system named ``real``.
        training: what the systems were trained on; outputs that copy a training clip are reported.
        metrics: names (:func:`list_metrics`) or conventions (``fad/fadtk``); none: all default ones that can be made.
        encoders: encoder by role (``audio``, ``audio_text``, ``classifier``): a name (:func:`list_encoders`), an
            encoder object, or None to leave out the metrics of the role. The default ones know the toy world only.
        weights: weight files by role, where an encoder's are not in their default place.
        controls: ``shuffled`` (real audio under other queries' prompts), ``noise``, ``halves`` (of the reference).
        baselines: systems that every other one is compared with; none: all pairs are compared.
        compare: False: no paired tests.
        n_bootstrap: resamples of the clips for the intervals.
        n_permutations: of the paired tests.
        seed: of the resamples, the permutations and the controls.
        tags: written into the record, e.g. ``{"split": "test"}``.
        device: of the encoders, ``cpu`` or ``cuda``.
        cache: folder of the embedding cache; None: the user's.
        progress: show bars.
        out: folder for the record, csv files and spectrograms; None: nothing is written.
        overwrite: replace another run in ``out``.

    Returns:
        The record: ``run.table()``, ``run.to_frame()``, ``run["PD", "fad"]``, ``run.comparisons_frame()``.

    Raises:
        UserError: a folder or table is missing or empty, or a metric named here cannot be computed.

    Example:
        >>> import clipsonic_eval as ce
        >>> run = ce.evaluate({"PD": "wavs/PD", "ZS": "wavs/ZS"}, reference="real/", metrics=["fad", "kad"])
        >>> run
        RunRecord(evaluate: 2 systems, 2 metrics, 2 comparisons...)
        >>> float(run["PD", "fad"]) < float(run["ZS", "fad"])
        True
        >>> run.table().columns.tolist()
        ['fad ↓', 'kad ↓', 'n']
        >>> run.comparisons_frame()[["metric", "a", "b", "n"]].values.tolist()
        [['fad', 'PD', 'ZS', 24], ['kad', 'PD', 'ZS', 24]]

        With embeddings instead of folders:

        >>> import numpy as np
        >>> real, near, far = np.random.default_rng(0).standard_normal((3, 60, 4)) + [[[0]], [[0.2]], [[1]]]
        >>> run = ce.evaluate({"near": near, "far": far}, reference=real, metrics=["fad", "kid"])
        >>> float(run["near", "fad"]) < float(run["far", "fad"])
        True
    """
    from clipsonic_eval.harness.evaluate import EvaluateConfig
    from clipsonic_eval.harness.evaluate import evaluate as evaluate_
    from clipsonic_eval.harness.evaluate_embeddings import evaluate_embeddings

    if are_embeddings(systems):
        sets: dict[str, Any] = {"reference": reference, "prompts": prompts, "real": real}
        for_folders_only(training=training, encoders=encoders, weights=weights, controls=controls, out=out)
        return evaluate_embeddings(
            systems,
            as_names(metrics),
            **sets,
            baselines=as_names(baselines),
            compare=compare,
            n_boot=n_bootstrap,
            n_permutations=n_permutations,
            seed=seed,
            tags=as_dict(tags, "tags"),
        )
    chosen = as_dict(encoders, "encoders")
    in_memory = {role: one for role, one in chosen.items() if one is not None and not isinstance(one, str)}
    named = {role: one for role, one in chosen.items() if one is None or isinstance(one, str)}
    for one in in_memory.values():
        require_encoder(one)
    config = EvaluateConfig(
        systems=as_systems(systems),
        reference=as_path(reference),
        prompts=as_path(prompts),
        real=as_path(real),
        training=as_path(training),
        encoders=named,
        weights=as_paths(weights),
        metrics=as_names(metrics),
        controls=as_names(controls),  # type: ignore[arg-type]
        baselines=as_names(baselines),
        compare=compare,
        n_bootstrap=n_bootstrap,
        n_permutations=n_permutations,
        seed=seed,
        tags=as_dict(tags, "tags"),
        device=device,
        cache=as_path(cache),
    )
    record = evaluate_(config, as_path(out), progress=as_progress(progress), encoders=in_memory, overwrite=overwrite)
    warn_of_faults(record)
    return record


def embed(
    folder: StrPath,
    encoder: str | Encoder,
    *,
    weights: StrPath | None = None,
    device: str = "cpu",
    cache: StrPath | None = None,
    progress: bool = False,
) -> Embeddings:
    """Embed a folder of audio, to compute several metrics on it or to look at the vectors.

    Args:
        folder: of media files, a system's ``<key>.wav``, or prepared clips.
        encoder: a name (:func:`list_encoders`), a convention (``fad/fadtk``), or an encoder object.
        weights: weight file, where it is not in the encoder's default place.
        device: ``cpu`` or ``cuda``.
        cache: folder of the embedding cache; None: the user's.
        progress: show a bar.

    Returns:
        Embeddings: ``vectors`` (n, d) float32 and ``keys`` (n,), clips sorted by key.

    Raises:
        UserError: the folder, the encoder or its weights are missing, or no file in the folder is usable.

    Example:
        >>> import clipsonic_eval as ce
        >>> real = ce.embed("real/", "toy-audio")
        >>> real.modality, len(real.keys) == len(real.vectors)
        ('audio', True)
    """
    from clipsonic_eval.harness.embed_folder import embed_folder

    require_encoder(encoder, weights)
    skipped: list[Skip] = []
    path = as_folder(folder)
    embedded = embed_folder(
        path,
        encoder,
        skipped=skipped,
        weights=as_path(weights),
        device=device,
        cache=as_path(cache),
        progress=as_progress(progress),
    )
    warn_of_skipped(path, skipped, stacklevel=3)
    return embedded


def modality_gap(
    image: ArrayLike | Embeddings | StrPath,
    text: ArrayLike | Embeddings | StrPath | None = None,
    *,
    prior: Mapping[str, ArrayLike | Embeddings | StrPath] | None = None,
    encoder: str | Encoder | None = None,
    weights: StrPath | None = None,
    mean_shift: bool = True,
    n_bootstrap: int = 2000,
    seed: int = 0,
    device: str = "cpu",
    cache: StrPath | None = None,
) -> RunRecord:
    """Measure the modality gap between paired embeddings, and how much of it a prior closes.

    Args:
        image: (n, d) image embeddings (or audio embeddings, in an audio-text space); or prepared clips with image
            embeddings, a folder of ``<key>.wav``, or a file with the arrays ``image`` and ``text``.
        text: (n, d) text embeddings, row i (or the same key) belongs to row i of ``image``; for a folder, a table with
            the columns ``key`` and ``prompt``, None: the prompts that it brings.
        prior: by name, (n, d) embeddings that a model (a diffusion prior) predicts from the text, in the image's place;
            for a folder, files with the arrays ``keys`` and ``vectors``.
        encoder: of the prompts (and of the wavs) of a folder: a name or an encoder object.
        weights: its weight file, where it is not in its default place.
        mean_shift: also score the text embeddings moved by the difference of the centroids, the baseline of a prior.
        n_bootstrap: resamples of the pairs.
        seed: of the resamples.
        device: of the encoder, ``cpu`` or ``cuda``.
        cache: folder of the embedding cache; None: the user's.

    Returns:
        A record with a system for each condition: ``text``, each prior, ``mean-shift``. Its metrics include
        ``centroid_distance``, ``matched_cosine``, ``recall_at_1_to_image`` and ``gap_closed``.

    Raises:
        UserError: an argument is no (n, d) array, the sets differ in d, fewer than five pairs have common keys, or a
            folder, table or encoder is missing.

    Source: W. Liang et al., Mind the Gap, NeurIPS 2022 (centroid distance).

    Example:
        >>> import clipsonic_eval as ce
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> image = rng.standard_normal((200, 16)) + 1
        >>> text = image + 0.5 * rng.standard_normal((200, 16)) - 2
        >>> run = ce.modality_gap(image, text)
        >>> run["text", "separability"].value > 0.95
        True
        >>> run["mean-shift", "gap_closed_centroid"].value > 0.9
        True
    """
    from clipsonic_eval.harness.gap import gap, measure_gap
    from clipsonic_eval.harness.gap_config import Features, GapConfig

    priors = as_dict(prior, "prior")
    if encoder is not None:
        require_encoder(encoder, weights)
    config = GapConfig(
        source=Path(image) if is_path(image) else Path("array"),
        prompts=Path(text) if is_path(image) and is_path(text) else None,
        encoder=encoder if isinstance(encoder, str) else None,
        weights=as_path(weights),
        prior={name: Path(file) for name, file in priors.items() if is_path(file)},
        mean_shift=mean_shift,
        n_bootstrap=n_bootstrap,
        seed=seed,
        device=device,
        cache=as_path(cache),
    )
    if not is_path(image):
        return measure_gap(Features(*as_pairs(image, text, priors)), config, None)
    require_files(text, priors)
    record = gap(config, None, encoder=None if isinstance(encoder, str) else encoder)
    warn_of_faults(record)
    return record


def explain(
    systems: Mapping[str, StrPath] | Sequence[StrPath] | StrPath,
    *,
    start: str,
    to: Sequence[str] | str,
    reference: StrPath | None = None,
    prompts: StrPath | None = None,
    real: StrPath | None = None,
    weights: Mapping[str, StrPath] | None = None,
    encoders: Mapping[str, Encoder] | None = None,
    n_bootstrap: int = 200,
    seed: int = 0,
    device: str = "cpu",
    cache: StrPath | None = None,
    progress: bool = False,
) -> DataFrame:
    """Compute every step between two conventions of a metric on the same clips: which step moves the number?

    Args:
        systems: folder of ``<key>.wav`` by name of the system.
        start: convention to begin with, e.g. ``fad/clipsonic-eval`` (:func:`list_conventions`).
        to: conventions to arrive at, e.g. ``fad/fadtk``.
        reference: folder of real audio.
        prompts: table with the columns ``key`` and ``prompt``.
        real: the queries' own audio by key.
        weights: weight files by encoder, where they are not in their default place.
        encoders: encoder objects by name, where they are in memory already.
        n_bootstrap: resamples of the clips.
        seed: of the resamples.
        device: ``cpu`` or ``cuda``.
        cache: folder of the embedding cache; None: the user's.
        progress: show bars.

    Returns:
        A row per step and system: ``to``, ``step`` (what changes), ``system``, ``value``, ``low``, ``high``, ``change``
        (from the step before).

    Raises:
        UserError: a convention, a folder or the weights of an encoder are missing.

    Example:
        >>> import clipsonic_eval as ce
        >>> small = ce.ENCODERS["toy-audio"]()  # stands in for VGGish, whose weights are your download
        >>> ce.explain("wavs/PD", reference="real/", start="fad/clipsonic-eval", to="fad/frechet-audio-distance",
        ...         encoders={"vggish": small, "vggish-exact": small})["step"].tolist()
        ['start', 'encoder: vggish → vggish-exact']
    """
    from clipsonic_eval.harness.explain import ExplainConfig, steps_frame
    from clipsonic_eval.harness.explain import explain as explain_

    config = ExplainConfig(
        systems=as_systems(systems),
        to=as_names(to),
        start=start,
        reference=as_path(reference),
        prompts=as_path(prompts),
        real=as_path(real),
        weights=as_paths(weights),
        n_bootstrap=n_bootstrap,
        seed=seed,
        device=device,
        cache=as_path(cache),
    )
    steps = explain_(config, None, progress=as_progress(progress), encoders=encoders)
    return steps_frame(steps)


def report(
    runs: Iterable[RunRecord | StrPath] | RunRecord | StrPath,
    out: StrPath,
    *,
    catalogue: Catalogue | None = None,
    title: str = "Report",
    venue: str = "",
    page: bool | Mapping[str, Any] = False,
    overwrite: bool = False,
) -> Path:
    """Write tables (Markdown, CSV, LaTeX), figures and a summary in words.

    Args:
        runs: records, run folders, or folders that hold run folders.
        out: folder of the report; a report of the same runs is replaced.
        catalogue: names, colours, planned tests and questions of a study; None suits any systems.
        title: of its page.
        venue: whose columns figures and LaTeX tables fill, e.g. ``ieee``; "": figures ICASSP's, and tables fit all.
        page: write ``page.html`` too, with every system's sounds side by side; True, or its settings by name.
        overwrite: replace a report of other runs.

    Returns:
        The page: ``out/page.html`` where it was asked for, else ``out/README.md``.

    Raises:
        UserError: no runs, numbers whose signatures do not allow them in one column, or no such setting of the page.

    Example:
        >>> import clipsonic_eval as ce
        >>> run = ce.evaluate({"PD": "wavs/PD", "ZS": "wavs/ZS"}, reference="real/", metrics="fad")
        >>> ce.report([run], out="report/").read_text().splitlines()[0]
        '# Report'
    """
    from clipsonic_eval.reporting.build import PAGE, ReportOptions, build, page_config

    given = [runs] if isinstance(runs, RunRecord | str | os.PathLike) else runs
    options = ReportOptions(title, venue=venue, page=page_config(page))
    made = build(given, out, catalogue=catalogue, options=options, overwrite=overwrite).out
    return made / (PAGE if options.page is None else "page.html")
