"""Scores of predicted clips: Fréchet and kernel distance, PSNR, SSIM and motion, each with its protocol."""

from fca.score.score import score

__all__ = ["score"]
