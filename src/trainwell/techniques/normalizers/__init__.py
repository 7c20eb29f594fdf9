"""Normalizers: what keeps the signal of a layer at a steady mean and scale, one technique a file."""
