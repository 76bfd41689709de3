"""Models for the Hugging Face hub: the card next to a model, and pushing both. No step's result depends on it."""
