"""Frozen networks run once: VAE latents, T5 prompt embeddings, BLIP-2 text embeddings and image features."""
