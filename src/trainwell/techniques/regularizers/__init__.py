"""Regularizers: what narrows the gap between training and validation loss, one technique a file."""
