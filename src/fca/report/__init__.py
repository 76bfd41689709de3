"""The report: HTML pages that open from disk, made from scores, samples, clips and manifests.

`page` is the report, `compare` a page about two runs, `preview` contact sheets; `sections` has a module for each part
of a page, `templates` its HTML. To add a metric, see `metrics`.
"""
