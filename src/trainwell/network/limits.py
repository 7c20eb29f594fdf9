"""What bounds the description of a network, and what an older one leaves out; apart, since nothing heavy is needed for it."""

from typing import Any

ADDED: dict[str, Any] = {
    "numeric_scaling": "robust",
    "input_scaling": "none",
    "logarithm": (),
    "weight_averaging": "none",
    "adapters": 0,
}  # what networks were that were written before there was such a choice
MOST = 1 << 24  # chosen: columns or levels; a network of more is a damaged file's
ADAPTERS = range(2, 65)  # networks in one; the most is chosen
WIDEST, DEEPEST = 8192, 64  # chosen: above them one layer's weights no longer fit a small machine
