"""Stage 2, baselines: what simple models reach, and whether the loss begins where it should."""
