"""The history of a project: run records in a folder that merges by union, pinned baselines, metrics over time."""
