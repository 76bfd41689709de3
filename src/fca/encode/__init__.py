"""The frozen networks' single pass: VAE latents, T5 prompt embeddings, BLIP-2 text embeddings and image features."""
