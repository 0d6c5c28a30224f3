"""The sounds of a listening test as listeners hear them: one loudness, one format, random names.

Every sound becomes a wav of 16 bits at one sample rate. The sounds of one query are cut to the shortest of them, so
that neither the length nor the size of a file tells whose it is; all files carry the same date. Each gets one gain to
-23 LUFS, or as near as a true peak of -1 dB allows. Names are drawn from a secret of the folder.

Queries are made one by one, and what is finished is kept.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.atomic import replacing
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.listening import folder, sounds
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.protocols import LOW_PASSED, NOISE
from clipsonic_eval.listening.trials import HEADPHONES, SIDE, SIDES, TONES
from clipsonic_eval.media import audio, loudness
from clipsonic_eval.progress import Progress
from clipsonic_eval.types import Skip

_VOLUME_S: Final = 5.0
_NAMES: Final = "names.json"  # the secret that names are drawn from
_DONE: Final = "done"

Row = dict[str, Any]


def make(plan: ListeningPlan, root: Path, rate: int, channels: int, progress: Progress) -> tuple[list[Row], list[Skip]]:
    """Write all sounds and pictures of a test.

    Args:
        plan: of the test.
        root: folder of the test.
        rate: Hz of all sounds.
        channels: 1 or 2.
        progress: shows the queries.

    Returns:
        (rows of ``stimuli.csv``, sounds that cannot be used, by query).
    """
    workshop = _Workshop(plan, root, rate, channels)
    rows: list[Row] = []
    refused: list[Skip] = []
    for place, query in enumerate(progress.track(plan.queries, label="build", total=len(plan.queries))):
        done = root / _DONE / f"{place}.json"
        if not done.exists():
            found, wrong = workshop.of_query(query.key)
            refused += wrong
            if wrong:
                continue
            write_json(done, found)
        rows += read_json(done)
    return ([] if refused else rows + workshop.of_checks()), refused


class _Workshop:
    def __init__(self, plan: ListeningPlan, root: Path, rate: int, channels: int) -> None:
        self.plan, self.root, self.rate, self.channels = plan, root, rate, channels
        secret = root / _NAMES
        if not secret.exists():
            write_json(secret, {"secret": secrets.token_hex(16)})
        self.secret = str(read_json(secret)["secret"])

    def of_query(self, query: str) -> tuple[list[Row], list[Skip]]:
        """Write the sounds of a query; return their rows, and what is wrong with which."""
        found: dict[str, Float32] = {}
        rows: list[Row] = []
        refused: list[Skip] = []
        for condition in self.plan.conditions():
            with _refusing(query, refused):
                if condition != NOISE:
                    found[condition] = self._read(condition, query)
        if refused:
            return [], refused
        lengths = {condition: sound.shape[1] for condition, sound in found.items()}
        n = min(lengths.values())
        heard = dict(zip(found, sounds.cut(list(found.values()), self.rate), strict=True))
        if NOISE in self.plan.conditions():
            rng = seeds.stream(self.plan.seed, query, "listening-noise")
            heard[NOISE] = sounds.white_noise(self.channels, n, rng)
        for condition, sound in heard.items():
            cut_s = round((lengths.get(condition, n) - n) / self.rate, 3)
            with _refusing(query, refused):
                rows.append({**self._write(condition, query, sound), "cut_s": cut_s})
        with _refusing(query, refused):
            rows += self._picture(query)
        return rows, refused

    def of_checks(self) -> list[Row]:
        """Write what is not of a query: tones for the headphones, noise for the volume."""
        rows = [
            self._save(HEADPHONES, f"{softer}-{antiphase}", sounds.three_tones(self.rate, i, j))
            for i, softer in enumerate(TONES)
            for j, antiphase in enumerate(TONES)
            if i != j
        ]
        rows += [self._save(SIDE, name, sounds.tone_on_one_side(self.rate, i)) for i, name in enumerate(SIDES)]
        noise = sounds.pink_noise(self.rate, _VOLUME_S, seeds.stream(0, "", "listening-volume"))
        return [*rows, self._write(folder.VOLUME, "", noise)]

    def _read(self, condition: str, query: str) -> Float32:
        """Return the sound of a condition, (channels, n), as long as its file."""
        source = self.plan.sources(condition, query)
        assert source is not None
        if file_sha256(source.path, MediaError) != source.sha256:
            raise MediaError(f"{source.path}: is not the file of the plan any more; take the original, or plan anew")
        clip = audio.read_audio(source.path, key=query)
        samples = clip.mono()[None] if self.channels == 1 else clip.samples
        if len(samples) > 2:
            raise MediaError(f"{source.path}: {len(samples)} channels, and two can be heard; mix them down")
        samples = audio.resample(np.repeat(samples, self.channels // len(samples), axis=0), clip.sample_rate, self.rate)
        return sounds.low_pass(samples, self.rate) if condition == LOW_PASSED else samples

    def _write(self, condition: str, query: str, samples: Float32) -> Row:
        """Write a sound, (channels, n), at the loudness of all; return its row."""
        source = self.plan.sources(condition, query) if query else None
        level = loudness.loudness_lufs(samples, self.rate, str(source.path) if source else condition)
        peak = loudness.true_peak_db(samples, self.rate)
        gain = loudness.gain_db(level, peak)
        row = self._save(condition, query, (10 ** (gain / 20) * samples).astype(np.float32))
        levels = {"loudness_lufs": level, "true_peak_db": peak, "gain_db": gain, "level_lufs": level + gain}
        digest = {"source_sha256": source.sha256 if source else ""}
        return {**row, **{name: round(value, 2) for name, value in levels.items()}, **digest}

    def _save(self, condition: str, query: str, samples: Float32) -> Row:
        """Write a sound, (channels, n), as it is; return its row."""
        from scipy.io import wavfile

        name = self._name(condition, query, ".wav")
        quantised = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
        self._place(name, lambda path: wavfile.write(path, self.rate, quantised.T))
        return _row(condition, query, name, seconds=samples.shape[1] / self.rate)

    def _picture(self, query: str) -> list[Row]:
        """Write the picture of a query that is asked by one: its pixels as JPEG, without what else the file says."""
        image = next(one.image for one in self.plan.queries if one.key == query)
        if self.plan.query != "image" or image is None:
            return []
        from PIL import Image

        from clipsonic_eval.media.video import query_image

        picture = Image.fromarray(query_image(image))
        picture.thumbnail((640, 640))
        name = self._name(folder.IMAGE, query, ".jpg")
        self._place(name, lambda path: picture.save(path, quality=90))
        return [_row(folder.IMAGE, query, name)]

    def _name(self, condition: str, query: str, suffix: str) -> str:
        mac = hmac.new(self.secret.encode(), f"{condition}\0{query}".encode(), "sha256")
        return mac.hexdigest()[:20] + suffix

    def _place(self, name: str, write: Callable[[Path], object]) -> None:
        """Write a file that listeners get, with the date that all have."""
        with replacing(self.root / folder.CLIPS / name) as temporary:
            write(temporary)
            os.utime(temporary, (0, 0))


def _row(condition: str, query: str, name: str, **values: object) -> Row:
    return {**dict.fromkeys(folder.COLUMNS), "condition": condition, "query": query, "file": name, **values}


@contextlib.contextmanager
def _refusing(query: str, refused: list[Skip]) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        refused.append(Skip(query, str(error)))
