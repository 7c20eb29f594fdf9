"""The rules, grouped by what they read; loading them declares them."""

from importlib import import_module

GROUPS = ("data", "wiring", "outputs", "layers", "training", "before")


def load() -> None:
    for group in GROUPS:
        import_module(f"trainwell.diagnosis.rules.{group}")
