"""Scores of predicted clips, each with its protocol: Fréchet and kernel distance, PSNR, SSIM and task.

To add a metric, compute it in `score` and list it in `fca.report.metrics`.
"""

from fca.score.score import score

__all__ = ["score"]
