"""Supervised text-to-audio baselines and the yardsticks that stand beside every system."""
