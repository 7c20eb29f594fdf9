"""Stage 1, look: become one with the data."""
