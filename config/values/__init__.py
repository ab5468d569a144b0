"""One written value to one effective value."""
