"""From run records to the numbers of a report: pool training seeds, test the planned pairs, sort runs into their parts.

:func:`~clipsonic_eval.analysis.results.analyse` takes runs and gives :class:`~clipsonic_eval.analysis.results.Results`,
whose numbers are run records of kind ``pooled``. :mod:`clipsonic_eval.reporting` renders them and computes nothing.
"""
