"""A plain stacked LSTM as a transformers model."""
