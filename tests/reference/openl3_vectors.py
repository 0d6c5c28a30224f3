"""Embeddings by the package openl3 with random weights: ``python tests/reference/openl3_vectors.py OUT.npz``.

Needs an environment of its own, since openl3 needs TensorFlow with Keras 2, and PYTHONPATH=tests/unit/encoders::

    python3.11 -m venv ENV && ENV/bin/pip install tensorflow-cpu==2.15.1 librosa==0.10.1 scikit-learn 'setuptools<70'
    ENV/bin/pip install --no-deps --no-build-isolation kapre==0.3.7 resampy==0.2.2 openl3==0.4.2

The last one fetches all published weights, which are not used here; without a network, name the folder that holds the
sources of openl3 on PYTHONPATH (OPENL3_PATH for the test beside this file). What it wrote is kept as
tests/unit/encoders/openl3_vectors.npz.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from openl3_file import CASES, layers, sound


def main(out: Path) -> None:
    """Write the vectors of all cases, from a file that Keras wrote."""
    import openl3
    from openl3 import models

    weights = [array for _, arrays in layers(64) for array in arrays.values()]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (input_repr, size, hop_s, rate, seconds) in CASES.items():
            path = Path(folder) / f"openl3_audio_{input_repr}_music.h5"
            if not path.is_file():
                network = models.AUDIO_MODELS[input_repr](include_frontend=True)
                network.set_weights(weights)
                network.save_weights(str(path), save_format="h5")
            model = models.load_audio_embedding_model_from_path(str(path), input_repr, size)
            rows, _ = openl3.get_audio_embedding(
                sound(seconds, rate)[0], rate, model=model, hop_size=hop_s, verbose=False
            )
            found[name] = rows.astype(np.float32)
    np.savez_compressed(out, **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
