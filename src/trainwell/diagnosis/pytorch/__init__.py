"""Measures a PyTorch loop and fills the neutral signals; only this folder and `trainwell.torch` import torch."""
