"""Laws fitted to plain arrays: loss against size, size and data, and context position; nothing here knows of studies."""
