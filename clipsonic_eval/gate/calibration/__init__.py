"""Simulations of the gate: false alarms, power, and verdicts from influences beside those from resamples.

Populations are those of :mod:`clipsonic_eval.harness.calibration`; verdicts come from :func:`clipsonic_eval.gate.check`
itself or, for resamples that no record holds, from the evidence and the decision that it uses.
"""
