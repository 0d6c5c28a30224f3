"""Files that listeners get: random names, one date, one loudness; a row of ``stimuli.csv`` for each."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.atomic import replacing
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.listening import folder
from clipsonic_eval.media import loudness

_NAMES: Final = "names.json"  # the secret that names are drawn from
_LARGEST_SIDE: Final = 640  # pixels of a picture

Row = dict[str, Any]


class StimulusWriter:
    """Writes the files of one test.

    Args:
        root: folder of the test.
        rate: Hz of all sounds.
    """

    def __init__(self, root: Path, rate: int) -> None:
        self.root, self.rate = root, rate
        path = root / _NAMES
        if not path.exists():
            write_json(path, {"secret": secrets.token_hex(16)})
        self._secret = str(read_json(path)["secret"]).encode()

    def level(self, condition: str, query: str, samples: Float32, name: str) -> Row:
        """Write a sound at the loudness of all.

        Args:
            condition: system, reference, anchor, ….
            query: key.
            samples: (channels, n) float32.
            name: of its source, for the error sentence.

        Raises:
            MediaError: it is too short or silent.
        """
        measured = loudness.loudness_lufs(samples, self.rate, name)
        peak = loudness.true_peak_db(samples, self.rate)
        gain = loudness.gain_db(measured, peak)
        row = self.save(condition, query, (10 ** (gain / 20) * samples).astype(np.float32))
        levels = {"loudness_lufs": measured, "true_peak_db": peak, "gain_db": gain, "level_lufs": measured + gain}
        return {**row, **{name: round(value, 2) for name, value in levels.items()}}

    def save(self, condition: str, query: str, samples: Float32) -> Row:
        """Write a sound, (channels, n) float32, as it is."""
        from scipy.io import wavfile

        name = self._name(condition, query, ".wav")
        quantised = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
        self._place(name, lambda path: wavfile.write(path, self.rate, quantised.T))
        return _row(condition, query, name, seconds=samples.shape[1] / self.rate)

    def picture(self, query: str, image: Path) -> Row:
        """Write the picture of a query: its pixels as JPEG, without what else the file says.

        Raises:
            UserError: it cannot be read.
        """
        from PIL import Image

        from clipsonic_eval.media.video import query_image

        picture = Image.fromarray(query_image(image))
        picture.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
        name = self._name(folder.IMAGE, query, ".jpg")
        self._place(name, lambda path: picture.save(path, quality=90))
        return _row(folder.IMAGE, query, name)

    def _name(self, condition: str, query: str, suffix: str) -> str:
        return hmac.new(self._secret, f"{condition}\0{query}".encode(), "sha256").hexdigest()[:20] + suffix

    def _place(self, name: str, write: Callable[[Path], object]) -> None:
        with replacing(self.root / folder.CLIPS / name) as temporary:
            write(temporary)
            os.utime(temporary, (0, 0))


def _row(condition: str, query: str, name: str, **values: object) -> Row:
    return {**dict.fromkeys(folder.COLUMNS), "condition": condition, "query": query, "file": name, **values}
