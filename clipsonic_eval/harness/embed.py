"""Second step of an evaluation: embed every set of audio and every prompt, and check what came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsonic_eval import threads
from clipsonic_eval.checks import evaluation as checks
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.audio_sets import AudioSet, system_set
from clipsonic_eval.harness.controls import NOISE, REAL, SHUFFLED, halves, with_shuffled_keys, write_noise
from clipsonic_eval.harness.embedder import EmbeddedSet, Embedder
from clipsonic_eval.harness.plan import FAD_HALVES, EvaluationPlan
from clipsonic_eval.harness.query_images import QueryImages, embed_images, offsets_from
from clipsonic_eval.metrics import Inputs, Metric
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import SetCount
from clipsonic_eval.types import Clip, Embeddings, Finding, Skip


@dataclass(frozen=True, slots=True)
class Embedded:
    """Everything that the scores are computed from.

    Attributes:
        plan: of the evaluation.
        sets: by system, those with usable audio; the controls made here among them.
        reference: the reference set, if a metric or a control needs its embeddings.
        training: what the systems were trained on, if it was given.
        text: embeddings (captions, d) of the prompts by role, where a metric needs them.
        images: of the queries by role, where a metric needs them.
        silence: for systems with unanswered queries, by role, the rows (r, d) of a silent clip as long as the system's
            own; a role whose encoder refuses silence, or compares in time, is missing.
        skipped: what was left out, by set.
        identity: signature fields that say what a metric compares the systems with, by metric.
        counts: of clips found, used and skipped, by set.
        findings: what looks wrong with the sets and the prompts, by set.
        hashes: SHA-256 of what each stage made, by set and stage; the prompts' embeddings are the set ``prompts``.
    """

    plan: EvaluationPlan
    sets: Mapping[str, EmbeddedSet]
    reference: EmbeddedSet | None
    training: EmbeddedSet | None
    text: Mapping[str, Embeddings]
    images: Mapping[str, QueryImages]
    silence: Mapping[str, Mapping[str, Embeddings]]
    skipped: Mapping[str, tuple[Skip, ...]]
    identity: Mapping[str, list[tuple[str, str]]]
    counts: Mapping[str, SetCount]
    findings: Mapping[str, list[Finding]]
    hashes: Mapping[str, Mapping[str, str]]

    def inputs(self, metric: Metric, seed: int = 0) -> dict[str, Inputs]:
        """Return the inputs of a metric by system, the controls that are made of embeddings among them.

        Args:
            metric: of the plan.
            seed: of the shuffled prompts and the halves of the reference.

        Raises:
            UserError: a control cannot be made.
        """
        card, plan = metric.card, self.plan
        reference = self.reference.spaces[card.role] if self.reference and "reference" in card.needs else None
        if card.name == FAD_HALVES and reference is not None:
            first, second = halves(reference, seed)
            return {"reference": Inputs(first, second)}
        spaces = {name: one.spaces[card.role] for name, one in self.sets.items()}
        real = spaces.get(REAL)
        per_query = bool(card.needs) and "reference" not in card.needs  # otherwise other keys change nothing
        if SHUFFLED in plan.controls and per_query:
            spaces[SHUFFLED] = with_shuffled_keys(real, seed)
        if "real" in card.needs:
            spaces.pop(REAL, None)  # it would be compared with itself
        stored = plan.stored.gaussian if plan.stored is not None and "reference" in card.needs else None
        labels = plan.queries.attributes[card.attribute] if card.attribute else plan.queries.labels
        text, shown = self.text.get(card.role), self.images.get(card.role)
        images = shown.embeddings if shown is not None else None
        encoder = plan.encoders[card.role]
        if images is not None and hasattr(encoder, "offsets"):  # compares by a network, so the metric gets the outcome
            apart = {name: offsets_from(images, space, encoder) for name, space in spaces.items()}
            return {name: Inputs(one, images=one) for name, one in apart.items()}
        return {name: Inputs(space, reference, text, labels, real, stored, images) for name, space in spaces.items()}


@threads.networks()
def embed(
    plan: EvaluationPlan,
    *,
    cache: Path | None,
    scratch: Path,
    batch_size: int = 64,
    workers: int = 2,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Embedded:
    """Embed the systems, the reference, the training set and the prompts of an evaluation.

    Args:
        plan: of the evaluation.
        cache: folder of the embedding cache; None: nothing is cached.
        scratch: folder that receives the noise control, ``controls/noise/<key>.wav``.
        batch_size: clips that an encoder gets at once.
        workers: threads that decode.
        seed: of the noise control.
        progress: shows every clip.

    Raises:
        UserError: no system has any usable audio, or the reference has none.
    """
    first = next(iter(plan.encoders))
    near = {*plan.roles["reference"], *([first] if plan.training is not None else [])}
    wanted: dict[str, tuple[AudioSet, list[str]]] = {}
    if plan.training is not None:
        wanted["training"] = plan.training, [first]
    if plan.reference is not None and near:
        wanted["reference"] = plan.reference, [role for role in plan.encoders if role in near]
    wanted |= {name: (audio, list(plan.encoders)) for name, audio in plan.systems.items()}
    if NOISE in plan.controls:
        wanted[NOISE] = _noise(plan, scratch / "controls" / NOISE, seed), list(plan.encoders)
    embedder = Embedder(plan.encoders, cache=cache, batch_size=batch_size, workers=workers)
    sets, skipped = _embed_sets(embedder, wanted, progress)
    reference, training = sets.pop("reference", None), sets.pop("training", None)
    images = {
        role: embed_images(plan.queries.images, plan.encoders[role], cache=cache, progress=progress)
        for role in plan.roles["images"]
    }
    unseen = [skip for shown in images.values() for skip in shown.skipped]
    skipped = {"prompts": plan.queries.skipped, "images": tuple(dict.fromkeys(unseen)), **skipped}
    texts = plan.queries.texts
    keys = tuple(key for key, _ in texts)
    text = {
        role: Embeddings(plan.encoders[role].text([t for _, t in texts]), keys, "text", plan.encoders[role].card)
        for role in plan.roles["prompts"]
    }
    return Embedded(
        plan,
        sets,
        reference,
        training,
        text,
        images,
        {name: _silence(sets[name], plan) for name in plan.given if name in sets and unanswered(plan, sets[name])[0]},
        {name: skips for name, skips in skipped.items() if skips},
        _identity(plan, reference, sets.get(REAL), images),
        _counts(plan, {**sets, "reference": reference, "training": training}),
        _findings(plan, sets, reference, training),
        _hashes({**sets, "reference": reference, "training": training}, text, images),
    )


def _hashes(
    sets: Mapping[str, EmbeddedSet | None], text: Mapping[str, Embeddings], images: Mapping[str, QueryImages]
) -> dict[str, Mapping[str, str]]:
    found = {name: one.hashes for name, one in sets.items() if one is not None}
    asked = {"prompts": text, "images": {role: shown.embeddings for role, shown in images.items()}}
    return found | {
        name: {f"embeddings/{role}": one.sha256 for role, one in by_role.items()}
        for name, by_role in asked.items()
        if by_role
    }


def unanswered(plan: EvaluationPlan, system: EmbeddedSet) -> tuple[tuple[str, ...], int]:
    """Return the queries without a usable output, sorted, and how many queries there are.

    Without prompts a system's own files are its queries.
    """
    asked = set(plan.queries.prompts) or {item.key for item in system.audio.items}
    return tuple(sorted(asked - set(system.digests))), len(asked)


def _embed_sets(
    embedder: Embedder, wanted: Mapping[str, tuple[AudioSet, Sequence[str]]], progress: Progress
) -> tuple[dict[str, EmbeddedSet], dict[str, tuple[Skip, ...]]]:
    """Return the embedded sets, and what each of them skipped.

    A system without usable audio does not fail the others.

    Raises:
        UserError: the reference, the training set or every system has no usable audio; the reason of the first.
    """
    sets: dict[str, EmbeddedSet] = {}
    skipped: dict[str, tuple[Skip, ...]] = {}
    errors = []
    for name, (audio, roles) in wanted.items():
        try:
            sets[name] = embedder.embed(audio, roles, progress=progress)
            skipped[name] = sets[name].skipped
        except UserError as error:
            if name in ("reference", "training"):
                raise
            errors.append(error)
            skipped[name] = (*audio.skipped, Skip("*", str(error)))
    if not sets.keys() - {"reference", "training"}:
        raise errors[0]
    return sets, skipped


def _identity(
    plan: EvaluationPlan,
    reference: EmbeddedSet | None,
    real: EmbeddedSet | None,
    images: Mapping[str, QueryImages],
) -> dict[str, list[tuple[str, str]]]:
    """Return the signature fields that say what each metric compares the systems with."""
    against = {
        "reference": ("ref", f"stats+{plan.stored.digest}" if plan.stored else reference.content if reference else ""),
        "real": ("ref", real.content if real else ""),
        "prompts": ("queries", plan.queries.hash),
    }
    captions = [("captions", "mean")] if plan.queries.captions else []
    found = {}
    for name, metric in plan.metrics.items():
        truth = plan.queries.attribute_hashes.get(metric.card.attribute, plan.queries.hash)
        shown = images.get(metric.card.role)
        own = {**against, "labels": ("queries", truth), "images": ("queries", shown.content if shown else "")}
        found[name] = [own[need] for need in metric.card.needs] + (captions if "prompts" in metric.card.needs else [])
    return found


def _noise(plan: EvaluationPlan, folder: Path, seed: int) -> AudioSet:
    """Write the noise control and list it."""
    first = next(iter(plan.systems.values()))
    keys = sorted(plan.queries.prompts) or [item.key for item in first.items]
    return system_set(NOISE, write_noise(keys, plan.reference or first, folder, seed), keys)


def _silence(system: EmbeddedSet, plan: EvaluationPlan) -> dict[str, Embeddings]:
    """Embed a silent clip as long as the system's own, by role; encoders that refuse silence are left out."""
    item = next(item for item in system.audio.items if item.key in system.digests)
    try:
        clip = item.clip()
    except UserError:  # gone since it was embedded
        return {}
    silent = Clip("silence", np.zeros_like(clip.samples), clip.sample_rate)
    found = {}
    for role, encoder in plan.encoders.items():
        if hasattr(encoder, "offsets"):  # silence is at no time
            continue
        try:
            rows = encoder.audio([silent])
        except UserError:
            continue
        if len(rows) and np.isfinite(rows).all():
            found[role] = Embeddings(rows, (silent.key,) * len(rows), "audio", encoder.card)
    return found


def _findings(
    plan: EvaluationPlan, sets: Mapping[str, EmbeddedSet], reference: EmbeddedSet | None, training: EmbeddedSet | None
) -> dict[str, list[Finding]]:
    """Return what looks wrong with the sets and the prompts, by set."""
    found: dict[str, list[Finding]] = {}
    near = {
        name: None if one is None else one.spaces for name, one in (("reference", reference), ("training", training))
    }
    earlier: dict[str, Mapping[str, str]] = {}
    real = {"reference": reference, "training": training, REAL: None if REAL in plan.given else sets.get(REAL)}
    for name, one in sets.items():
        if name == NOISE:
            continue
        found[name] = checks.check_set(one.levels, one.spaces, fitted=plan.fitted, made=name != REAL, **near)
        if name in plan.given:
            # identical systems are not reported here: their comparison says so
            others = {n: digests for n, digests in earlier.items() if digests != one.digests}
            others |= {n: other.digests for n, other in real.items() if other is not None}
            found[name] += checks.same_files(name, one.digests, others)
            earlier[name] = one.digests
    if reference is not None:
        fitted = plan.fitted & set(plan.roles["reference"])
        found["reference"] = checks.check_set(reference.levels, reference.spaces, fitted=fitted)
    if training is not None:
        found["training"] = checks.check_set(training.levels, training.spaces)
    if plan.stored is not None and plan.roles["reference"]:
        found["reference"] = list(plan.stored.findings())
    found[checks.EVALUATION] = [
        *plan.findings,
        *(f for role in plan.roles["prompts"] for f in checks.check_prompts(plan.encoders[role], plan.queries.prompts)),
    ]
    return found


def _counts(plan: EvaluationPlan, embedded: Mapping[str, EmbeddedSet | None]) -> dict[str, SetCount]:
    """Return how many clips of every set were found, used and skipped; a set that nothing needed used none."""
    counts = {}
    for name, audio in {**plan.systems, "reference": plan.reference, "training": plan.training}.items():
        if audio is None:
            continue
        one = embedded.get(name)
        used = len(one.digests) if one is not None else 0
        needed = one is not None or name in plan.systems
        left_out = audio.left_out if needed else audio.found
        counts[name] = SetCount(audio.found, used, audio.found - used - left_out, left_out)
    return counts
