"""ONE network: its structure, its weights and its forward pass."""
