"""The report: one HTML page that opens from disk, made from scores, samples, clips and manifests.

`fca.report.page` makes it, `fca.report.compare` the page about two runs, `fca.report.preview` contact sheets.
"""
