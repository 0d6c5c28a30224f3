"""Which iterations and stride Griffin-Lim needs on validation sounds of the toy world, and trained vocoders beside it.

python tests/benchmarks/vocoder.py OUT [VOCODER ...]     folders that `clipsonic-eval train toy_vocoder` wrote
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from clipsonic.mel import MelConfig, MelFrontEnd
from clipsonic.vocoders import Vocoder, make_vocoder, waveforms
from clipsonic_eval import provenance
from clipsonic_eval.arraytypes import AnyArray, Float64
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.files import read_json, write_text
from clipsonic_eval.formats import markdown_table
from clipsonic_eval.seeds import stream
from clipsonic_eval.stats.evidence import evidence_from_influences
from clipsonic_eval.stats.frechet import Gaussian, frechet_distance
from clipsonic_eval.stats.frechet_influence import frechet_influence
from clipsonic_eval.stats.pairwise import Rows
from clipsonic_eval.toyworld.items import scene_of
from clipsonic_eval.toyworld.sounds import RATE, render_sound
from clipsonic_eval.types import Clip

N, M, SEED = 480, 960, 0
SETTINGS = [(iterations, stride) for stride in (1, 2) for iterations in (4, 8, 16, 32)]
GRIFFIN_LIM = "Griffin-Lim"
LOUD = 6.9  # nats below a clip's loudest place, 60 dB: where the error of the log-mel is taken
TEXT = f"""# Vocoders of the toy world

```bash
clipsonic-eval demo --out runs/demo    # the toy world, among other things
clipsonic-eval prepare runs/demo/world/videos --out clips --set duration_s=0.96 --set window=first \\
    --set image_encoder=null --set shard_size=256 --workers 0
clipsonic-eval train toy_vocoder --set clips=clips --out models/toy-vocoder
python tests/benchmarks/vocoder.py reports/vocoder/README.md models/toy-vocoder
```

{N} validation sounds of the toy world (seed {SEED}), as they are and through mel spectrogram and vocoder. FAD:
toy-audio, squared distance to {M} sounds of `val_reference`; the standard error is that of the difference to the lowest
FAD, over the validation clips. Classes and counts are those that the heads of toy-audio name. Log-mel error: mean
absolute difference between the mel asked for and the mel of the sound, within 60 dB of the clip's loudest place. Time:
processor time per clip of 0.96 s, one thread.

"""


class Result(NamedTuple):
    """What one setting gives."""

    name: str
    ms: float
    fad: float
    influence: Float64
    classes: float
    counts: float
    error: float


def sounds(part: str, n: int) -> AnyArray:
    """Return the first n sounds of a part of the world, (n, samples) float32, from the streams that write its files."""
    keys = [f"{part}-{k:06d}" for k in range(n)]
    return np.stack([render_sound(scene_of(part, key, SEED), stream(SEED, key, "toyworld-sound")) for key in keys])


class Judge:
    """FAD to the reference, and what the heads of toy-audio name."""

    def __init__(self) -> None:
        self._audio, self._heads = (
            load_encoder("toy-audio"),
            [load_encoder(f"toy-audio-{h}") for h in ("classes", "count")],
        )
        self._reference = Gaussian.fit(self._audio.audio(_clips(sounds("val_reference", M))))
        scenes = [scene_of("val", f"val-{k:06d}", SEED) for k in range(N)]
        self._true = [[scene.source for scene in scenes], [str(scene.count) for scene in scenes]]

    def __call__(self, name: str, heard: AnyArray, ms: float, error: float) -> Result:
        clips = _clips(heard)
        vectors = self._audio.audio(clips).astype(np.float64)
        shares = []
        for head, true in zip(self._heads, self._true, strict=True):
            named = [head.card.labels[i] for i in head.audio(clips).argmax(axis=1)]
            shares.append(float(np.mean([a == b for a, b in zip(named, true, strict=True)])))
        influence = frechet_influence(Rows(vectors, np.arange(len(vectors))), self._reference)
        fad = frechet_distance(Gaussian.fit(vectors), self._reference)
        return Result(name, ms, fad, influence, shares[0], shares[1], error)


def _clips(samples: AnyArray) -> list[Clip]:
    return [Clip(str(i), np.ascontiguousarray(sound[None]), RATE) for i, sound in enumerate(samples)]


def measured(settings: Sequence[tuple[int, int]], folders: Sequence[Path]) -> tuple[Result, list[Result]]:
    """Return the result of the sounds as they are, and of each setting (iterations, stride) and trained vocoder."""
    config, judge, real = MelConfig(), Judge(), sounds("val", N)
    front_end, seeds = MelFrontEnd(config), list(range(N))
    mel = front_end.log_mel(torch.from_numpy(real))
    loud = mel > mel.amax(dim=(1, 2), keepdim=True) - LOUD
    results = []
    for name, vocoder in vocoders(config, settings, folders):
        start = time.process_time()
        sound = waveforms(vocoder, mel, seeds)
        ms = 1e3 * (time.process_time() - start) / N
        error = float((front_end.log_mel(sound) - mel).abs()[loud].mean())
        results.append(judge(name, sound.numpy(), ms, error))
    return judge("the sounds as they are", real, 0.0, 0.0), results


def vocoders(
    config: MelConfig, settings: Sequence[tuple[int, int]], folders: Sequence[Path]
) -> Iterator[tuple[str, Vocoder]]:
    """Yield name and vocoder: Griffin-Lim at each setting, then those that were trained."""
    for iterations, stride in settings:
        options = {"iterations": iterations, "stride": stride}
        yield f"{GRIFFIN_LIM}, {iterations} iterations, stride {stride}", make_vocoder(config, options)
    for folder in folders:
        kind, card = read_json(folder / "model_index.json")["vocoder"], read_json(folder / "card.json")
        name = f"{kind}, {card['parameters']:,} weights, {card['steps']} steps"
        yield name, make_vocoder(config, {"name": kind, "folder": str(folder)})


def page(real: Result, results: Sequence[Result]) -> str:
    """Return the table and the vocoder taken, as Markdown."""
    lowest = min(results, key=lambda r: r.fad)
    errors = {
        r.name: evidence_from_influences(r.fad - lowest.fad, r.influence - lowest.influence, np.zeros(0)).se
        for r in results
    }
    near = [r.name for r in results if r is not lowest and r.fad - lowest.fad <= errors[r.name]]
    rows = [
        (
            f"**{r.name}**" if r is lowest else r.name,
            f"{r.fad:.3f}",
            f"{errors[r.name]:.3f}" if r.name in errors else "",
            f"{r.classes:.3f}",
            f"{r.counts:.3f}",
            f"{r.error:.3f}" if r.name in errors else "",
            f"{r.ms:.1f}" if r.name in errors else "",
        )
        for r in (real, *results)
    ]
    heads = (
        "",
        "FAD",
        "SE of the difference",
        "class accuracy",
        "count accuracy",
        "log-mel error, nats",
        "ms per clip",
    )
    verdict = f"The lowest FAD: {lowest.name}. Within one standard error of it: {'; '.join(near) or 'none'}."
    return (
        f"{TEXT}{markdown_table(heads, rows)}\n{verdict} {demo_sentence(results)}Processor: "
        f"{provenance.collect()['processor']}.\n"
    )


def demo_sentence(results: Sequence[Result]) -> str:
    """Say whether a trained vocoder takes Griffin-Lim's place in the demo: a lower FAD in no more time; "": none."""
    best = min((r for r in results if r.name.startswith(GRIFFIN_LIM)), key=lambda r: r.fad)
    trained = [r for r in results if not r.name.startswith(GRIFFIN_LIM)]
    better = [r.name for r in trained if r.fad < best.fad and r.ms <= best.ms]
    rule = "A trained vocoder takes Griffin-Lim's place in the demo if its FAD is lower in no more time:"
    return f"{rule} {'; '.join(better) or 'none does'}. " if trained else ""


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    found = page(*measured(SETTINGS, [Path(folder) for folder in sys.argv[2:]]))
    write_text(Path(sys.argv[1]), found)
    sys.stdout.write(found)
