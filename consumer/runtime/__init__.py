"""Time, threads and locks, as values that tests can replace."""
