"""The paper's model: attention, frame-wise text, initial-frame features; and the models it is compared with."""

from fca.model.adapter import FCA, FCAAdapter, denoise, embed_initial_frames
from fca.model.denoiser import Denoiser, TextToVideo, Velocity
from fca.model.inputs import InitialFrames, Prompt
from fca.model.processor import Condition

__all__ = [
    "FCA",
    "Condition",
    "Denoiser",
    "FCAAdapter",
    "InitialFrames",
    "Prompt",
    "TextToVideo",
    "Velocity",
    "denoise",
    "embed_initial_frames",
]
