"""The report: one HTML page that opens from disk, made from scores, samples, clips and manifests."""

from fca.report.page import report

__all__ = ["report"]
