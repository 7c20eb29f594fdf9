"""What goes wrong in training, why, and the remedy: neutral signals, rules over them, one ranked list of findings.

Nothing here knows PyTorch or JAX but `pytorch/`, which fills the signals from a user's own loop.
"""
