"""The per_position_loss evaluate module; load it with `evaluate.load(FOLDER)`."""
