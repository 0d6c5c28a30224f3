"""Supervised text-to-audio baselines, and controls next to every system."""
