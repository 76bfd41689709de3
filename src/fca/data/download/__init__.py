"""Download, check and unpack the files of licensed datasets."""
