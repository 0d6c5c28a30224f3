"""Do the intervals hold what they promise, and do the tests cry wolf as often as they say? By simulation."""
