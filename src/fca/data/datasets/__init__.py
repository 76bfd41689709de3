"""One module for each format that a dataset may have on disk; `reader` says what each provides.

To add a format, write NAME.py here with a `READER` and add its line to `FORMATS` in `fca.config.dataset_formats`.
"""
