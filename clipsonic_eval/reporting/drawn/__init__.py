"""Which figures a report has: what each needs, how it is called, and what stands beside it."""
