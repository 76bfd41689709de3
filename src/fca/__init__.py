"""Text-video prediction: frame-wise conditioning adaptation (FCA) of a frozen text-to-video model."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fca.sample.pipeline import FCAPipeline as FCAPipeline

__version__ = "0.1.0"
__all__ = ["FCAPipeline", "__version__"]


def __getattr__(name: str) -> Any:
    """`FCAPipeline`, imported when it is asked for: it takes torch along."""
    if name != "FCAPipeline":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fca.sample.pipeline import FCAPipeline

    return FCAPipeline
