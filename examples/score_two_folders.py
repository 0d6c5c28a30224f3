"""Score two folders of wavs: a table in memory, paired tests, and the clips that sound worst.

Run it as a script, or cell by cell in an editor that knows ``# %%``. It writes its own data into a temporary folder:
short synthetic sounds with captions, and two "systems" that add more or less noise to them.
"""

# %% Data: real audio, and two folders of <key>.wav. With your own, only the paths below change.
import tempfile
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
rng = np.random.default_rng(0)
for system, level in {"quiet-noise": 0.02, "loud-noise": 0.2}.items():
    (folder / system).mkdir()
    for video in sorted((folder / "test").glob("*.mp4")):
        clip = read_audio(video, key=video.stem)
        noisy = np.clip(clip.mono() + level * rng.standard_normal(clip.samples.shape[1]), -1, 1)
        soundfile.write(folder / system / f"{clip.key}.wav", noisy, clip.sample_rate)

# %% Every default metric that these inputs allow, in memory: nothing is written.
# The default encoders know this toy world only. For real audio, e.g. encoders={"audio": "vggish"}.
run = ce.evaluate(
    {"quiet-noise": folder / "quiet-noise", "loud-noise": folder / "loud-noise"},
    reference=folder / "reference",
    prompts=folder / "test.csv",
    n_bootstrap=500,
)
print(run.table().to_string())

# %% One number, with everything that changes it.
fad = run["loud-noise", "fad"]
print(f"\n{fad!r}\n{fad.signature}")
assert float(fad) > float(run["quiet-noise", "fad"])

# %% Are the two systems different on the same queries?
print()
print(run.comparisons_frame()[["metric", "difference", "low", "high", "p_holm"]].round(4).to_string(index=False))

# %% Which clips have the lowest CLAP score?
per_clip = run.per_clip_frame().query("metric == 'clap_score' and system == 'loud-noise'")
print()
print(per_clip.nsmallest(3, "value")[["key", "value"]].to_string(index=False))

# %% A figure.
frame = run.to_frame().query("metric in ['fad', 'clap_score']")
figure, axes = plt.subplots(1, 2, figsize=(7, 2.5))
for axis, (metric, rows) in zip(axes, frame.groupby("metric"), strict=True):
    errors = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
    axis.errorbar(rows["value"], rows["system"], xerr=errors, fmt="o", capsize=3)
    axis.set_xlabel(f"{metric} ({rows['direction'].iloc[0]})")
    axis.margins(y=0.5)
figure.tight_layout()
plt.show()
