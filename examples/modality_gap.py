"""Modality gap: how far are text embeddings from image embeddings, and what does a prior close of it?

A zero-shot system puts the text embedding where a CLIP image embedding was in training; a prior predicts the image
embedding from the text first. Here the encoder is the CLIP of the toy world, and the prior a ridge regression. With
embeddings of your own, begin at ``ce.modality_gap``: it takes any (n, d) arrays whose rows are pairs.
"""

# %% Images and captions, embedded by a CLIP.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import clipsonic_eval as ce
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.media.video import centre_frame
from clipsonic_eval.toyworld.write import WorldConfig, write_world

folder = write_world(
    WorldConfig(videos=0, pictures=0, pairs=0, val=0, test=120, val_reference=0, reference=0, workers=1),
    Path(tempfile.mkdtemp()),
)
table = pd.read_csv(folder / "test.csv")
clip = load_encoder("toy-clip")
image = clip.image([centre_frame(folder / path) for path in table["path"]])
text = clip.text(table["prompt"].tolist())
print(f"image {image.shape}, text {text.shape}")

# %% A prior: ridge regression from text to image, fitted on the other half of the pairs.
prior = np.empty_like(image)
halves = np.arange(len(image)) % 2
for half in (0, 1):
    train, test = halves != half, halves == half
    x, y = text[train] - text[train].mean(0), image[train] - image[train].mean(0)
    weights = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)  # W = (XᵀX + λI)⁻¹ XᵀY
    prior[test] = (text[test] - text[train].mean(0)) @ weights + image[train].mean(0)

# %% The gap of the text itself, of text moved by the difference of the centroids, and of the prior.
run = ce.modality_gap(image, text, prior={"ridge": prior}, n_bootstrap=500)
shown = ["centroid_distance", "matched_cosine", "recall_at_1_to_image", "gap_closed", "gap_closed_centred"]
frame = run.to_frame().query("metric in @shown")
print()
print(frame.pivot(index="metric", columns="system", values="value").loc[shown].round(3).to_string())

# %% Moving the cloud closes the distance of the centroids, and nothing of what is left when each side is centred.
assert float(run["mean-shift", "gap_closed_centroid"]) > 0.8
assert abs(float(run["mean-shift", "gap_closed_centred"])) < 0.1

# %% A figure: the first two principal components of both modalities, and the prior in the same plane.
unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (image, text, prior)]
centre = np.concatenate(unit[:2]).mean(0)
axes = np.linalg.svd(np.concatenate(unit[:2]) - centre, full_matrices=False)[2][:2]
figure, axis = plt.subplots(figsize=(4, 3))
for name, vectors in zip(("image", "text", "ridge prior"), unit, strict=True):
    axis.scatter(*((vectors - centre) @ axes.T).T, s=8, label=name)
axis.legend()
axis.set_xlabel("PC 1")
axis.set_ylabel("PC 2")
figure.tight_layout()
plt.show()
