"""Which change made the model worse? Four versions of a system, paired tests against the first one.

Every version answers the same queries, so the tests are paired by query and find far smaller differences than two
intervals side by side would. The influence of single clips says where to listen first.
"""

# %% Data: version 1 adds a little noise to real sounds; each later version changes one thing.
import tempfile
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile

import clipsonic_eval as ce
from clipsonic_eval.media.audio import read_audio
from clipsonic_eval.toyworld.write import WorldConfig, write_world

folder = write_world(
    WorldConfig(videos=0, pictures=0, pairs=0, val=0, test=40, val_reference=0, reference=80, workers=1),
    Path(tempfile.mkdtemp()),
)
changes: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "v1": lambda wave: wave,
    "v2-quieter": lambda wave: 0.5 * wave,
    "v3-lowpass": lambda wave: np.convolve(wave, np.ones(8) / 8, mode="same"),
    "v4-more-noise": lambda wave: wave + 0.1 * np.random.default_rng(1).standard_normal(len(wave)),
}
for version, change in changes.items():
    (folder / version).mkdir()
    for i, video in enumerate(sorted((folder / "test").glob("*.mp4"))):
        clip = read_audio(video, key=video.stem)
        wave = clip.mono() + 0.01 * np.random.default_rng(i).standard_normal(clip.samples.shape[1])
        soundfile.write(folder / version / f"{clip.key}.wav", np.clip(change(wave), -1, 1), clip.sample_rate)

# %% All versions on the same queries; each is compared with v1 only.
run = ce.evaluate(
    {version: folder / version for version in changes},
    reference=folder / "reference",
    prompts=folder / "test.csv",
    metrics=["fad", "clap_score"],
    baselines="v1",
    n_bootstrap=500,
)
print(run.table().to_string())

# %% The tests, corrected for their number (Holm). Differences are "version minus v1".
tests = run.comparisons_frame()
print()
print(tests[["metric", "a", "difference", "low", "high", "p_holm"]].round(4).to_string(index=False))
worse = tests[(tests["metric"] == "clap_score") & (tests["difference"] < 0) & (tests["p_holm"] < 0.05)]
print(f"\nLower CLAP score than v1: {', '.join(worse['a']) or 'no version'}")

# %% Which clips of v4 raise its FAD most?
influence = run.per_clip_frame().query("metric == 'fad' and system == 'v4-more-noise'")
print()
print(influence.nlargest(3, "influence")[["key", "influence"]].to_string(index=False))

# %% A figure: differences to v1 with their 95 % intervals.
figure, axes = plt.subplots(1, 2, figsize=(7, 2.5), sharey=True)
for axis, (metric, rows) in zip(axes, tests.groupby("metric"), strict=True):
    errors = [rows["difference"] - rows["low"], rows["high"] - rows["difference"]]
    axis.errorbar(rows["difference"], rows["a"], xerr=errors, fmt="o", capsize=3)
    axis.axvline(0, color="grey", linewidth=0.8)
    axis.set_xlabel(f"{metric}: difference to v1")
    axis.margins(y=0.3)
figure.tight_layout()
plt.show()
