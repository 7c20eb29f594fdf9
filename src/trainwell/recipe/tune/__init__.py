"""Stage 5, tune: the search over a population."""
