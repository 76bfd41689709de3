"""Training of the adapter: data order, objective, loop, checkpoints."""
