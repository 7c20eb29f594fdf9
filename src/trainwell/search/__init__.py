"""Which networks to train, for how long, and which to keep."""
