"""Quality against latency: which settings of a system are worth their time."""
