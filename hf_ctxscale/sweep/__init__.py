"""Settings to planned runs, their identity, and the workers that train and score them."""
