"""Stage 3, overfit: a network that learns the training rows by heart can learn."""
