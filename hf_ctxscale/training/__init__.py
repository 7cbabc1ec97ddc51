"""One run, trained by the Hugging Face Trainer."""
