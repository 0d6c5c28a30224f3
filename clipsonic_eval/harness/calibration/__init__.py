"""Coverage of all intervals, and false alarms and power of all paired tests, by simulation."""
