"""Supervised text-to-audio baselines and the controls that stand beside every system."""
