"""A trained model and held-out windows to losses by context position."""
