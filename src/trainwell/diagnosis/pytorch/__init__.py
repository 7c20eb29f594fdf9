"""Measures a PyTorch loop and fills the neutral signals; only this folder and `trainwell.torch` import torch."""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ImportError("The diagnosis of PyTorch loops needs PyTorch, which is not installed; `pip install torch` brings it.")
