"""The paper's model: attention, frame-wise text, initial-frame features; and the models it is compared with."""

from fca.model.adapter import FCA, Condition, FCAAdapter, denoise, embed_initial_frames
from fca.model.denoiser import Denoiser, TextToVideo, Velocity
from fca.model.given import Given, Prompt

__all__ = [
    "FCA",
    "Condition",
    "Denoiser",
    "FCAAdapter",
    "Given",
    "Prompt",
    "TextToVideo",
    "Velocity",
    "denoise",
    "embed_initial_frames",
]
