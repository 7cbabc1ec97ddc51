"""From losses by document and context position to curves, intervals, fits and claims; no torch."""
