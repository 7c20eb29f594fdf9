"""The rules, grouped by what they read; loading them declares them."""

from importlib import import_module

GROUPS = (
    "targets",
    "splits",
    "scale",
    "gradients",
    "modes",
    "outputs",
    "starts",
    "flow",
    "norms",
    "rates",
    "batches",
    "fitting",
    "before",
)


def load() -> None:
    for group in GROUPS:
        import_module(f"trainwell.diagnosis.rules.{group}")
