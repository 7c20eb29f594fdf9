"""Stage 6, squeeze: an ensemble of the best, the test score, and what the model does."""
