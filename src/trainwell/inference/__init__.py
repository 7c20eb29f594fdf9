"""A trained network's way from rows to outputs in NumPy alone: a prediction starts at once, without JAX.

It is the forward pass of `trainwell.network` at test time, and tests hold the one against the other.
"""
