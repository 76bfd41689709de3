"""The page about the records of `snakemake evidence`, made from them alone."""

from fca.report.evidence.page import evidence

__all__ = ["evidence"]
