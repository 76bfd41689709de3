"""The paper: FCA attention, frame-wise text conditioning, initial-frame features, and the adapter that holds them."""

from fca.model.adapter import Condition, FCAAdapter, denoise, embed_initial_frames

__all__ = ["Condition", "FCAAdapter", "denoise", "embed_initial_frames"]
