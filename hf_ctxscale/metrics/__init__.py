"""Evaluate modules: one folder each, with code and card."""
