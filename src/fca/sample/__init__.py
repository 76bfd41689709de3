"""Prediction: DDIM with classifier-free guidance, as a pipeline in diffusers' style and as a step of the workflow."""

from fca.sample.pipeline import FCAPipeline
from fca.sample.shard import sample

__all__ = ["FCAPipeline", "sample"]
