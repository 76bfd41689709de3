"""Training of the adapter: data order, objective, loop, checkpoints."""

from fca.train.loop import train

__all__ = ["train"]
