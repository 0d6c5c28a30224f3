"""The evaluation harness of clipsonic-eval: media, encoders, metrics, statistics, reports.

Importing this package is cheap: no torch, no plotting; heavy parts load where they are used.
"""

__version__ = "0.1.0"
