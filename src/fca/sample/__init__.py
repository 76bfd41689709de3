"""Prediction: DDIM with classifier-free guidance, as a pipeline in diffusers' style and as a step of the workflow.

Both are imported lazily: `fca predict` checks its files (`fca.sample.media`) before it imports torch.
"""

from importlib import import_module
from typing import Any

__all__ = ["FCAPipeline", "sample"]

MODULES = {"FCAPipeline": "fca.sample.pipeline", "sample": "fca.sample.shard"}


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(MODULES[name]), name)
