"""The frontier of quality against latency: a grid of settings, each sampled, evaluated and timed with the same weights.

Points of a grid (``grid``) become a record of quality and one of cost each (``sweep``); from such records alone follow
the frontier and how sure it is (``result``).
"""
