"""Names of the files that one command writes and another reads."""

from __future__ import annotations

from typing import Final

RUN: Final = "run.json"  # of any output folder: the command and the settings that it was claimed for

# of a folder of prepared clips (`prepare`)
CLIPS: Final = "clips.json"
PLAN: Final = "plan.json"
MEMBERS: Final = "members.json"  # the order in which its items were dealt to shards
EMBEDDINGS: Final = "image_embeddings.npy"
CAPTIONS: Final = "captions.csv"  # of items with several
CROISSANT: Final = "croissant.json"

# of a folder of wavs (`sample`)
SAMPLES: Final = "samples.csv"
METADATA: Final = "metadata.csv"  # the same for the AudioFolder of the datasets package
SYSTEM: Final = "system.json"
SHARES: Final = ".shares"  # tables of the processes that sample it together

TRAIN_LOG: Final = "train_log.csv"  # of a model's folder: losses over the steps

# of a run folder (`evaluate`, `gap`)
RECORD: Final = "record.json"
CLIP_VALUES: Final = "clips.parquet"
EXAMPLES: Final = "examples.npz"  # log-mel spectrograms of a few clips, by system
PROJECTION: Final = "projection.npz"  # two-dimensional projection of image and text embeddings

# of several of them
SKIPPED: Final = "skipped.csv"
FINDINGS: Final = "findings.csv"

# of a listening test (`listen`); its plan is PLAN
ANSWERS: Final = "answers.csv"

WORLD: Final = "world.json"  # of a written toy world
