"""Text-video prediction: frame-wise conditioning adaptation (FCA) of a frozen text-to-video model."""

__version__ = "0.1.0"
