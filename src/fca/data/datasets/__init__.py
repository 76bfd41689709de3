"""One module for each format that a dataset may have on disk; `reader` says what each provides and how to add one."""
