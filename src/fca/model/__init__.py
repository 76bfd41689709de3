"""The paper's model: attention, frame-wise text, initial-frame features; and the models it is compared with."""

from fca.model.adapter import FCA, FCAAdapter
from fca.model.denoiser import Denoiser
from fca.model.inputs import InitialFrames, Prompt

__all__ = ["FCA", "Denoiser", "FCAAdapter", "InitialFrames", "Prompt"]
