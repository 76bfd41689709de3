"""Text-video prediction: frame-wise conditioning adaptation (FCA) of a frozen text-to-video model."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["FCAPipeline", "__version__"]

MODULES = {"FCAPipeline": "fca.sample.pipeline"}
"""Imported when they are asked for: they take torch along."""


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(MODULES[name]), name)
