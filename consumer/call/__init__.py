"""One call, as values: what is asked, each try of it, what became of it, and what a thread last called."""
